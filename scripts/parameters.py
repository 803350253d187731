"""The template's parameters: reading them, checking values against them, and what the functions' environments become."""

from __future__ import annotations

import difflib
import re
import shlex
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from refusal import Refusal

BY_SCRIPT = {
    "SecretName": "it is the stack's name; choose that with STACK=",
    "SecretVersionId": "`make rotate` passes the current version on",
    "Architecture": "choose it with ARCH=",
}
"""Parameters that the scripts set themselves, and what to do instead of setting them."""

DAY = 86_400
FUNCTIONS = {"ingest": "IngestFunction", "process": "ProcessFunction"}
"""Logical ids of the two functions."""

UNRESERVED_MINIMUM = 100
"""The concurrency that Lambda keeps free of reservations in every account (Lambda Developer Guide, "Configuring reserved
concurrency")."""

FOR_THE_SWEEP = 1
"""The sweep's own invocation, once a minute."""

FREE_FOR_INGEST = 2
"""The fewest invocations that must be left for ingest when processing takes all that it may."""

Template = dict[str, Any]
Values = dict[str, str]


def load(file: Path) -> Template:
    """Reads a template, with its short forms of intrinsic functions written out."""
    return yaml_parse(file.read_text())


def defaults(template: Template) -> Values:
    """The parameters that have a default value."""
    return {name: str(rule["Default"]) for name, rule in template["Parameters"].items() if "Default" in rule}


