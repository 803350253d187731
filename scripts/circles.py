"""Import circles between the source files of this workspace; part of `make lint`.

Two files form a circle if each needs a name that the other defines, directly or by way of further files: neither can be read, moved
or tested without the other. In a crate of the product (`PRODUCT`) no files may form one. In every crate no folders may: a folder is
a directory together with the file of its name (`session.rs` and `session/`), and the files that lie beside folders count too.

What is read: `use` declarations and paths such as `crate::time::ReceivedAt` or `super::Session` in code. A name that a module
only passes on (`pub use`) belongs to the file that defines it, so a `lib.rs` or `session.rs` that publishes the names of its
children is tied to them only if its own code uses them. Comments, and whatever is compiled for tests only, do not count.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PRODUCT = ("shared", "platform", "ingest-fn", "process-fn", "cli")
"""The crates in which no files may form a circle."""

WAY_OUT = "Move what both need into a file that imports neither, or pass it as an argument."

KNOWN = {
    "testing/simulator/src",
}
"""Files and folders in which circles are known, without `.rs`. The list only shrinks: whoever dissolves the last one deletes it."""

TOKENS = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|b?r(?P<hashes>\#*)".*?"(?P=hashes)|[bc]?"(?:\\.|[^"\\])*"|b?'(?:\\u\{\w+\}|\\x\w\w|\\.|[^\\'\n])')"""
    r"""|(?P<code>(?:r\#)?[A-Za-z_]\w*|::|.)""",
    re.DOTALL | re.VERBOSE,
)
NAME = re.compile(r"[A-Za-z_]\w*")
ITEMS = {"struct", "enum", "union", "fn", "trait", "type", "const", "static"}
Edges = dict[str, dict[str, set[str]]]
"""Which file (or folder) needs which other one, and the names that tie them."""


@dataclass
class Use:
    """One name that a `use` declaration brings in."""

    path: list[str]
    alias: str
    is_public: bool


