"""What the check of the pages finds, and what it leaves alone."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import pages

FILES = {
    "Makefile": "test: tools ## everything\n",
    "shared/src/lib.rs": "mod one;\n",
    "shared/src/one.rs": 'fn it_holds_in_the_end() {} const REASON: &str = "no_event_name";\n',
    "scripts/tests/test_it.py": "def test_it_is_so() -> None: ...\n",
    "docs/OTHER.md": "# Other\n\n## A part, of `it`\n\n```\n# no heading\n```\n",
}


class Pages(unittest.TestCase):
    """One page in a small repository."""

    def check(self, page: str, *expected: str) -> None:
        """Compares what is found in a page with what should be, by the words between the backticks or parentheses."""
        with tempfile.TemporaryDirectory() as folder:
            for path, text in (FILES | {"docs/PAGE.md": page}).items():
                file = Path(folder) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            found = pages.check(Path(folder))
        self.assertEqual(len(found), len(expected), found)
        for line, part in zip(found, expected, strict=True):
            self.assertIn(part, line)
            self.assertTrue(line.startswith("docs/PAGE.md: "), line)

    def test_what_is_there_is_left_alone(self) -> None:
        self.check("`shared/src/one.rs`: `it_holds_in_the_end`; `shared/`, `src/one.rs`, `scripts/tests/*.py`, `no_event_name`")
        self.check("`make test`, [a part](OTHER.md#a-part-of-it), [here](#here), [out](https://example.org/x#y)\n\n# Here\n")
        self.check("`quarantine/`, `a/b/<c>`, `meetstream/*`, `state_of`, `test_it_is_so`")

    def test_what_is_not_there_is_found(self) -> None:
        self.check("`shared/src/two.rs`", "`shared/src/two.rs`")
        self.check("`two.rs` and `shared/gone/`", "`two.rs`", "`shared/gone/`")
        self.check("`it_holds_no_longer`", "`it_holds_no_longer`")
        self.check("`shared/src/lib.rs`:\n`it_holds_in_the_end`", "`shared/src/lib.rs` has no test `it_holds_in_the_end`")
        self.check("| cell | `shared/src/lib.rs`: `test_it_is_so` |", "`shared/src/lib.rs` has no test `test_it_is_so`")
        self.check("```sh\nmake nothing\n```\nMake do; `make never STACK=x`", "`make never`", "`make nothing`")
        self.check("[a](GONE.md) [b](OTHER.md#no-heading) [c](#gone)", "(GONE.md)", "(OTHER.md#no-heading)", "(#gone)")