def read_changes(text: str, template: Template) -> Values:
    """What `SET="Parameter=Value …"` asks for."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Refusal(f"SET cannot be read: {error}", 'close the quotation: SET="LogRetentionDays=90".') from None
    changes: Values = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Refusal(f"{word!r} in SET is no setting", 'write SET="Parameter=Value Another=Value".')
        if name not in template["Parameters"]:
            near = difflib.get_close_matches(name, template["Parameters"], 1, 0.5)
            raise Refusal(f"there is no parameter {name}", f"did you mean {near[0]}?" if near else "docs/CONFIGURATION.md lists them all.")
        if name in BY_SCRIPT:
            raise Refusal(f"{name} is not for SET", f"{BY_SCRIPT[name]}.")
        check_value(name, template["Parameters"][name], value)
        changes[name] = value
    return changes


def check_value(name: str, rule: dict[str, Any], value: str) -> None:
    """Checks one value as CloudFormation would, against the template's own constraints."""
    what = f"{name} cannot be {value!r}" if value else f"{name} cannot be empty"
    allowed = [str(one) for one in rule.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise Refusal(what, f"it is one of {', '.join(allowed)}.")
    if rule["Type"] == "Number":
        try:
            number = float(value)
        except ValueError:
            raise Refusal(what, "it is a number.") from None
        low, high = (float(rule.get(bound, number)) for bound in ("MinValue", "MaxValue"))
        if not low <= number <= high:
            raise Refusal(what, f"it is a number from {rule.get('MinValue', '…')} to {rule.get('MaxValue', '…')}.")
        return
    if not int(rule.get("MinLength", 0)) <= len(value) <= int(rule.get("MaxLength", 4096)):
        raise Refusal(what, f"it has {rule.get('MinLength', 0)} to {rule.get('MaxLength', 4096)} characters.")
    if (pattern := rule.get("AllowedPattern")) and not re.fullmatch(pattern, value):
        raise Refusal(what, f"{rule.get('ConstraintDescription') or f'it must match {pattern}'}.")


def check(template: Template, values: Values) -> None:
    """Checks all values, each by itself and together: what CloudFormation accepts and the system could not live with."""
    for name, rule in template["Parameters"].items():
        if name not in values:
            raise Refusal(f"{name} has no value", f'set it: SET="{name}=…".')
        check_value(name, rule, values[name])

    number = {name: int(float(value)) for name, value in values.items() if template["Parameters"][name]["Type"] == "Number"}
    timeout, visibility = number["ProcessTimeoutSeconds"], number["EventsVisibilitySeconds"]
    if visibility < 6 * timeout:
        raise Refusal(
            f"EventsVisibilitySeconds is {visibility}, less than 6 times ProcessTimeoutSeconds ({timeout})",
            f"messages would come again while they are worked on: SET=\"EventsVisibilitySeconds={6 * timeout}\".",
        )
    queue = template["Resources"]["EventsQueue"]["Properties"]
    receives, retention = queue["RedrivePolicy"]["maxReceiveCount"], queue["MessageRetentionPeriod"]
    if receives * visibility > retention:
        raise Refusal(
            f"{receives} receives, each EventsVisibilitySeconds ({visibility}) apart, outlast the {retention // DAY} days that the queue keeps a message",
            f"a delivery that crashes the function would be dropped: at most {retention // receives}.",
        )
    base, longest, parks = number["RetryBaseSeconds"], number["RetryMaxSeconds"], number["ParkAfterReceives"]
    if base > longest:
        raise Refusal(f"RetryBaseSeconds ({base}) is more than RetryMaxSeconds ({longest})", "the wait grows from the one to the other.")
    # What waits behind a failing delivery is received as often as that one, and needs all its own receives afterwards.
    waits = 2 * sum(min(base * 2**attempt, longest) for attempt in range(parks))
    if waits > retention:
        raise Refusal(
            f"{parks} attempts take {waits // DAY} days, and the queue keeps a message for {retention // DAY}",
            "lower ParkAfterReceives or RetryMaxSeconds.",
        )
    if parks >= receives:
        raise Refusal(f"ParkAfterReceives ({parks}) is not below the queue's {receives} receives", "lower it.")


def check_concurrency(values: Values, limits: dict[str, int], reserved_now: int) -> None:
    """Compares with the account's Lambda quota; `limits` is what GetAccountSettings calls AccountLimit."""
    quota = limits["ConcurrentExecutions"]
    reserved = int(values.get("IngestReservedConcurrency", 0))
    raising = "ask for more in the console, under Service Quotas, AWS Lambda, Concurrent executions (it is free)"
    wanted = FOR_THE_SWEEP + sum(int(value) for name, value in values.items() if name.endswith("MaximumConcurrency"))
    if reserved and limits["UnreservedConcurrentExecutions"] + reserved_now - reserved < UNRESERVED_MINIMUM:
        raise Refusal(
            f"IngestReservedConcurrency of {reserved} would leave less than the {UNRESERVED_MINIMUM} that Lambda keeps unreserved (quota {quota})",
            f"set it to 0, or {raising}.",
        )
    if not reserved and quota - wanted < FREE_FOR_INGEST:
        raise Refusal(
            f"the account's Lambda quota is {quota} at a time, and processing may take {wanted} of them",
            f"webhooks would be answered 429 and lost: lower ProcessMaximumConcurrency, or {raising}.",
        )


def environments(template: Template, values: Values, stack: str, secret: dict[str, str]) -> dict[str, Values]:
    """The environment variables of both functions as they will be: with the secret's entries, and names of resources that
    are at least as long as the real ones."""
    shared = template.get("Globals", {}).get("Function", {}).get("Environment", {}).get("Variables", {})
    found: dict[str, Values] = {}
    for function, logical_id in FUNCTIONS.items():
        own = template["Resources"][logical_id]["Properties"]["Environment"]["Variables"]
        found[function] = {
            name: _with_secret(_resolve(value, template, values, stack), secret) for name, value in {**shared, **own}.items()
        }
    return found


def _resolve(value: Any, template: Template, values: Values, stack: str) -> str:
    """A value of the template as text."""
    if not isinstance(value, dict):
        return str(value)
    (function, argument), *_ = value.items()
    if function == "Ref":
        return _referred(argument, template, values, stack)
    if function == "Fn::Sub" and isinstance(argument, str):
        return re.sub(r"\$\{([^}!]+)\}", lambda found: _referred(found[1], template, values, stack), argument)
    if function == "Fn::If":
        condition, yes, no = argument
        return _resolve(yes if _holds({"Condition": condition}, template, values) else no, template, values, stack)
    if function == "Fn::GetAtt":
        return _referred(argument[0], template, values, stack)
    raise Refusal(f"the script cannot read {function} in a function's environment", "teach scripts/parameters.py.")


def _referred(name: str, template: Template, values: Values, stack: str) -> str:
    if name in values:
        return values[name]
    if name == "AWS::StackName":
        return stack
    if name == "AWS::NoValue":
        return ""
    is_queue = template["Resources"].get(name, {}).get("Type") == "AWS::SQS::Queue"
    return "x" * (140 if is_queue else len(f"{stack}-{name}-1234567890123"))


def _holds(condition: dict[str, Any], template: Template, values: Values) -> bool:
    (function, argument), *_ = condition.items()
    if function == "Condition":
        return _holds(template["Conditions"][argument], template, values)
    if function == "Fn::Not":
        return not _holds(argument[0], template, values)
    if function == "Fn::And":
        return all(_holds(one, template, values) for one in argument)
    if function == "Fn::Or":
        return any(_holds(one, template, values) for one in argument)
    if function == "Fn::Equals":
        left, right = (_resolve(side, template, values, "") for side in argument)
        return left == right
    raise Refusal(f"the script cannot read {function} in a condition", "teach scripts/parameters.py.")


def _with_secret(text: str, secret: dict[str, str]) -> str:
    """Fills in what CloudFormation will take from the secret."""
    reference = re.fullmatch(r"\{\{resolve:secretsmanager:.+:SecretString:(.+)::.*\}\}", text)
    if not reference:
        return text
    if reference[1] not in secret:
        raise Refusal(f"the secret has no key {reference[1]}", "`make deploy` adds it.")
    return secret[reference[1]]