@dataclass
class Module:
    """A module with a file of its own, and the modules that are written inside that file."""

    file: Path
    parent: Module | None
    children: dict[str, Module] = field(default_factory=dict)
    inline: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    uses: list[Use] = field(default_factory=list)
    paths: list[list[str]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    def top(self) -> Module:
        """The crate's root."""
        return self.parent.top() if self.parent else self


def tokens(text: str) -> list[str]:
    """The words and signs of Rust code, without comments, texts and characters."""
    return [match["code"] for match in TOKENS.finditer(text) if match["code"]]


def closing(code: list[str], at: int) -> int:
    """Where the bracket at this place is closed."""
    depth = 0
    for place in range(at, len(code)):
        depth += (code[place] in "([{") - (code[place] in ")]}")
        if depth == 0:
            return place
    return len(code) - 1


def end_of_item(code: list[str], at: int) -> int:
    """The last token of the item that begins at this place, attributes included."""
    is_use = False
    while at < len(code):
        token = code[at]
        is_use |= token == "use" and code[at + 1] != "<"
        if token == ";" or (token == "{" and not is_use):
            return at if token == ";" else closing(code, at)
        at = closing(code, at) + 1 if token in "([{" else at + 1
    return len(code) - 1


def without_tests(code: list[str]) -> list[str]:
    """The tokens without the items that only tests are compiled with."""
    kept, at = [], 0
    while at < len(code):
        if code[at : at + 2] == ["#", "["]:
            end = closing(code, at + 1)
            if code[at + 2 : at + 5] == ["cfg", "(", "test"] or code[at + 2 : at + 7] == ["cfg", "(", "all", "(", "test"]:
                at = end_of_item(code, end + 1) + 1
                continue
            kept += code[at : end + 1]
            at = end + 1
        else:
            kept.append(code[at])
            at += 1
    return kept


def use_tree(code: list[str], at: int, path: list[str]) -> tuple[list[tuple[list[str], str]], int]:
    """The paths of a `use` declaration with the names they get, from this place on; and where it goes on."""
    found: list[tuple[list[str], str]] = []
    path = list(path)
    while at < len(code):
        token = code[at]
        if token == "{":
            at += 1
            while code[at : at + 1] != ["}"]:
                inner, end = use_tree(code, at, path)
                if end == at or end >= len(code):
                    raise SyntaxError
                found, at = found + inner, end + (code[end] == ",")
            return found, at + 1
        if token == "::":
            at += 1
        elif token == "*" or NAME.fullmatch(token.removeprefix("r#")):
            path.append(token.removeprefix("r#"))
            at += 1
            if at < len(code) and code[at] == "as":
                return [(path, code[at + 1])], at + 2
        else:
            break
    if path[-1] == "self" and len(path) > 1:
        path.pop()
    return [(path, path[-1])], at


def read(module: Module) -> None:
    """Reads a module's file and, after it, those of its children."""
    code = without_tests(tokens(module.file.read_text()))
    inline: list[int] = []  # where the modules end that are written inside this file
    at = 0
    while at < len(code):
        while inline and at > inline[-1]:
            inline.pop()
        token = code[at]
        if token == "mod" and code[at + 2] == ";":
            child(module, code[at + 1])
            at += 3
        elif token == "mod" and code[at + 2] == "{":
            module.inline.add(code[at + 1])
            inline.append(closing(code, at + 2))
            at += 3
        elif token == "use" and code[at + 1] != "<":  # `impl Trait + use<>` imports nothing
            before = code[at - 1] if at else ""
            is_public = before == "pub" or (before == ")" and "pub" in code[max(0, at - 6) : at])
            try:
                found, at = use_tree(code, at + 1, [])
            except (SyntaxError, IndexError):
                sys.exit(f"error: a `use` in {module.file} cannot be read: does the file compile?")
            module.uses += [Use(outside(path, len(inline)), alias, is_public) for path, alias in found]
        elif NAME.fullmatch(token) and not (at and code[at - 1] in ("::", ".")):
            path = [token]
            at += 1
            while code[at : at + 1] == ["::"] and at + 1 < len(code) and NAME.fullmatch(code[at + 1]):
                path.append(code[at + 1])
                at += 2
            module.words.add(token)
            if token in ITEMS and at < len(code):
                module.defined.add(code[at])
            if len(path) > 1:
                module.paths.append(outside(path, len(inline)))
        else:
            at += 1


def outside(path: list[str], levels: int) -> list[str]:
    """A path of an inline module as its file sees it. What begins with its own names stays in the file."""
    if levels and path[0] == "self":
        return ["self"]
    while levels and path[:1] == ["super"]:
        path, levels = path[1:], levels - 1
    return path or ["self"]


def child(module: Module, name: str) -> None:
    """Adds the module `name`, whose file lies where Rust looks for it."""
    folder = module.file.parent
    if module.parent:
        folder /= module.file.stem
    for file in (folder / f"{name}.rs", folder / name / "mod.rs"):
        if file.is_file():
            module.children[name] = Module(file, module)
            read(module.children[name])


def find(module: Module, path: list[str], seen: frozenset[tuple[Path, str]] = frozenset()) -> tuple[Module, str] | None:
    """The module in which the name at the end of a path is defined, and the name; an empty name for the module itself. `None` for
    what is of another crate, or a local name."""
    at = module
    for index, part in enumerate(path):
        if part == "crate":
            at = module.top()
        elif part == "super":
            at = at.parent or at
        elif part == "self":
            continue
        elif part in at.children:
            at = at.children[part]
        elif part in at.inline or part in at.defined:
            return at, part
        else:
            if (at.file, part) in seen:
                return None
            seen |= {(at.file, part)}
            rest = path[index + 1 :]
            for use in at.uses:
                if use.alias == part or use.path[-1] == "*":
                    target = use.path + rest if use.path[-1] != "*" else [*use.path[:-1], part, *rest]
                    if target != path and (found := find(at, target, seen)) and found[0] is not at:
                        return found
            return (at, part) if index and path[0] in ("crate", "super", "self") else None
    return at, ""


def ties(module: Module, edges: Edges) -> None:
    """Adds which files a module and its children need."""
    needed = edges[str(module.file)]

    def tie(found: tuple[Module, str] | None, name: str) -> None:
        if found and found[0] is not module:
            needed[str(found[0].file)].add(found[1] or name)

    modules = {path[0] for path in module.paths}
    for use in module.uses:
        if use.is_public and use.alias not in module.words and use.alias not in modules:
            continue
        found = find(module, use.path[:-1] if use.path[-1] == "*" else use.path)
        # Whoever imports a module is tied to what is taken from it, which the paths say.
        if found and not found[1] and use.alias in modules:
            continue
        tie(found, use.alias)
    for path in module.paths:
        tie(find(module, path), path[-1])
    for inner in module.children.values():
        ties(inner, edges)


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected parts with more than one member (Tarjan)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    pile: list[str] = []
    found = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        pile.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in pile:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            part = set(pile[pile.index(node) :])
            del pile[pile.index(node) :]
            if len(part) > 1:
                found.append(part)

    for node in sorted(edges):
        if node not in number:
            visit(node)
    return found


def shortest(edges: dict[str, set[str]], part: set[str]) -> list[str]:
    """The shortest way round in a circle."""
    best: list[str] = []
    for first in sorted(part):
        ways = [[first]]
        seen = {first}
        while ways and not (best and len(ways[0]) >= len(best)):
            way = ways.pop(0)
            if first in edges[way[-1]]:
                best = way
                break
            ways += [[*way, other] for other in sorted(edges[way[-1]] & part - seen)]
            seen |= edges[way[-1]]
    return best


def folders(root: Path, edges: Edges) -> Iterator[Edges]:
    """For each directory below a crate's sources the ties between what lies in it: files, and folders as a whole."""
    for directory in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        level: Edges = defaultdict(lambda: defaultdict(set))
        for file, needed in edges.items():
            for other, names in needed.items():
                if Path(file).is_relative_to(directory) and Path(other).is_relative_to(directory):
                    ends = [str(directory / Path(end).relative_to(directory).parts[0]).removesuffix(".rs") for end in (file, other)]
                    if ends[0] != ends[1]:
                        level[ends[0]][ends[1]] |= names
        yield level


def described(edges: Edges, part: set[str], root: Path) -> str:
    """A circle: the names that tie its files along its shortest way round, and all its members."""
    way = shortest({node: set(needed) for node, needed in edges.items()}, part)
    steps = [(one, other, ", ".join(sorted(edges[one][other]))) for one, other in zip(way, [*way[1:], way[0]])]
    path = [f"{Path(one).relative_to(root)} takes {names} from {Path(other).relative_to(root)}" for one, other, names in steps]
    rest = sorted(str(Path(node).relative_to(root)) for node in part - set(way))
    return "; ".join(path) + (f"; in the same knot: {', '.join(rest)}" if rest else "")


def of_crate(folder: Path) -> list[tuple[str, set[str]]]:
    """The circles of a crate, each in words and with its members."""
    source = folder / "src"
    edges: Edges = defaultdict(lambda: defaultdict(set))
    for file in (source / "lib.rs", source / "main.rs"):
        if file.is_file():
            module = Module(file, None)
            read(module)
            ties(module, edges)
    levels = [("files", edges)] if folder.name in PRODUCT else []
    levels += [("folders", level) for level in folders(source, edges)]
    found = []
    for what, level in levels:
        for part in circles({node: set(needed) for node, needed in level.items()}):
            if what == "files" or any(Path(node).is_dir() for node in part):
                found.append((f"import circle between {what}: {described(level, part, source)}", part))
    return found


def check(root: Path = ROOT, known: set[str] = KNOWN) -> list[str]:
    """What is wrong with the workspace's imports; empty if nothing is."""
    wrong, used = [], set()
    for member in tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["members"]:
        for words, part in of_crate(root / member):
            covers = {node: {path for path in known if Path(node).with_suffix("").is_relative_to(root / path)} for node in part}
            used |= set().union(*covers.values())
            if not all(covers.values()):
                wrong.append(f"{member}: {words}. {WAY_OUT}")
    stale = sorted(known - used)
    return wrong + [f"{path} has no import circle any more: delete it from KNOWN in scripts/circles.py" for path in stale]


def main() -> None:
    """Prints what is wrong, and fails if anything is."""
    wrong = check()
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
