"""Which local stack a command gets, and what becomes of a stack that was up before."""

from __future__ import annotations

import io
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

import stack
from local_aws import LocalAws


class LocalStack(unittest.TestCase):
    """`here`, `up` and `run`, with a local AWS that runs or does not and is never started."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / ".local"
        self.folder.mkdir()
        self.running: str | None = None
        for patch in (
            mock.patch.object(stack, "ROOT", Path(folder.name)),
            mock.patch.object(LocalAws, "identity", lambda _: self.running),
            mock.patch.object(stack.Stack, "up", return_value={"webhook_url": "http://h"}),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def test_the_port_of_the_last_stack_is_the_usual_one(self) -> None:
        self.assertEqual(stack.here(None).aws.port, 4566)
        (self.folder / "port").write_text("4600")
        self.assertEqual((stack.here(None).aws.port, stack.here(4700).aws.port), (4600, 4700))
        self.running = "1 2"
        self.assertEqual(stack.here(None).aws.port, 4600)
        with self.assertRaisesRegex(SystemExit, "runs on port 4600"):
            stack.here(4700)

    def test_data_that_is_gone_is_mentioned(self) -> None:
        for outputs, running, is_mentioned in [(False, None, False), (True, "1 2", False), (True, None, True)]:
            self.running = running
            (self.folder / "outputs.json").unlink(missing_ok=True)
            if outputs:
                (self.folder / "outputs.json").write_text("{}")
            with redirect_stdout(io.StringIO()) as told:
                stack.up(stack.here(None))
            self.assertEqual("are gone" in told.getvalue(), is_mentioned, (outputs, running))

    def test_run_ends_only_what_it_started(self) -> None:
        for running, ends in [("1 2", False), (None, True)]:
            self.running = running
            with (
                mock.patch.object(stack.subprocess, "run"),
                mock.patch.object(stack.signal, "pause", side_effect=KeyboardInterrupt),
                mock.patch.object(stack.Stack, "down") as down,
                mock.patch.object(stack.build, "DEBUG", self.folder.parent),
                redirect_stdout(io.StringIO()),
            ):
                stack.run(stack.here(None))
            self.assertEqual(down.called, ends)


if __name__ == "__main__":
    unittest.main()
