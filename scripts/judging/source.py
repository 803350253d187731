"""What the functions' source says: which variables they read, which metrics they write, which calls they make."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name

from tools import ROOT

FUNCTIONS = {"-ingest": "ingest-fn", "-process": "process-fn"}
"""The end of a function's name, and the folder with its source."""

COMMON = ("platform", "shared")
"""Folders with what both functions link."""

SERVICES = ("sqs", "s3", "dynamodb", "events", "lambda", "sns", "secretsmanager", "ssm", "cloudwatch", "logs", "scheduler")
"""Services of which a function might call something."""


def folder_of(function: dict[str, Any]) -> str:
    """Where the source of a function is."""
    name = str(function.get("FunctionName", ""))
    return next((folder for end, folder in FUNCTIONS.items() if name.endswith(end)), "")


@cache
def text(folder: str) -> str:
    """The source in a folder, without its tests."""
    files = [file for file in sorted((ROOT / folder / "src").rglob("*.rs")) if "tests" not in file.stem and "testing" not in file.stem]
    return "\n".join(file.read_text().split("#[cfg(test)]\nmod ")[0] for file in files) if folder else ""


@cache
def known_variables(folder: str) -> set[str]:
    """Every name of a variable that a function, or what it links, has in its text."""
    return {name for part in (folder, *COMMON) for name in re.findall(r'"([A-Z][A-Z0-9_]+)"', text(part))}


@cache
def read_variables(folder: str) -> set[str]:
    """The variables that a function's own source reads by name."""
    return set(re.findall(r'\b(?:required|optional|number|list|seconds)\(\s*(?:lookup,\s*)?"([A-Z_]+)"', text(folder)))


@cache
def metrics(folder: str) -> set[str]:
    """The names of the metrics that a function writes."""
    return set(re.findall(r'Metric::\w+\(\s*"(\w+)"', text(folder)))


@cache
def operations(folder: str) -> set[str]:
    """The AWS operations that a function's own source calls, by their names in the SDK."""
    session = botocore.session.get_session()
    known = {xform_name(name) for service in SERVICES for name in session.get_service_model(service).operation_names}
    return set(re.findall(r"\.(\w+)\(\)", text(folder))) & known
