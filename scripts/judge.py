"""Judges template.yaml by what AWS publishes, without an AWS: part of `make lint`.

The template goes through SAM's transform and is resolved as CloudFormation would resolve it, with the defaults and with each
parameter at its extremes. Every resource is then held against CloudFormation's resource schemas, the limits in the service models
and the rules in judging/. Whether the judge would notice anything is tested as well: each bug in template_bugs.yaml is planted
into the template and must be found where the list says.
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import yaml
from samcli.yamlhelper import yaml_parse

import stack_name
from judging import published, rules, values
from judging.resolve import Finding, Stack, Template
from tools import ROOT, script

TEMPLATE = ROOT / "template.yaml"
BUGS = ROOT / "scripts" / "template_bugs.yaml"
LEAST_BUGS = 40


def judge(template: dict[str, Any]) -> Iterator[tuple[str, Finding]]:
    """Each finding with the scenario that showed it first."""
    seen: set[Finding] = set()  # without their numbers, which each scenario has its own of
    ways: dict[str, set[bool]] = {name: set() for name in template.get("Conditions", {})}
    for finding in of_the_template(template):
        yield "the template", finding
    written = Template(template)
    defaults: Stack | None = None
    for scenario in values.scenarios(template["Parameters"], "r" * stack_name.LONGEST):
        stack = written.deployed(scenario)
        for finding in (*sorted(stack.findings), *published.findings(stack), *rules.findings(stack)):
            kind = replace(finding, text=re.sub(r"\d+", "", finding.text)[:40])
            if kind not in seen:
                seen.add(kind)
                yield scenario.name, finding
        for name, holds in stack.conditions.items():
            ways.setdefault(name, set()).add(holds)
        defaults = defaults or stack
    for finding in rules.publishing(written, defaults):
        yield "a change of the defaults", finding
    for name, held in ways.items():
        if len(held) != 2:
            yield "all scenarios", Finding(name, "Conditions", f"is {'always' if True in held else 'never'} true")


def of_the_template(template: dict[str, Any]) -> Iterator[Finding]:
    """What needs no values: the parameters themselves, and "AWS CloudFormation quotas"."""
    text = str({key: section for key, section in template.items() if key != "Parameters"})
    for name, parameter in template["Parameters"].items():
        if not re.search(rf"'Ref': '{name}'|\$\{{{name}\}}", text):
            yield Finding(name, "Parameters", "nothing uses it")
        if "Default" in parameter and not values.takes(parameter, parameter["Default"]):
            yield Finding(name, "Default", f"{parameter['Default']!r} is not what the parameter takes")
        if parameter["Type"] == "String" and len(str(values.longest_of(parameter))) > 512:
            yield Finding(name, "MaxLength", "its values have no bound")
        if parameter["Type"] == "Number" and not ("AllowedValues" in parameter or {"MinValue", "MaxValue"} <= parameter.keys()):
            yield Finding(name, "MaxValue", "its values have no bound")
        if len(parameter.get("Description", "")) > 4000:
            yield Finding(name, "Description", "more than 4000 characters")
    if len(template.get("Description", "")) > 1024:
        yield Finding("template", "Description", "more than 1024 characters")


def planted(template: dict[str, Any], edits: list[dict[str, Any]]) -> dict[str, Any]:
    """The template with a bug in it."""
    changed = copy.deepcopy(template)
    for edit in edits:
        *path, last = str(edit["at"]).split("/")
        place: Any = changed
        for step in path:
            place = place[key_in(place, step)]
        key = key_in(place, last, new="set" in edit)
        if "set" in edit:
            place[key] = edit["set"]
        elif "replace" in edit:
            before, after = edit["replace"]
            if before not in place[key]:
                raise KeyError(f"{before!r} at {edit['at']}")
            place[key] = place[key].replace(before, after)
        else:
            del place[key]
    return changed


def key_in(place: Any, step: str, new: bool = False) -> Any:
    """The key of a step: a name, an index, or [Name=value] for the element of a list that has it."""
    if isinstance(place, dict):
        if step not in place and not new:
            raise KeyError(step)
        return step
    if found := re.fullmatch(r"\[(\w+)=(.*)\]", step):
        return next(index for index, item in enumerate(place) if isinstance(item, dict) and item.get(found[1]) == found[2])
    return int(step)


def finds(template: dict[str, Any], bug: dict[str, Any]) -> str | None:
    """What the judge says of a planted bug at the place where it must find it, or None."""
    try:
        changed = planted(template, bug["edit"])
    except (KeyError, IndexError, StopIteration, TypeError) as error:
        print(f"  cannot be planted: {error}; bring its edit in line with template.yaml", file=sys.stderr)
        return None
    resource, where, text = (str(part) for part in bug["finds"])
    for scenario, finding in judge(changed):
        if finding.resource.startswith(resource) and finding.property.startswith(where) and text in finding.text:
            return f"{finding} ({scenario})"
    return None


def main(arguments: list[str] | None = None) -> None:
    """Judges the template, and then the judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verbose", action="store_true", help="show what is found of each planted bug")
    chosen = parser.parse_args(arguments)
    template = yaml_parse(TEMPLATE.read_text())
    wrong = [f"{finding} ({scenario})" for scenario, finding in islice(judge(template), 50)]
    if wrong:
        sys.exit("error: template.yaml would not do on AWS\n       " + "\n       ".join(wrong))

    bugs = yaml.safe_load(BUGS.read_text())
    missed = []
    for bug in bugs:
        found = finds(template, bug)
        if found is None:
            missed.append(bug["name"])
        if chosen.verbose or found is None:
            print(f"  {'caught' if found else 'MISSED'}  {bug['name']}: {(found or '')[:200]}", flush=True)
    if missed or len(bugs) < LEAST_BUGS:
        sys.exit(f"error: of {len(bugs)} planted bugs (at least {LEAST_BUGS} are wanted) the judge missed {len(missed)}")


if __name__ == "__main__":
    script(main)
