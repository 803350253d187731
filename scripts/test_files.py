"""Runs test files of the workspace beside each other: most of their tests wait more than they work."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tools import ROOT

APART = (
    *("providers", "rollcall_artifacts", "binaries", "real", "in_process", "deletion", "replay", "memory", "artifacts"),
    *("alarms", "archive", "bill", "checked", "contracts", "mutants"),
)
"""The files whose tests share nothing: they make tables, buckets and queues of their own, or need none. The longest first."""


def shared_files() -> list[str]:
    """Every other test file of the workspace, fuzzing apart: the stack that these tests share takes one at a time."""
    found = {file.stem for file in (*ROOT.glob("*/tests/*.rs"), *ROOT.glob("testing/*/tests/*.rs"))}
    assert found >= set(APART), f"no such test file: {set(APART) - found}"
    return sorted(found - set(APART))


def run(groups: Iterable[Sequence[str]], at_a_time: int, outputs: Path, *arguments: str) -> Iterator[tuple[Sequence[str], str]]:
    """Runs the files of each group one after the other, and some groups beside each other, with the deployment that `outputs` describes.

    Yields each group with what the test runners printed, as it ends.

    Raises:
        AssertionError: with what a group printed that failed, or that had no test.
    """
    variables = {**os.environ, "ROLLCALL_OUTPUTS": str(outputs)}

    def run_one(files: Sequence[str]) -> subprocess.CompletedProcess[str]:
        named = [word for file in files for word in ("--test", file)]
        command = ["cargo", "test", "--workspace", "--locked", *named, *arguments]
        return subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    with ThreadPoolExecutor(at_a_time) as pool:
        running = {pool.submit(run_one, files): files for files in groups}
        for ended in as_completed(running):
            files, made = running[ended], ended.result()
            if made.returncode or not passed(made.stdout):
                pool.shutdown(cancel_futures=True)
                raise AssertionError(f"{', '.join(files)} failed, or had no test:\n{made.stdout}")
            yield files, made.stdout


def passed(printed: str) -> int:
    """How many tests passed, by what the test runners printed."""
    return sum(int(count) for count in re.findall(r"^test result: ok\. (\d+) passed", printed, re.MULTILINE))
