"""The adapters' contracts over implementations that are not the local AWS: part of `make test`.

moto plays the table, the bucket and the queues, and dynalite the table alone. Where one of them is known not to do what AWS
documents, `lacks` tells the tests, which name the page: moto deduplicates over the whole queue, whatever its scope, and forgets an id
with its message, and takes every character; dynalite does not tell which item was in a write's way.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_aws import free_port, without_aws
from tools import ROOT, TOOLS, bin_of, ensure_others, node_of, say, script

FOLDER = ROOT / ".local" / "others"

WITH_MOTO = ("contracts", "archive")
"""Test files of e2e with the contracts."""


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


def test(name: str, endpoint: str, lacks: list[str], *arguments: str) -> None:
    """Runs tests against an implementation, of the packages that are built already."""
    outputs = FOLDER / f"{name}.json"
    outputs.write_text(json.dumps({"endpoint_url": endpoint, "region": "us-east-1", "lacks": lacks}))
    command = ["cargo", "test", "--workspace", "--locked", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "ROLLCALL_OUTPUTS": str(outputs)}, check=True)


def main() -> None:
    """Runs the contracts over both."""
    ensure_others()
    port = free_port()
    say("the adapters' contracts over moto")
    with serving("moto", bin_of("others") / "moto_server", "--host", "127.0.0.1", "--port", str(port), port=port) as endpoint:
        test("moto", endpoint, ["dedup by group", "dedup of what is gone", "forbidden characters"], *(word for name in WITH_MOTO for word in ("--test", name)))
    say("the table's contract over dynalite")
    dynalite = TOOLS / "dynalite" / "node_modules" / "dynalite" / "cli.js"
    command = (node_of("others"), dynalite, "--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0")
    with serving("dynalite", *command, port=port) as endpoint:
        test("dynalite", endpoint, ["item in the way"], "--test", "contracts", "--", "the_table")


if __name__ == "__main__":
    script(main, AssertionError)
