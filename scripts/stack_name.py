"""Which names a stack may have."""

from __future__ import annotations

import re

LONGEST = 40
"""Longer, and CloudFormation cuts the names that it makes of it, or they do not fit where they go."""

MARKS = ("-EventsQueue-", "-CommandsQueue-", "-Table-", "-bucket-")
"""What template.yaml finds the random end of a generated name by."""


def reason_against(name: str) -> str | None:
    """Why a stack cannot have this name, with the way out, or None."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
        return f"{name!r} is no name for a stack: it takes letters, digits and hyphens, and begins with a letter"
    if len(name) > LONGEST:
        return f"{name!r} is too long for a stack's name: it has {len(name)} characters, and at most {LONGEST} fit"
    if mark := next((mark for mark in MARKS if mark in f"-{name}-"), None):
        return f"{name!r} cannot be a stack's name: it contains {mark.strip('-')!r} between hyphens; choose another"
    return None
