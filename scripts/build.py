"""Builds both functions and SAM's copy of the template."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

from tools import ROOT, bin_of, say, script

FUNCTIONS = ("ingest-fn", "process-fn")
HOST = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
"""This machine's architecture, which the local AWS runs."""

LOCAL = ROOT / ".local" / "build"
"""Where builds for the local AWS go. Builds for AWS have SAM's own folder, so that the two never mix."""

AWS = ROOT / ".aws-sam" / "build"

QUICK = {"CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16"}
"""Leaves out what makes the binaries small and their build long."""


def environment() -> dict[str, str]:
    """This process's environment with the pinned tools first on the path."""
    path = os.pathsep.join([str(bin_of("sam")), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0"}


def build(*, quick: bool, architecture: str = HOST) -> Path:
    """Builds, quickly for the local AWS or well for the real one, and returns the folder with the built template.

    Another architecture than this machine's needs its Rust target installed.
    """
    folder = LOCAL if quick else AWS
    settings = environment() | (QUICK if quick else {})
    first = "" if (ROOT / "target" / "lambda").exists() else ", the first time about 5 minutes"
    say(f"building the functions ({'quick' if quick else 'optimised, about 5 minutes'}{first if quick else ''})")

    # `sam build` runs the very same commands, but shows nothing while they run.
    flags = ["--arm64"] if architecture == "arm64" else []
    for function in FUNCTIONS:
        command = ["cargo", "lambda", "build", "--release", "--locked", "--quiet", *flags, "--bin", function]
        if sys.stderr.isatty():
            command.remove("--quiet")
        subprocess.run(command, cwd=ROOT / function, env=settings, check=True)

    command = ["sam", "build", "--build-dir", str(folder), "--parameter-overrides", f"Architecture={architecture}"]
    made = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
    if made.returncode:
        sys.exit(f"{made.stdout}{made.stderr}\nerror: sam build failed")
    return folder


def main() -> None:
    """Builds for AWS, or quickly for a local try."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="for the local AWS: without link-time optimisation")
    quick = parser.parse_args().quick
    build(quick=quick, architecture=HOST if quick else os.environ.get("ARCH") or HOST)


if __name__ == "__main__":
    script(main)
