"""Plants one bug after the other and sees that the schedules of faults catch it: `make planted`.

Each patch in testing/soak/planted is a bug that somebody might write. It names the seed of a schedule that must break under it and
that holds without it. The patches go into a copy of the sources: the work tree is never touched.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools import ROOT, say, script

PATCHES = ROOT / "testing" / "soak" / "planted"
DOCUMENT = ROOT / "docs" / "TESTING.md"
COPY = ROOT / ".local" / "planted"
# For how long a schedule is looked for that catches a bug.
SEARCH_SECONDS = 200
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
# What nobody should find in the place of the real one afterwards.
PROGRAM = TARGET / "debug" / "soak"


@dataclass(frozen=True)
class Bug:
    """A patch, and what its head says."""

    path: Path

    @property
    def name(self) -> str:
        """Its name, in words."""
        return self.path.stem.replace("-", " ")

    @property
    def seed(self) -> int:
        """The seed of a schedule that catches it."""
        return int(re.search(r"^Seed: (\d+)$", self.path.read_text(), re.MULTILINE)[1])

    @property
    def row(self) -> str:
        """Its row in the document."""
        return f"| `{self.path.stem}` | {self.path.read_text().splitlines()[0]} | {self.seed} |"

    def apply(self, *arguments: str) -> None:
        """Puts it into the copy, or with `--reverse` takes it away."""
        # Inside of a work tree git would leave out, without a word, what lies elsewhere in it.
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(COPY.parent)}
        subprocess.run(["git", "apply", *arguments, self.path], cwd=COPY, env=environment, check=True)


def copy_sources() -> None:
    """Copies what git knows, as it lies in the work tree. Older copies keep the times of files that are the same."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )
    wanted = {Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    for old in [path for path in COPY.rglob("*") if path.is_file() and path.relative_to(COPY) not in wanted]:
        old.unlink()
    for name in wanted:
        source, to = ROOT / name, COPY / name
        if not to.exists() or to.read_bytes() != source.read_bytes():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, to)


def build() -> None:
    """Builds the soak of the copy, with the dependencies that the workspace has built already."""
    # With a test, whose features are those of all tests: the dependencies are compiled for them already.
    command = ["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", "soak", "--test", "in_process"]
    subprocess.run(command, cwd=COPY, env={**os.environ, "CARGO_TARGET_DIR": str(TARGET)}, check=True)


def soak(*arguments: str | int) -> tuple[bool, str]:
    """Runs schedules in process. Whether all of them hold, and what is printed."""
    command = [PROGRAM, "--in-process", *map(str, arguments)]
    done = subprocess.run(command, cwd=COPY, capture_output=True, text=True, timeout=600)
    if done.returncode and not re.search("breaks? a promise", done.stderr):
        raise AssertionError(f"the soak did not run:\n{done.stdout}{done.stderr}")
    return done.returncode == 0, done.stdout


def violation(printed: str) -> str:
    """The first thing that the auditor found wrong."""
    found = re.search(r"violation: (.*)", printed)
    return found[1] if found else ""


BUGS = [Bug(path) for path in sorted(PATCHES.glob("*.patch"))]


def document() -> str:
    """The document with the table of all bugs."""
    table = "\n".join(["| bug | what it does | seed |", "|---|---|---|", *(bug.row for bug in BUGS)])
    return re.sub(
        r"(<!-- planted -->\n).*?(<!-- /planted -->)",
        lambda found: f"{found[1]}{table}\n{found[2]}",
        DOCUMENT.read_text(),
        flags=re.DOTALL,
    )


def check(bugs: list[Bug]) -> list[str]:
    """Each bug under the seed that it names; then those seeds without any. What is not as it must be."""
    wrong = []
    for bug in bugs:
        bug.apply()
        try:
            build()
            holds, printed = soak("--seed", bug.seed)
        finally:
            bug.apply("--reverse")
        if holds:
            wrong.append(f"{bug.name}: seed {bug.seed} does not catch it any more; `make planted FIND=1` finds another")
        print(f"  {'MISSED' if holds else 'caught'}  {bug.name}, seed {bug.seed}: {violation(printed)[:120]}", flush=True)
    if document() != DOCUMENT.read_text():
        wrong.append("docs/TESTING.md does not have the bugs as the patches do; `make planted FIND=1` writes it")
    build()
    for seed in sorted({bug.seed for bug in bugs}):
        holds, printed = soak("--seed", seed)
        if not holds:
            wrong.append(f"seed {seed} breaks a promise without any bug planted: {violation(printed)}")
    return wrong


def find(bugs: list[Bug]) -> list[str]:
    """Looks for the first seed that catches each, and writes it into the patch."""
    wrong = []
    for bug in bugs:
        bug.apply()
        try:
            build()
            _, printed = soak("--seconds", SEARCH_SECONDS, "--first")
        finally:
            bug.apply("--reverse")
        found = re.search(r"^  seed (\d+): (.*)", printed, re.MULTILINE)
        if not found:
            wrong.append(f"{bug.name}: no schedule of {SEARCH_SECONDS} seconds catches it")
            print(f"  {bug.name}: NOT FOUND", flush=True)
            continue
        bug.path.write_text(re.sub(r"^Seed: \d+$", f"Seed: {found[1]}", bug.path.read_text(), count=1, flags=re.MULTILINE))
        print(f"  {bug.name}: seed {found[1]}: {found[2][:120]}", flush=True)
    DOCUMENT.write_text(document())
    return wrong


def main(arguments: list[str] | None = None) -> None:
    """Checks every bug, or finds seeds for them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--find", action="store_true", help="look for the seeds anew, and write them into the patches")
    parser.add_argument("bugs", nargs="*", help="only these, by the names of their patches [default: all]")
    chosen = parser.parse_args(arguments)
    bugs = [bug for bug in BUGS if not chosen.bugs or bug.path.stem in chosen.bugs]
    say(f"planting {len(bugs)} bugs, one after the other, under the schedules of faults (half a minute each)")
    copy_sources()
    try:
        wrong = (find if chosen.find else check)(bugs)
    finally:
        PROGRAM.unlink(missing_ok=True)
    if wrong:
        sys.exit("error: " + "\n       ".join(wrong))


if __name__ == "__main__":
    script(main, AssertionError, subprocess.TimeoutExpired)
