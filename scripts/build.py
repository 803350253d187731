"""Builds both functions: for AWS with cargo-lambda and SAM, or for this machine as the tests do."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tools import ROOT, bin_of, say, script

FUNCTIONS = {"IngestFunction": "ingest-fn", "ProcessFunction": "process-fn"}
"""The package of each function of the template."""

HOST = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
"""This machine's architecture, which the local AWS runs."""

DEBUG = ROOT / "target" / "debug"
"""Where cargo puts programs that are built for this machine."""

LOCAL = ROOT / ".local" / "build"
"""Where builds for the local AWS go. Builds for AWS have SAM's own folder, so that the two never mix."""

AWS = ROOT / ".aws-sam" / "build"


def environment() -> dict[str, str]:
    """This process's environment with the pinned tools first on the path."""
    path = os.pathsep.join([str(bin_of("sam")), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0"}


def for_this_machine(*targets: str) -> Path:
    """Builds the programs of the workspace without optimisation, and returns the folder with a template of built functions.

    `targets` are cargo's; the tests build theirs at the same time, so that no dependency is compiled twice.
    """
    first = "" if DEBUG.exists() else ", the first time about 3 minutes"
    say(f"building the functions and the rollcall command{first}")
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    subprocess.run(["cargo", "build", "--locked", *quiet, "--workspace", *(targets or ["--bins"])], cwd=ROOT, check=True)
    template = (ROOT / "template.yaml").read_text()
    for function, package in FUNCTIONS.items():
        (LOCAL / function).mkdir(parents=True, exist_ok=True)
        shutil.copy(DEBUG / package, LOCAL / function / "bootstrap")
        template = template.replace(f"CodeUri: {package}/", f"CodeUri: {function}")
    (LOCAL / "template.yaml").write_text(template)
    return LOCAL


def for_aws(architecture: str = HOST) -> Path:
    """Builds the functions as they are deployed, and returns the folder with SAM's built template.

    Another architecture than this machine's needs its Rust target installed.
    """
    say("building the functions, optimised (about 5 minutes)")
    # `sam build` runs the very same commands, but shows nothing while they run.
    for package in FUNCTIONS.values():
        cargo_lambda(ROOT / package, architecture)
    command = ["sam", "build", "--build-dir", str(AWS), "--parameter-overrides", f"Architecture={architecture}"]
    made = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    if made.returncode:
        sys.exit(f"{made.stdout}{made.stderr}\nerror: sam build failed")
    return AWS


def cargo_lambda(folder: Path, architecture: str = HOST, **variables: str) -> None:
    """Builds the programs of one package for Lambda, into target/lambda.

    Each package alone: together, Cargo would unite their features, and each would carry what only another needs.
    """
    flags = ["--arm64"] if architecture == "arm64" else []
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    command = ["cargo", "lambda", "build", "--release", "--locked", *quiet, *flags]
    subprocess.run(command, cwd=folder, env=environment() | variables, check=True)


def main() -> None:
    """Builds for AWS."""
    for_aws(os.environ.get("ARCH") or HOST)


if __name__ == "__main__":
    script(main)
