"""What the check of the pages finds and leaves alone; and pages that must agree with the template, the scripts and the schemas."""

from __future__ import annotations

import json
import re
import tempfile
import unittest
from pathlib import Path

import pages
import parameters
import secret
from tools import ROOT

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
        """Compares what is found in a page with what should be, line by line."""
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
        self.check("`quarantine/`, `a/b/<c>`, `meetstream/*`, `REASON`, `test_it_is_so`")

    def test_what_is_not_there_is_found(self) -> None:
        self.check("`shared/src/two.rs`", "`shared/src/two.rs`")
        self.check("`two.rs` and `shared/gone/`", "`two.rs`", "`shared/gone/`")
        self.check("`it_holds_to_the_end`, `no_name`", "`it_holds_to_the_end`; is it `it_holds_in_the_end` now?", "`no_name`")
        self.check("`shared/src/lib.rs`:\n`it_holds_in_the_end`", "`shared/src/lib.rs` has no test `it_holds_in_the_end`")
        self.check("| cell | `shared/src/lib.rs`: `test_it_is_so` |", "`shared/src/lib.rs` has no test `test_it_is_so`")
        self.check("```sh\nmake nothing\n```\nMake do; `make never STACK=x`", "`make never`", "`make nothing`")
        self.check("[a](GONE.md) [b](OTHER.md#no-heading) [c](#gone)", "(GONE.md)", "(OTHER.md#no-heading)", "(#gone)")


class Agreement(unittest.TestCase):
    """What pages say in tables and samples."""

    def test_every_setting_is_on_the_configuration_page_with_its_default(self) -> None:
        template = parameters.load(ROOT / "template.yaml")["Parameters"]
        page = (ROOT / "docs" / "CONFIGURATION.md").read_text().split("\n## ")
        settings, credentials = (next(part for part in page if part.startswith(name)) for name in ("Settings", "Credentials"))
        said = {}
        for names, defaults in re.findall(r"^\| (`[A-Z]\w+`(?:, `[A-Z]\w+`)*) \| ([^|]*)\|", settings, re.MULTILINE):
            each = [re.sub(r" \(.*\)|`", "", one).strip() for one in defaults.split(",")]
            listed = names.replace("`", "").split(", ")
            said |= dict(zip(listed, each if len(each) == len(listed) else each * len(listed), strict=True))
        self.assertEqual(said.keys(), template.keys())
        for name, default in said.items():
            if default not in ("", "the providers'"):
                self.assertEqual("" if default == "none" else default, str(template[name]["Default"]), name)
        self.assertEqual(set(re.findall(r"^\| `([a-z_]+)` \|", credentials, re.MULTILINE)), secret.RANDOM.keys())

    def test_the_sample_event_has_the_form_of_its_schema(self) -> None:
        page = (ROOT / "docs" / "CONSUMING.md").read_text()
        event = json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
        schema = json.loads((ROOT / "docs" / "schemas" / f"{event['detail-type']}.json").read_text())
        self.assertEqual(event["source"], "rollcall")
        self.assertLessEqual(set(schema["required"]), event["detail"].keys())
        for name, value in event["detail"].items():
            rule = schema["properties"][name]
            self.assertIn(value, rule.get("enum", [value]))
            self.assertRegex(str(value), rule.get("pattern", "."))
