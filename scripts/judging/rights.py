"""Rights: everything that the functions and the services call is allowed, and nothing is that nobody calls."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource

from judging import source
from judging.resolve import Finding, Stack

ROLE_POLICIES = 10_240
"""Characters of all inline policies of a role, without blanks: "IAM and AWS STS quotas"."""

KNOWN = load_resource(AdditionalSpecs, "Policies.json")
"""Every service's actions and the forms of its resources, from the Service Authorization Reference, as cfn-lint carries it."""


@dataclass(frozen=True)
class Need:
    """A call, and where it goes."""

    action: str
    on: str
    """A logical id, or for a bucket's objects the logical id, a slash and the beginning of the keys."""
    why: str
    """The operation in the source that makes it, or the service that does."""


NEEDS = {
    "ingest-fn": [
        Need("sqs:GetQueueAttributes", "EventsQueue", "get_queue_attributes"),
        Need("sqs:SendMessage", "EventsQueue", "send_message"),
        Need("s3:PutObject", "Bucket/spool/", "put_object"),
        Need("s3:PutObject", "Bucket/claims/", "put_object"),
    ],
    "process-fn": [
        Need("sqs:ChangeMessageVisibility", "EventsQueue", "change_message_visibility_batch"),
        Need("sqs:SendMessage", "EventsQueue", "send_message"),
        Need("sqs:SendMessage", "CommandsQueue", "send_message"),
        Need("dynamodb:GetItem", "Table", "get_item"),
        Need("dynamodb:PutItem", "Table", "put_item"),
        Need("dynamodb:DeleteItem", "Table", "delete_item"),
        Need("dynamodb:Query", "Table", "query"),
        Need("dynamodb:Query", "Table/index/by_due", "query"),
        Need("events:PutEvents", "EventBus", "put_events"),
        Need("s3:ListBucket", "Bucket", "list_objects_v2"),
        *(Need("s3:PutObject", f"Bucket/{folder}/", "put_object") for folder in ("quarantine", "parked")),
        *(Need("s3:GetObject", f"Bucket/{folder}/", "get_object") for folder in ("claims", "spool")),
        *(Need("s3:DeleteObject", f"Bucket/{folder}/", "delete_object")
          for folder in ("meetstream", "meetingbaas", "spool", "claims", "parked", "quarantine")),
        *(Need(action, f"Bucket/{provider}/", operation) for provider in ("meetstream", "meetingbaas") for action, operation in (
            ("s3:PutObject", "put_object"), ("s3:PutObject", "create_multipart_upload"), ("s3:PutObject", "upload_part"),
            ("s3:PutObject", "complete_multipart_upload"), ("s3:AbortMultipartUpload", "abort_multipart_upload"),
            ("s3:PutObjectTagging", "put_object_tagging"), ("s3:GetObject", "get_object"))),
    ],
}  # fmt: skip
"""What each function calls. An operation in its source that no line here explains is a finding, and so is a line whose operation
is not in the source any more: whoever adds a call says here which right it needs."""


@dataclass(frozen=True)
class Right:
    """What a role allows: one action on one resource."""

    action: str
    resource: str
    where: str

    def allows(self, action: str, resource: str) -> bool:
        """Whether it covers a call. A star stands for anything; actions do not tell small letters from large."""
        return matches(self.action.lower(), action.lower()) and matches(self.resource, resource)


def matches(pattern: str, text: str) -> bool:
    """IAM's wildcards, and nothing else of what a shell knows."""
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text))


def findings(stack: Stack) -> Iterator[Finding]:
    """What is wrong with the roles."""
    used: set[Right] = set()
    for role, needs in needs_of(stack).items():
        rights = rights_of(stack, role)
        for need in needs:
            target = target_of(stack, need.on)
            if target is None:
                yield Finding(role, "Policies", f"{need.why} needs {need.action} on {need.on}, which is not in the template")
                continue
            covering = {right for right in rights if right.allows(need.action, target)}
            if not covering:
                yield Finding(role, "Policies", f"{need.why} needs {need.action} on {need.on}")
            used |= covering
    for role in stack.of_type("AWS::IAM::Role"):
        for right in rights_of(stack, role):
            yield from unknown(role, right)
            if right not in used:
                yield Finding(role, right.where, f"nobody calls {right.action} on {right.resource}")
        policies = stack.of_type("AWS::IAM::Role")[role].get("Policies", [])
        size = sum(len(json.dumps(policy.get("PolicyDocument"), separators=(",", ":"))) for policy in policies)
        if size > ROLE_POLICIES:
            yield Finding(role, "Policies", f"{size} characters, and IAM takes {ROLE_POLICIES}")
    yield from unexplained(stack)
    yield from trust(stack)


