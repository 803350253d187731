"""Whether the pages cite only what is there: files, tests, make targets, links and anchors. `make lint` runs it.

It reads README.md, CHANGELOG.md and docs/*.md. Whoever moves a file or renames a test corrects the pages in the same commit.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools import ROOT

SKIPPED = {"target", "node_modules", "__pycache__"}
"""Folders that hold nothing of ours. So do hidden ones, but for two."""
HIDDEN = {".ci", ".github"}

CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
SOURCE = re.compile(r".*\.(?:rs|py|toml|yaml)")
CITED = re.compile(r"`([\w./-]+\.(?:rs|py))`:? *\(?((?:`\w+`(?:, | and |,? )?)+)")
NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+")
DEFINED = re.compile(r"""\b(?:fn|def) (\w+)|["'](\w+)["']""")
"""What a name of four words or more must be: a test, or a text such as a reason in the log."""
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TARGET = re.compile(r"\bmake ([a-z]+)\b")


class Tree:
    """The files of a repository, and what is defined in them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = set(self._walk())
        self.folders = {folder for file in self.files for folder in map(str, Path(file).parents)}
        self.top = {path.split("/")[0] for path in self.files}
        makefile = root / "Makefile"
        self.targets = set(re.findall(r"^([a-z]+):", makefile.read_text(), re.MULTILINE)) if makefile.exists() else set()

    def _walk(self) -> Iterator[str]:
        for folder, below, names in os.walk(self.root):
            below[:] = [name for name in below if name not in SKIPPED and (not name.startswith(".") or name in HIDDEN)]
            for name in names:
                yield (Path(folder) / name).relative_to(self.root).as_posix()

    @cache
    def text(self, path: str) -> str:
        """The text of one file."""
        return (self.root / path).read_text(errors="replace")

    @cache
    def sources(self) -> str:
        """Everything that is no page."""
        kinds = (".rs", ".py", ".yaml", ".toml", ".json", ".patch")
        return "\n".join(self.text(path) for path in sorted(self.files) if path.endswith(kinds))

    @cache
    def words(self) -> set[str]:
        """Every word of the sources."""
        return set(re.findall(r"\w+", self.sources()))

    @cache
    def defined(self) -> set[str]:
        """Every function and every quoted word of the sources."""
        return {name for found in DEFINED.findall(self.sources()) for name in found}

    def has(self, path: str) -> bool:
        """Whether there is such a file or folder; `*` stands for anything. A source file may be cited by the end of its path."""
        path = path.rstrip("/")
        if path in self.files or path in self.folders:
            return True
        if "*" in path:
            return any(self.root.glob(path))
        return SOURCE.fullmatch(path) is not None and any(file.endswith(f"/{path}") for file in self.files)

    def defines(self, path: str, name: str) -> bool:
        """Whether a source file has a function of this name."""
        found = [path] if path in self.files else [file for file in self.files if file.endswith(f"/{path}")]
        return any(re.search(rf"\b(?:fn|def) {name}\b", self.text(file)) for file in found)


def anchors(text: str) -> set[str]:
    """The anchors of a page: of its headings, as GitHub makes them, and its own."""
    found, seen = set(re.findall(r'<a id="([^"]+)">', text)), {}
    for heading in re.findall(r"^#+ +(.+?) *$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        seen[slug] = seen.get(slug, -1) + 1
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
    return found


def is_path(word: str, tree: Tree) -> bool:
    """Whether a word in code is meant as a path of this repository."""
    if not PATH.fullmatch(word) or word.startswith("*"):
        return False
    first, has_folder = word.split("/")[0], "/" in word.rstrip("/")
    return (first in tree.top and ("/" in word or "." in word)) or (SOURCE.fullmatch(word) is not None and (has_folder or word.endswith((".rs", ".py"))))


def wrong(page: str, tree: Tree) -> Iterator[str]:
    """What one page cites and is not there, a line each."""
    text = tree.text(page)
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"\n(?=[^\n|#])\s*", " ", prose)
    words = CODE.findall(prose)
    for word in words:
        if is_path(word, tree) and not tree.has(word):
            yield f"there is no file or folder `{word}`"
        if NAME.fullmatch(word) and word not in (tree.defined() if word.count("_") > 2 else tree.words()):
            like = difflib.get_close_matches(word, tree.defined(), n=1, cutoff=0.7)
            yield f"nothing in the sources is called `{word}`{f'; is it `{like[0]}` now?' if like else ''}"
    for path, names in CITED.findall(prose):
        for name in re.findall(r"`(\w+)`", names):
            if NAME.fullmatch(name) and tree.has(path) and not tree.defines(path, name):
                yield f"`{path}` has no test `{name}`"
    for target in TARGET.findall("\n".join(words + blocks)):
        if target not in tree.targets:
            yield f"there is no `make {target}`"
    for link in LINK.findall(prose):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        to = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if not (tree.root / to).exists():
            yield f"the link ({link}) leads nowhere"
        elif anchor and anchor not in anchors(tree.text(to)):
            yield f"the link ({link}) leads to no heading of {to}"


def check(root: Path) -> list[str]:
    """What is wrong in all pages, a line each."""
    tree = Tree(root)
    pages = [page for page in sorted(tree.files) if page in ("README.md", "CHANGELOG.md") or re.fullmatch(r"docs/[^/]+\.md", page)]
    return [f"{page}: {one}" for page in pages for one in dict.fromkeys(wrong(page, tree))]


def main() -> None:
    """Checks the pages of this repository."""
    if found := check(ROOT):
        listed = "\n".join(f"  {one}" for one in found)
        sys.exit(f"error: the pages cite what is not there (moved or renamed? correct the page in the same commit):\n{listed}")


if __name__ == "__main__":
    main()
