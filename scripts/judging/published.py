"""The limits that AWS publishes: CloudFormation's resource schemas, as cfn-lint carries them, and the service models of botocore."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape, StructureShape
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from jsonschema import Draft7Validator

from judging.resolve import Finding, Stack
from judging.values import REGION

CALLS = {
    "AWS::Lambda::Function": ("lambda", "CreateFunction"),
    "AWS::Lambda::Version": ("lambda", "PublishVersion"),
    "AWS::Lambda::Alias": ("lambda", "CreateAlias"),
    "AWS::Lambda::EventSourceMapping": ("lambda", "CreateEventSourceMapping"),
    "AWS::Lambda::EventInvokeConfig": ("lambda", "PutFunctionEventInvokeConfig"),
    "AWS::Lambda::Permission": ("lambda", "AddPermission"),
    "AWS::Lambda::Url": ("lambda", "CreateFunctionUrlConfig"),
    "AWS::DynamoDB::Table": ("dynamodb", "CreateTable"),
    "AWS::Logs::LogGroup": ("logs", "CreateLogGroup"),
    "AWS::Logs::QueryDefinition": ("logs", "PutQueryDefinition"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "PutMetricAlarm"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch", "PutDashboard"),
    "AWS::Events::EventBus": ("events", "CreateEventBus"),
    "AWS::Scheduler::Schedule": ("scheduler", "CreateSchedule"),
    "AWS::IAM::Role": ("iam", "CreateRole"),
    "AWS::S3::Bucket": ("s3", "CreateBucket"),
    "AWS::SNS::Topic": ("sns", "CreateTopic"),
    "AWS::SQS::Queue": ("sqs", "CreateQueue"),
}
"""The call that makes a resource; a property is compared with the call's member of the same name."""


@cache
def validator(kind: str) -> Draft7Validator | None:
    """The published schema of a type, or None where there is none."""
    if kind not in PROVIDER_SCHEMA_MANAGER.get_resource_types(REGION):
        return None
    return Draft7Validator(PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema)


@cache
def request(kind: str) -> Shape | None:
    """What the call takes that makes a resource of a type."""
    if kind not in CALLS:
        return None
    service, operation = CALLS[kind]
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


def findings(stack: Stack) -> Iterator[Finding]:
    """What the published limits refuse."""
    for logical_id, resource in stack.resources.items():
        for where, text in _against_both(resource["Type"], json.dumps(resource["Properties"], sort_keys=True)):
            yield Finding(logical_id, where, text)


@cache
def _against_both(kind: str, written: str) -> list[tuple[str, str]]:
    properties, schema = json.loads(written), validator(kind)
    if schema is None:
        return [("Type", f"CloudFormation has no {kind}")]
    found = [("/".join(map(str, error.absolute_path)) or "Properties", _short(error)) for error in schema.iter_errors(properties)]
    for path in schema.schema.get("readOnlyProperties", []):
        name = path.removeprefix("/properties/")
        if name in properties:
            found.append((name, "cannot be set"))
    refused = {where for where, _ in found}
    if shape := request(kind):
        found += [(where, text) for where, text in _against_model(shape, properties, "") if where not in refused]
    return found


def _short(error: Any) -> str:
    """What is wrong, without the whole value."""
    value = error.instance
    if error.validator in ("maxLength", "minLength"):
        return f"{len(value)} characters, and {error.validator} is {error.validator_value}: {value[:60]}…"
    return error.message if len(error.message) < 300 else error.message[:120] + " … " + error.message[-120:]


def _against_model(shape: Shape, value: Any, where: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    limits = shape.metadata
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = {name.lower(): member for name, member in shape.members.items()}
        for name, item in value.items():
            if member := members.get(name.lower()):
                found += _against_model(member, item, f"{where}/{name}".lstrip("/"))
        return found
    if shape.type_name == "map" and isinstance(value, dict):
        for name, item in value.items():
            found += _against_model(shape.key, name, f"{where}/{name}") + _against_model(shape.value, item, f"{where}/{name}")
        return found
    if shape.type_name == "list" and isinstance(value, list):
        for index, item in enumerate(value):
            found += _against_model(shape.member, item, f"{where}/{index}")
    if shape.type_name == "string" and isinstance(value, (str, int, float)):
        value = str(value)
        if (names := getattr(shape, "enum", None)) and value not in names:
            found.append((where, f"{value} is none of {', '.join(names[:12])}"))
        pattern = limits.get("pattern")
        if pattern and not re.search(_python(pattern), value):
            found.append((where, f"{value[:60]} does not match {pattern}"))
    if shape.type_name in ("string", "list") and isinstance(value, (str, list)):
        measured, unit = len(value), "characters" if shape.type_name == "string" else "elements"
    elif shape.type_name in ("integer", "long", "float", "double") and re.fullmatch(r"-?\d+(\.\d+)?", str(value)):
        measured, unit = float(value), ""
    else:
        return found
    if measured > limits.get("max", measured) or measured < limits.get("min", measured):
        found.append((where, f"{measured:g} {unit}, and the service takes {limits.get('min')} to {limits.get('max')}"))
    return found


def _python(pattern: str) -> str:
    """The models' patterns mean the whole text, and some of them have classes that Python has not."""
    pattern = re.sub(r"\\p\{[A-Za-z]+\}", r"\\w", pattern)
    return pattern if pattern.startswith("^") else f"^(?:{pattern})$"
