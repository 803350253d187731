"""Import circles are found in made-up workspaces, and nothing that is none is taken for one."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import circles


class Circles(unittest.TestCase):
    """`circles.check` over a workspace of one crate."""

    def check(self, files: dict[str, str], known: set[str] = frozenset(), crate: str = "shared") -> list[str]:
        """What is wrong with a crate that has these files in `src`."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "Cargo.toml").write_text(f'[workspace]\nmembers = ["{crate}"]\n')
            for name, text in files.items():
                file = root / crate / "src" / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            return circles.check(root, set(known))

    def assert_circle(self, wrong: list[str], *words: str) -> None:
        """One circle was found, and these words describe it."""
        self.assertEqual(len(wrong), 1, wrong)
        for word in words:
            self.assertIn(word, wrong[0])

    LIB = "mod a;\nmod b;\n"

    def test_two_files_that_need_each_other(self) -> None:
        ways = {
            "by the crate": "use crate::b::{Bee, other::Thing};",
            "by the parent": "use super::b::Bee;",
            "in a function": "fn f() { use crate::b::Bee; }",
            "by a path in the code": "fn f() -> crate::b::Bee { todo!() }",
            "by the module's name": "use crate::b;\nfn f() -> b::Bee { todo!() }",
            "by another name": "use crate::b as c;\nfn f() -> c::Bee { todo!() }",
            "by all names": "use crate::b::*;\nstruct Bee;",
            "in a module inside the file": "mod inner { use super::super::b::Bee; }",
            "after texts that look like comments": 'const A: &str = "//"; const B: char = \'"\'; const C: &str = r#" " /* "#;\nuse crate::b::Bee;',
        }
        for name, text in ways.items():
            with self.subTest(name):
                wrong = self.check({"lib.rs": self.LIB, "a.rs": text + "\npub struct Ay;", "b.rs": "use crate::a::Ay;\npub struct Bee;"})
                self.assert_circle(wrong, "shared: import circle between files", "b.rs takes Ay from a.rs", "a.rs takes ", circles.WAY_OUT)

    def test_a_name_belongs_to_the_file_that_defines_it(self) -> None:
        facade = "mod inner;\nmod other;\npub use inner::Inner;\npub use other::Other;\n"
        apart = {"lib.rs": "pub mod a;\npub use a::Inner;", "a.rs": facade, "a/inner.rs": "pub struct Inner;", "a/other.rs": "use super::Inner;\npub struct Other;"}
        self.assertEqual(self.check(apart), [])
        tied = {**apart, "a/inner.rs": "use crate::a::Other;\npub struct Inner;"}
        self.assert_circle(self.check(tied), "a/inner.rs takes Other from a/other.rs", "a/other.rs takes Inner from a/inner.rs")
        used = {**apart, "a.rs": facade + "pub struct Outer(Other);", "a/other.rs": "use super::Outer;\npub struct Other;"}
        self.assert_circle(self.check(used), "a.rs takes Other from a/other.rs", "a/other.rs takes Outer from a.rs")

    def test_a_circle_of_three_names_its_shortest_way_and_the_rest(self) -> None:
        wrong = self.check(
            {
                "lib.rs": self.LIB + "mod c;\nmod d;",
                "a.rs": "use crate::b::Bee;\npub struct Ay;",
                "b.rs": "use crate::c::See;\npub struct Bee;",
                "c.rs": "use crate::{a::Ay, d::Dee};\npub struct See;",
                "d.rs": "use crate::c::See;\npub struct Dee;",
            }
        )
        self.assert_circle(wrong, "c.rs takes Dee from d.rs; d.rs takes See from c.rs", "in the same knot: a.rs, b.rs")

    def test_what_is_no_import_counts_for_nothing(self) -> None:
        ways = {
            "a comment": "// use crate::b::Bee;\n/* crate::b::Bee */ /// [`crate::b::Bee`]",
            "a text": 'const TEXT: &str = "use crate::b::Bee;";\nconst RAW: &str = r#"crate::b::Bee""#;',
            "tests": "#[cfg(test)]\n#[expect(unused)]\nmod tests { use crate::b::Bee; }",
            "a file of tests": "#[cfg(test)]\nmod tests;",
            "an import for tests": "#[cfg(test)]\nuse crate::b::{Bee};",
            "a function for tests": "#[cfg(all(test, unix))]\nfn f(_: [u8; 2]) -> crate::b::Bee { todo!() }",
            "another crate": "use bee::b::Bee;\nuse ::b::Bee as Bee2;",
            "what a type captures": "pub fn f() -> impl Sized + use<> {}",
        }
        for name, text in ways.items():
            with self.subTest(name):
                files = {"lib.rs": self.LIB, "a.rs": text + "\npub struct Ay;", "a/tests.rs": "use crate::b::Bee;", "b.rs": "use crate::a::Ay;\npub struct Bee;"}
                self.assertEqual(self.check(files), [])

    FOLDERS = {
        "lib.rs": LIB,
        "a.rs": "mod one;\nmod two;\npub use one::One;\npub use two::Two;",
        "a/one.rs": "use crate::b::Bee;\npub struct One;",
        "a/two.rs": "pub struct Two;",
        "b.rs": "use crate::a::Two;\npub struct Bee;",
    }

    def test_folders_form_a_circle_where_no_files_do(self) -> None:
        for crate in ("shared", "testing/bench"):
            wrong = self.check(self.FOLDERS, crate=crate)
            self.assert_circle(wrong, f"{crate}: import circle between folders", "a takes Bee from b", "b takes Two from a")

    def test_files_of_one_folder_are_free_only_outside_of_the_product(self) -> None:
        files = {"lib.rs": self.LIB, "a.rs": "use crate::b::Bee;\npub struct Ay;", "b.rs": "use crate::a::Ay;\npub struct Bee;"}
        self.assertEqual(self.check(files, crate="testing/bench"), [])
        self.assertEqual(len(self.check(files, crate="cli")), 1)

    def test_the_list_of_known_circles_only_shrinks(self) -> None:
        files = {"lib.rs": self.LIB, "a.rs": "use crate::b::Bee;\npub struct Ay;", "b.rs": "use crate::a::Ay;\npub struct Bee;"}
        known = {"shared/src/a", "shared/src/b"}
        self.assertEqual(self.check(files, known), [])
        self.assertEqual(self.check(files, {"shared/src"}), [], "whatever lies in a known folder")
        self.assertEqual(len(self.check(files, {"shared/src/a"})), 1, "a file that is new in a circle")
        files["a.rs"] = "pub struct Ay;"
        self.assert_circle(self.check(files, {"shared/src/a"}), "shared/src/a has no import circle any more")

    def test_a_file_that_cannot_be_read_is_named(self) -> None:
        for broken in ("use crate::{\n<<<<<<< HEAD\n    b::Bee,\n};", "use ;", "use crate::b::{Bee"):
            with self.subTest(broken), self.assertRaisesRegex(SystemExit, "a.rs cannot be read"):
                self.check({"lib.rs": self.LIB, "a.rs": broken, "b.rs": "pub struct Bee;"})


if __name__ == "__main__":
    unittest.main()
