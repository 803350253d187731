"""Everything, in the order in which it fails fastest: `make test`.

The deployed part runs against a stack of its own, on a free port and in a folder of its own, which is ended whatever
happens. `make up`'s stack, if there is one, is left alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bench
import build
import doctor
import lint
import others
import planted
import sam_local_invoke
from docker_engine import NoDocker
from local_aws import LocalAws, free_port
from stack import PORTS, Stack
from tools import ROOT, say, script

# What a function that is killed in the middle leaves behind comes again within a test's time.
PARAMETERS = {"ProcessTimeoutSeconds": "10", "EventsVisibilitySeconds": "60"}


def cargo(*arguments: str, **variables: str) -> None:
    """Runs cargo in the workspace, its output as it comes."""
    subprocess.run(["cargo", *arguments, "--locked"], cwd=ROOT, env={**os.environ, **variables}, check=True)


def containers(stack: Stack) -> None:
    """`sam local invoke` of both functions, or a loud word that it was left out."""
    try:
        sam_local_invoke.check(stack)
    except NoDocker as reason:
        if os.environ.get("ROLLCALL_REQUIRE_DOCKER") == "1":
            sys.exit(f"error: sam local invoke needs Docker: {reason}")
        print(f"\n{'!' * 100}\n!! SKIPPED: sam local invoke of both functions ({reason})\n{'!' * 100}\n", flush=True)


def scripts(built: Path) -> None:
    """The scripts of this folder: bad input, and a stack's whole life on a local AWS of its own. What SAM says goes to a file."""
    say("tests of the scripts, from the first deploy to the last")
    log = ROOT / ".local" / "test-scripts.log"
    command = [sys.executable, "-m", "unittest", "discover", "--start-directory", "scripts/tests", "--top-level-directory", "scripts"]
    variables = {"ROLLCALL_BUILT": str(built), "ROLLCALL_COMMAND": str(ROOT / "target" / "debug" / "rollcall")}
    with log.open("w") as file:
        made = subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, stdout=file)
    if made.returncode:
        sys.exit(f"error: the scripts' tests failed; what they printed is in {log.relative_to(ROOT)}")


def main() -> None:
    """Runs everything; the first failure ends it."""
    lint.main()

    say("unit and property tests")
    cargo("test", "--workspace", "--lib")

    stack = Stack(LocalAws(ROOT / ".local" / "test", free_port(run=PORTS)), PARAMETERS)
    stack.down()  # what a run left behind that was killed
    try:
        stack.up()
        say("building the real binaries, and tests of the deployed pipeline")
        cargo("build", "--workspace", "--bins")
        doctor.check(stack)  # first, because it wants a fresh stack to itself
        # Everything, and with it the unit tests once more: any other choice of packages would be built anew.
        cargo("test", "--workspace", ROLLCALL_OUTPUTS=str(stack.outputs_file))
        containers(stack)
        scripts(build.LOCAL)
    finally:
        stack.down()

    others.main()
    planted.main([])

    say("size and speed")
    bench.bars()
    say("all passed")


if __name__ == "__main__":
    script(main, AssertionError)
