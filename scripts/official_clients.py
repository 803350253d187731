"""Judges the simulated providers by what the real ones publish: part of `make test`.

Meeting BaaS's official client, from npm, makes every call that Rollcall relies on against `testing/simulator`, and its schemas and
types judge every answer and every v2 webhook (`testing/judge/judge.mjs`). MeetStream publishes no client that npm has, but an OpenAPI
file: it judges its part if ROLLCALL_MEETSTREAM_OPENAPI names a copy of it, or with `--published`, which downloads the present one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import build
from tools import ROOT, TOOLS, node_of, npm_ci, say, script

SOURCES = ROOT / "testing" / "judge"
FOLDER = ROOT / ".local" / "judge"
PUBLISHED = "https://docs.meetstream.ai/openapi.json"
WORLD = build.DEBUG / "examples" / "judged"


def node() -> Path | None:
    """The Node that `make test` installs, else the machine's own, if it has npm and is not too old."""
    if (TOOLS / "others").exists():
        return node_of("others")
    own = shutil.which("node")
    if not own or not (Path(own).parents[1] / "lib" / "node_modules" / "npm").exists():
        return None
    version = subprocess.run([own, "--version"], capture_output=True, text=True).stdout
    return Path(own) if int(version.lstrip("v").split(".")[0]) >= 20 else None


def openapi(published: bool) -> str:
    """Where MeetStream's OpenAPI file is; nothing if there is none."""
    if not published:
        return os.environ.get("ROLLCALL_MEETSTREAM_OPENAPI", "")
    file = FOLDER / "meetstream-openapi.json"
    with urllib.request.urlopen(PUBLISHED, timeout=30) as answer:
        file.write_bytes(answer.read())
    return str(file)


def judge(program: Path, published: bool = False) -> None:
    """Lets both of them judge a simulated world that is served for them."""
    npm_ci(program, SOURCES, FOLDER)
    shutil.copy(SOURCES / "judge.mjs", FOLDER)
    environment = {**os.environ, "ROLLCALL_MEETSTREAM_OPENAPI": openapi(published)}
    with subprocess.Popen([WORLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as world:
        assert world.stdin and world.stdout
        try:
            described = world.stdout.readline()
            judged = subprocess.run([program, "judge.mjs"], cwd=FOLDER, env=environment, input=described, text=True)
        finally:
            world.stdin.close()
    if judged.returncode:
        sys.exit("error: the simulator is not like the providers: see above")


def main(arguments: list[str] | None = None) -> None:
    """Builds the world and has it judged, or says loudly that it was not."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--published", action="store_true", help=f"download MeetStream's OpenAPI file from {PUBLISHED}")
    published = parser.parse_args(arguments).published
    say("the providers' own clients and schemas judge the simulator")
    program = node()
    if not program:
        print(f"\n{'!' * 100}\n!! SKIPPED: nobody judged the simulator: there is no Node of version 20 or newer\n{'!' * 100}\n", flush=True)
        return
    subprocess.run(["cargo", "build", "--quiet", "--workspace", "--example", "judged", "--locked"], cwd=ROOT, check=True)
    judge(program, published)


if __name__ == "__main__":
    script(main)
