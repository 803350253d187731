"""Everything, in the order in which it fails fastest: `make test`.

The deployed part runs against a stack of its own, on a free port and in a folder of its own, which is ended whatever
happens. `make up`'s stack, if there is one, is left alone. What needs no such stack runs beside it, because most of its tests wait.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import bench
import build
import doctor
import lint
import official_clients
import others
import planted
import sam_local_invoke
import test_files
from docker_engine import NoDocker
from local_aws import LocalAws, free_port
from stack import PORTS, Stack
from tools import ROOT, say, script

# What a function that is killed in the middle leaves behind comes again within a test's time.
PARAMETERS = {"ProcessTimeoutSeconds": "10", "EventsVisibilitySeconds": "60"}


def cargo(*arguments: str) -> None:
    """Runs cargo in the workspace, its output as it comes."""
    subprocess.run(["cargo", *arguments, "--locked"], cwd=ROOT, check=True)


def containers(stack: Stack) -> None:
    """`sam local invoke` of both functions, or a loud word that it was left out."""
    try:
        sam_local_invoke.check(stack)
    except NoDocker as reason:
        if os.environ.get("ROLLCALL_REQUIRE_DOCKER") == "1":
            sys.exit(f"error: sam local invoke needs Docker: {reason}")
        print(f"\n{'!' * 100}\n!! SKIPPED: sam local invoke of both functions ({reason})\n{'!' * 100}\n", flush=True)


def scripts() -> None:
    """The scripts of this folder: bad input, and a stack's whole life on a local AWS of its own. What SAM says goes to a file."""
    say("tests of the scripts, from the first deploy to the last")
    log = ROOT / ".local" / "test-scripts.log"
    command = [sys.executable, "-m", "unittest", "discover", "--start-directory", "scripts/tests", "--top-level-directory", "scripts"]
    with log.open("w") as file:
        made = subprocess.run(command, cwd=ROOT, env={**os.environ, "ROLLCALL_BUILT": "1"}, stdout=file)
    if made.returncode:
        sys.exit(f"error: the scripts' tests failed; what they printed is in {log.relative_to(ROOT)}")


def beside() -> None:
    """What the tests of the deployed pipeline leave time for."""
    build.for_aws()
    bench.build_measured(bench.FLOOR)
    scripts()
    others.main()
    official_clients.main([])


@contextmanager
def running_beside() -> Iterator[None]:
    """Runs `beside` in a process of its own, which gives way to others, and shows at the end what it printed."""
    log = ROOT / ".local" / "test-beside.log"
    command = [sys.executable, __file__, "--beside"]
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=lambda: os.nice(10)
        )
    try:
        yield
        say(f"waiting for what runs beside; what it prints is in {log.relative_to(ROOT)} meanwhile")
        ended = process.wait()
        print(log.read_text(), flush=True)
        if ended:
            sys.exit(f"error: see above, or in {log.relative_to(ROOT)}")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def main() -> None:
    """Runs everything; the first failure ends it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--beside", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().beside:
        beside()
        return

    lint.main()
    # Programs and tests together: apart, cargo would compile most dependencies twice, for features that only tests ask for.
    build.for_this_machine("--all-targets")
    say("unit and property tests")
    cargo("test", "--workspace", "--lib", "--bins")
    cargo("test", "--workspace", "--doc")

    stack = Stack(LocalAws(ROOT / ".local" / "test", free_port(run=PORTS)), PARAMETERS, targets=("--all-targets",))
    stack.down()  # what a run left behind that was killed
    try:
        with running_beside():
            stack.up()
            say("tests of the deployed pipeline, and of the real binaries")
            doctor.check(stack)  # first, because it wants a fresh stack to itself
            groups = [test_files.shared_files(), *([file] for file in test_files.APART)]
            for _, printed in test_files.run(groups, 2, stack.outputs_file):
                print(printed, flush=True)
        containers(stack)
    finally:
        stack.down()

    planted.main([])  # alone: what it builds takes the place of the workspace's own programs and tests

    say("size and speed")
    bench.bars()
    say("all passed")


if __name__ == "__main__":
    script(main, AssertionError)
