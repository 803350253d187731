"""Everything that can be checked without running anything: `make lint`."""

from __future__ import annotations

import subprocess
import sys

import build
from tools import ROOT, bin_of, say

FORBIDDEN = {
    # The compiler enforces the architecture: what cannot be linked cannot be called.
    "shared": ("tokio", "aws-", "aws_", "lambda_"),
    # The functions' cold start: a second HTTP or TLS stack, or the TLS provider that burns CPU at first use.
    "ingest-fn": ("aws-config", "aws-lc", "rustls v0.21", "hyper v0.14", "simulator"),
    "process-fn": ("aws-config", "aws-lc", "rustls v0.21", "hyper v0.14", "simulator"),
}
"""What must not be in a package's dependency tree, by the beginning of `name vVERSION`."""


def run(what: str, *command: str) -> bool:
    """Runs one check and says whether it passed."""
    say(what)
    return subprocess.run(command, cwd=ROOT, env=build.environment()).returncode == 0


def dependencies_are_allowed(package: str) -> bool:
    """Whether a package's dependency tree is free of what it must never link."""
    command = ["cargo", "tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"]
    tree = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if tree.returncode:
        print(tree.stderr, file=sys.stderr)
        return False
    found = sorted({line for line in tree.stdout.splitlines() if line.startswith(FORBIDDEN[package])})
    for line in found:
        print(f"error: {package} must not depend on {line}", file=sys.stderr)
    return not found


def main() -> None:
    """Runs all checks, also after one has failed."""
    deny = str(bin_of("cargo") / "cargo-deny")
    passed = [
        run("formatting", "cargo", "fmt", "--all", "--check"),
        run("clippy", "cargo", "clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"),
    ]
    passed.append(run("import circles", sys.executable, "scripts/circles.py"))
    say("dependency rules")
    passed += [dependencies_are_allowed(package) for package in FORBIDDEN]
    # cargo-deny looks at every platform's dependencies; a build has fetched only this one's.
    passed += [
        run("sources of all dependencies", "cargo", "fetch", "--locked", "--quiet"),
        run("licences, sources, bans", deny, "--offline", "--log-level", "error", "check", "bans", "licenses", "sources"),
        run("template", "sam", "validate", "--lint", "--region", "us-east-1"),
        run("the template resolved, by what AWS publishes", sys.executable, "scripts/judge.py"),
        run("the other templates", "cfn-lint", "front.yaml", "deployer.yaml"),
        run("what the pages cite", sys.executable, "scripts/pages.py"),
    ]
    if not all(passed):
        sys.exit("error: lint failed")


if __name__ == "__main__":
    main()