def needs_of(stack: Stack) -> dict[str, list[Need]]:
    """What each role must allow."""
    needs: dict[str, list[Need]] = {role: [] for role in stack.of_type("AWS::IAM::Role")}
    roles = {stack.arn_of(role): role for role in needs}
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        mine = needs.setdefault(roles.get(str(function.get("Role")), str(function.get("Role"))), [])
        mine += NEEDS.get(source.folder_of(function), [])
        group = stack.named(function.get("LoggingConfig", {}).get("LogGroup")) or "its log group"
        mine += [Need(f"logs:{action}", group, f"{name}'s logging") for action in ("CreateLogStream", "PutLogEvents")]
        if function.get("TracingConfig", {}).get("Mode") == "Active":
            mine += [Need(f"xray:{action}", "*", f"{name}'s tracing") for action in ("PutTraceSegments", "PutTelemetryRecords")]
        for mapping, properties in stack.of_type("AWS::Lambda::EventSourceMapping").items():
            if function.get("FunctionName") in str(properties.get("FunctionName")).split(":"):
                queue = stack.named(properties.get("EventSourceArn")) or "its queue"
                mine += [Need(f"sqs:{action}", queue, mapping) for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")]
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        target = schedule.get("Target", {})
        action = "lambda:InvokeFunction" if ":lambda:" in str(target.get("Arn")) else "sqs:SendMessage"
        mine = needs.setdefault(roles.get(str(target.get("RoleArn")), str(target.get("RoleArn"))), [])
        mine.append(Need(action, str(target.get("Arn")), name))
    return needs


def target_of(stack: Stack, on: str) -> str | None:
    """The ARN that a call is checked against."""
    if on == "*" or on.startswith("arn:"):
        return on
    logical_id, slash, rest = on.partition("/")
    if logical_id not in stack.resources:
        return None
    arn = stack.arn_of(logical_id)
    if stack.resources[logical_id]["Type"] == "AWS::Logs::LogGroup":
        return arn.removesuffix(":*") + ":log-stream:2026/11/26/live"
    return arn + slash + rest + ("some/key" if rest.endswith("/") else "")


def rights_of(stack: Stack, role: str) -> list[Right]:
    """What a role's inline policies allow, action by action and resource by resource."""
    found = []
    for policy in stack.of_type("AWS::IAM::Role").get(role, {}).get("Policies", []):
        for index, statement in enumerate(listed(policy.get("PolicyDocument", {}).get("Statement"))):
            if statement.get("Effect") == "Allow":
                where = f"Policies/{policy.get('PolicyName')}/{statement.get('Sid', index)}"
                found += [Right(str(action), str(resource), where)
                          for action in listed(statement.get("Action")) for resource in listed(statement.get("Resource"))]  # fmt: skip
    return found


def listed(value: Any) -> list[Any]:
    """IAM takes one element without its list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def unknown(role: str, right: Right) -> Iterator[Finding]:
    """An action that the service has not, or on a resource of a form that it does not look at."""
    service, _, action = right.action.lower().partition(":")
    actions = KNOWN.get(service, {}).get("Actions", {})
    known = [name for name in actions if fnmatch.fnmatchcase(name, action)]
    if not known:
        yield Finding(role, right.where, f"there is no action {right.action}")
        return
    forms = [form for name in known for kind in actions[name].get("Resources", [])
             for form in KNOWN[service]["Resources"].get(kind, {}).get("ARNFormats", [])]  # fmt: skip
    if not forms and right.resource != "*":
        yield Finding(role, right.where, f"{right.action} knows no resources, so only * allows it")
    if forms and right.resource != "*" and not any(re.match(_regex(form), right.resource) for form in forms):
        yield Finding(role, right.where, f"{right.action} does not look at resources like {right.resource}")


@cache
def _regex(form: str) -> str:
    return re.sub(r"\$\{\w+\}", "[^:]*", form)


def unexplained(stack: Stack) -> Iterator[Finding]:
    """Calls in the source that no need explains, and needs without a call."""
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        folder = source.folder_of(function)
        called = source.operations(folder)
        explained = {need.why for need in NEEDS.get(folder, [])}
        for operation in sorted(called - explained):
            yield Finding(name, "Role", f"{folder} calls {operation}, and scripts/judging/rights.py does not say which right it needs")
        for operation in sorted(explained - called):
            yield Finding(name, "Role", f"scripts/judging/rights.py knows {operation}, and {folder} does not call it")


def trust(stack: Stack) -> Iterator[Finding]:
    """Each role may be taken by exactly the service that uses it."""
    roles = stack.of_type("AWS::IAM::Role")
    wanted: dict[str, str] = {}
    for function in stack.of_type("AWS::Lambda::Function").values():
        wanted[str(function.get("Role"))] = "lambda.amazonaws.com"
    for schedule in stack.of_type("AWS::Scheduler::Schedule").values():
        wanted[str(schedule.get("Target", {}).get("RoleArn"))] = "scheduler.amazonaws.com"
    for group in stack.of_type("AWS::CodeDeploy::DeploymentGroup").values():
        wanted[str(group.get("ServiceRoleArn"))] = "codedeploy.amazonaws.com"
    for name, role in roles.items():
        services = {str(service) for statement in listed(role.get("AssumeRolePolicyDocument", {}).get("Statement"))
                    for service in listed((statement.get("Principal") or {}).get("Service"))}  # fmt: skip
        arn = stack.arn_of(name)
        if arn not in wanted:
            yield Finding(name, "AssumeRolePolicyDocument", "nothing in the template uses this role")
        elif services != {wanted[arn]}:
            yield Finding(name, "AssumeRolePolicyDocument", f"{wanted[arn]} must take this role, and {', '.join(services)} may")
