"""The values that the template is judged with: for each parameter its extremes, and for the stack its longest name.

A pattern says nothing about length, so the longest text that CloudFormation takes for a parameter is made from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from re import _constants as code
from re import _parser as parser
from typing import Any

LONGEST_PARAMETER = 4096
"""Bytes in a parameter's value: "AWS CloudFormation quotas", Parameter values."""

ACCOUNT = "123456789012"
REGION = "ap-southeast-2"
"""One of the longest region names."""


@dataclass(frozen=True)
class Scenario:
    """One way to deploy the template."""

    name: str
    parameters: dict[str, Any]
    stack: str
    generation: dict[str, str] = field(default_factory=dict)
    """Another random end for the generated names of these resources, as if CloudFormation had replaced them."""


def text_for(pattern: str, most: int) -> str:
    """The longest text of at most so many characters that matches a pattern as a whole, as far as repetition makes it so."""
    parsed = parser.parse(pattern)
    found = ""
    for extra in range(most + 1):
        text = _generate(parsed, extra)
        if len(text) > most:
            break
        found, before = text, found
        if extra and text == before:
            break
    if not found and not re.fullmatch(pattern, ""):
        raise ValueError(f"no text of {most} characters matches {pattern}")
    return found


def _generate(parsed: Any, extra: int) -> str:
    """A text for a parsed pattern; each repetition without an end is `extra` longer than it must be."""
    text = ""
    for operation, argument in parsed:
        if operation is code.LITERAL:
            text += chr(argument)
        elif operation is code.IN:
            text += next(character for character in "zZ9-." + "".join(map(chr, range(33, 127))) if _is_in(argument, character))
        elif operation is code.ANY:
            text += "z"
        elif operation in (code.MAX_REPEAT, code.MIN_REPEAT):
            least, most, inner = argument
            times = min(least + extra, most) if most is not code.MAXREPEAT else least + extra
            text += _generate(inner, extra) * times
        elif operation is code.SUBPATTERN:
            text += _generate(argument[3], extra)
        elif operation is code.BRANCH:
            text += max((_generate(branch, extra) for branch in argument[1]), key=len)
        elif operation is not code.AT:
            raise ValueError(f"cannot make a text for {operation}")
    return text


def _is_in(members: Any, character: str) -> bool:
    negated = members[0][0] is code.NEGATE
    for operation, argument in members[negated:]:
        if operation is code.LITERAL and ord(character) == argument:
            return not negated
        if operation is code.RANGE and argument[0] <= ord(character) <= argument[1]:
            return not negated
        if operation is code.CATEGORY:
            raise ValueError(f"cannot make a text for {argument}")
    return negated


def default_of(name: str, parameter: dict[str, Any]) -> Any:
    """What a deploy that says nothing gets; the scripts look up the one parameter without a default."""
    if "Default" in parameter:
        return parameter["Default"]
    return "0f8fad5b-d9cb-469f-a165-70867728950e" if name == "SecretVersionId" else longest_of(parameter)


def extremes_of(parameter: dict[str, Any]) -> list[Any]:
    """Every value that is an extreme of a parameter, shortest first."""
    if "AllowedValues" in parameter:
        return sorted(parameter["AllowedValues"], key=lambda value: (len(str(value)), str(value)))
    if parameter["Type"] == "Number":
        return [value for value in (parameter.get("MinValue"), parameter.get("MaxValue")) if value is not None]
    most = min(parameter.get("MaxLength", LONGEST_PARAMETER), LONGEST_PARAMETER)
    pattern = parameter.get("AllowedPattern", ".*")
    shortest = _generate(parser.parse(pattern), 0)
    return [*([shortest] if parameter.get("MinLength", 0) <= len(shortest) <= most else []), text_for(pattern, most)]


def longest_of(parameter: dict[str, Any]) -> Any:
    """The value that takes the most characters."""
    return max(extremes_of(parameter), key=lambda value: len(str(value)), default="")


def scenarios(parameters: dict[str, dict[str, Any]], longest_stack: str) -> Iterator[Scenario]:
    """All ways in which the template is judged."""
    defaults = {name: default_of(name, parameter) for name, parameter in parameters.items()}
    longest = {name: longest_of(parameter) for name, parameter in parameters.items()}
    yield Scenario("defaults", defaults, "rollcall")
    yield Scenario("the longest values", longest, longest_stack)
    yield Scenario("the defaults and the longest stack name", defaults, longest_stack)
    for name, parameter in parameters.items():
        for value in extremes_of(parameter):
            if value != defaults[name]:
                shown = value if len(str(value)) < 40 else f"a text of {len(value)} characters"
                yield Scenario(f"{name} = {shown}", defaults | {name: value}, "rollcall")


def takes(parameter: dict[str, Any], value: Any) -> bool:
    """Whether CloudFormation takes a value for a parameter."""
    if "AllowedValues" in parameter:
        return value in parameter["AllowedValues"]
    if parameter["Type"] == "Number":
        return parameter.get("MinValue", value) <= value <= parameter.get("MaxValue", value)
    fits = parameter.get("MinLength", 0) <= len(value) <= parameter.get("MaxLength", LONGEST_PARAMETER)
    return fits and bool(re.fullmatch(parameter.get("AllowedPattern", ".*"), value, re.DOTALL))
