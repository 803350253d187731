"""What is not the local AWS, so that its mistakes are not ours: part of `make test`.

moto plays the table, the bucket and the queues, for the adapters' contracts and for the tests of the real binaries; dynalite plays the
table alone, for its contract. Where one of them is known not to do what AWS documents, `lacks` tells the tests, which name the page:
moto deduplicates over the whole queue, whatever its scope, and forgets an id with its message, and takes every character; dynalite
does not tell which item was in a write's way.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import test_files
from local_aws import free_port, without_aws
from tools import ROOT, TOOLS, bin_of, ensure_others, node_of, say, script

FOLDER = ROOT / ".local" / "others"

WITH_MOTO = ("contracts", "archive", "binaries", "artifacts", "deletion", "memory", "replay")
"""Test files of e2e: the contracts, and what drives the real binaries over a scratch of its own."""

TOO_SLOW = ("a_body_of_4_mb_is_taken_and_processed",)
"""Left out over moto: it takes longer to store 4 MB, with other tests beside it, than the 4.6 seconds that ingest has."""

AT_A_TIME = 4
"""Test files beside each other."""


@contextmanager
def serving(name: str, *command: str | Path, port: int) -> Iterator[str]:
    """Runs a server on a port of the loopback interface, and says where."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=without_aws(os.environ))
    try:
        for _ in range(300):
            if answers(port):
                yield f"http://127.0.0.1:{port}"
                return
            if process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"{name} did not start:\n{(FOLDER / f'{name}.log').read_text()[-2000:]}")
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    """Whether something speaks HTTP there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://127.0.0.1:{port}/", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test(name: str, endpoint: str, lacks: list[str], files: Iterable[str], *arguments: str) -> None:
    """Runs test files against an implementation. What fails is shown."""
    outputs = FOLDER / f"{name}.json"
    outputs.write_text(json.dumps({"endpoint_url": endpoint, "region": "us-east-1", "lacks": lacks}))
    for (file,), printed in test_files.run([(file,) for file in files], AT_A_TIME, outputs, *arguments):
        print(f"{file}: {test_files.passed(printed)} passed over {name}", flush=True)


def skipped(names: Iterable[str]) -> list[str]:
    """The arguments that leave tests out."""
    return ["--", *(word for name in names for word in ("--skip", name))]


def main() -> None:
    """Runs the tests over both."""
    ensure_others()
    port = free_port()
    say("the adapters' contracts and the real binaries over moto")
    with serving("moto", bin_of("others") / "moto_server", "--host", "127.0.0.1", "--port", str(port), port=port) as endpoint:
        test("moto", endpoint, ["dedup by group", "dedup of what is gone", "forbidden characters"], WITH_MOTO, *skipped(TOO_SLOW))
    say("the table's contract over dynalite")
    dynalite = TOOLS / "dynalite" / "node_modules" / "dynalite" / "cli.js"
    command = (node_of("others"), dynalite, "--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0")
    with serving("dynalite", *command, port=port) as endpoint:
        test("dynalite", endpoint, ["item in the way"], ["contracts"], "--", "the_table")


if __name__ == "__main__":
    script(main, AssertionError)
