"""What no schema says: limits over several properties or resources, each with the page of AWS's documentation that has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import parameters
import secret
from judging import rights, source
from judging.resolve import NAMES, SECRET, Finding, Resolver, Stack, Template
from refusal import Refusal

ENVIRONMENT = 4096
"""Bytes of all environment variables together: "Lambda quotas", Environment variables."""

RESERVED = ("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR")  # fmt: skip
"""Names or beginnings of names that Lambda keeps to itself: "Defined runtime environment variables"."""

OF_THE_SYSTEM = ("MALLOC_", "GLIBC_")
"""Variables that the C library reads."""

AWS_METRICS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"QueueName": "AWS::SQS::Queue"},
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"): {"QueueName": "AWS::SQS::Queue"},
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): {"QueueName": "AWS::SQS::Queue"},
    ("AWS/SQS", "NumberOfMessagesDeleted"): {"QueueName": "AWS::SQS::Queue"},
    ("AWS/Lambda", "Errors"): {"FunctionName": "AWS::Lambda::Function"},
    ("AWS/Lambda", "Throttles"): {"FunctionName": "AWS::Lambda::Function"},
    ("AWS/Lambda", "Invocations"): {"FunctionName": "AWS::Lambda::Function"},
    ("AWS/Lambda", "Duration"): {"FunctionName": "AWS::Lambda::Function"},
    ("AWS/Lambda", "Url5xxCount"): {"FunctionName": "AWS::Lambda::Function"},
    ("AWS/Lambda", "Url4xxCount"): {"FunctionName": "AWS::Lambda::Function"},
    ("AWS/Lambda", "UrlRequestCount"): {"FunctionName": "AWS::Lambda::Function"},
    ("AWS/Lambda", "AsyncEventsDropped"): {"FunctionName": "AWS::Lambda::Function"},
}
"""The metrics that AWS publishes and we may want, with the dimensions that an alarm must give: "Available CloudWatch metrics
for Amazon SQS", "Types of metrics for Lambda functions", "Monitoring Lambda function URLs"."""

WITH_THE_CODE = ("Architecture",)
"""Parameters that change with the code alone, of which each build has a key of its own in the bucket."""

PERIODS = (10, 20, 30)
"""Periods of an alarm in seconds below a minute; above, they are whole minutes: PutMetricAlarm, Period."""

OF_ONE_COPY = ("AWS::DynamoDB::Table", "AWS::S3::Bucket")
"""Types whose resources hold what is nowhere else."""


def findings(stack: Stack) -> Iterator[Finding]:
    """What our own rules find in one scenario."""
    for rule in RULES:
        yield from rule(stack)


def functions(stack: Stack) -> Iterator[Finding]:
    """A function is published and within "Lambda quotas": the schemas' limits are those of managed instances."""
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if version_of(stack, name) is None:
            yield Finding(name, "AutoPublishAlias", "publishes no version")
        if int(function.get("Timeout", 3)) > 900:
            yield Finding(name, "Timeout", "Lambda ends a function after 900 s")
        if int(function.get("MemorySize", 128)) > 10_240:
            yield Finding(name, "MemorySize", "Lambda gives a function at most 10240 MB")


def environment(stack: Stack) -> Iterator[Finding]:
    """A function's variables: together within the limit, none reserved, each one known to the function's source."""
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        variables = {key: str(value) for key, value in function.get("Environment", {}).get("Variables", {}).items()}
        size = sum(len(key.encode()) + len(value.encode()) for key, value in variables.items())
        if size > ENVIRONMENT:
            yield Finding(name, "Environment", f"{size} bytes, and Lambda takes {ENVIRONMENT}; each secret counts as {SECRET}")
        folder = source.folder_of(function)
        for key in variables:
            if key.startswith(RESERVED):
                yield Finding(name, f"Environment/Variables/{key}", "Lambda keeps this name to itself")
            elif key not in source.known_variables(folder) and not key.startswith(OF_THE_SYSTEM):
                yield Finding(name, f"Environment/Variables/{key}", "the function never reads it")
        for key in sorted(source.read_variables(folder) - variables.keys()):
            yield Finding(name, f"Environment/Variables/{key}", "the function reads it, and the template does not set it")


def secrets(stack: Stack) -> Iterator[Finding]:
    """A variable that comes from the secret names a key that the secret has."""
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        for key, value in function.get("Environment", {}).get("Variables", {}).items():
            found = re.match(r"<(\S+) .*?>s*$", str(value))
            if found and found[1] not in secret.RANDOM:
                yield Finding(name, f"Environment/Variables/{key}", f"the secret has no key {found[1]}")


def queues(stack: Stack) -> Iterator[Finding]:
    """Queues and their dead-letter queues: "Using dead-letter queues in Amazon SQS", "High throughput for FIFO queues"."""
    every = stack.of_type("AWS::SQS::Queue")
    for name, queue in every.items():
        if queue.get("FifoThroughputLimit") == "perMessageGroupId" and queue.get("DeduplicationScope") != "messageGroup":
            yield Finding(name, "DeduplicationScope", "limits by message group need deduplication by message group")
        redrive = queue.get("RedrivePolicy")
        if not redrive:
            continue
        dead = next((one for one in every if stack.arn_of(one) == redrive.get("deadLetterTargetArn")), None)
        if dead is None:
            yield Finding(name, "RedrivePolicy/deadLetterTargetArn", "is the ARN of no queue in this template")
            continue
        if bool(every[dead].get("FifoQueue")) != bool(queue.get("FifoQueue")):
            yield Finding(name, "RedrivePolicy/deadLetterTargetArn", f"{dead} is not of the same type, FIFO or standard")
        if every[dead].get("MaximumMessageSize", 1_048_576) < queue.get("MaximumMessageSize", 1_048_576):
            yield Finding(dead, "MaximumMessageSize", f"less than that of {name}")
        if not 1 <= int(redrive.get("maxReceiveCount", 0)) <= 1000:
            yield Finding(name, "RedrivePolicy/maxReceiveCount", "SQS takes 1 to 1000")


def mappings(stack: Stack) -> Iterator[Finding]:
    """Queues in front of functions: "Creating and configuring an Amazon SQS event source mapping"."""
    for name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        queue = stack.named(mapping.get("EventSourceArn"))
        reads = stack.of_type("AWS::SQS::Queue").get(queue or "")
        function = function_behind(stack, mapping.get("FunctionName"))
        if reads is None or function is None:
            missing = "EventSourceArn" if reads is None else "FunctionName"
            yield Finding(name, missing, "names nothing in this template")
            continue
        fifo, batch = reads.get("FifoQueue"), int(mapping.get("BatchSize", 10))
        if batch > (10 if fifo else 10_000):
            yield Finding(name, "BatchSize", f"{batch}, and the queue gives at most {10 if fifo else 10_000}")
        if mapping.get("MaximumBatchingWindowInSeconds") and fifo:
            yield Finding(name, "MaximumBatchingWindowInSeconds", "a FIFO queue has none")
        if batch > 10 and not mapping.get("MaximumBatchingWindowInSeconds"):
            yield Finding(name, "MaximumBatchingWindowInSeconds", "more than 10 need a window of at least a second")
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield Finding(name, "FunctionResponseTypes", "one bad record would send its whole batch round again")
        if ":live" not in str(mapping["FunctionName"]):
            yield Finding(name, "FunctionName", "is not the alias")
        visibility, timeout = int(reads.get("VisibilityTimeout", 30)), int(function[1].get("Timeout", 3))
        if visibility < 6 * timeout and (stack.scenario.name == "defaults" or not is_refused(stack)):
            yield Finding(str(queue), "VisibilityTimeout", f"{visibility} s, less than 6 times the {timeout} s of {function[0]}")


def is_refused(stack: Stack) -> bool:
    """Whether `make deploy` refuses these values together: CloudFormation's rules cannot calculate."""
    try:
        parameters.check(stack.translated, {name: str(value) for name, value in stack.scenario.parameters.items()})
    except Refusal:
        return True
    return False


def function_behind(stack: Stack, name: Any) -> tuple[str, dict[str, Any]] | None:
    """The function that a name, an ARN or an alias means."""
    for logical_id, function in stack.of_type("AWS::Lambda::Function").items():
        if str(name).split(":function:")[-1].split(":")[0] == function.get("FunctionName"):
            return logical_id, function
    return None


def alarms(stack: Stack) -> Iterator[Finding]:
    """Alarms look at metrics that somebody publishes, under the dimensions that they are published with."""
    every = stack.of_type("AWS::CloudWatch::Alarm")
    functions = stack.of_type("AWS::Lambda::Function")
    folders = [source.folder_of(function) for function in functions.values()]
    emitted = {name for folder in folders for name in source.metrics(folder)}
    namespaces = {function.get("Environment", {}).get("Variables", {}).get("METRICS_NAMESPACE") for function in functions.values()}
    for name, alarm in every.items():
        dimensions = {dimension.get("Name"): dimension.get("Value") for dimension in alarm.get("Dimensions", [])}
        namespace, metric = alarm.get("Namespace"), alarm.get("MetricName")
        if str(namespace).startswith("AWS/"):
            wanted = AWS_METRICS.get((str(namespace), str(metric)))
            if wanted is None:
                yield Finding(name, "MetricName", f"the judge knows no {metric} in {namespace}")
            elif wanted.keys() != dimensions.keys():
                yield Finding(name, "Dimensions", f"{namespace} has {metric} by {', '.join(wanted)}, not by {', '.join(dimensions) or 'none'}")
            else:
                for dimension, kind in wanted.items():
                    if dimensions[dimension] not in [stack.name_of(one) for one in stack.of_type(kind)]:
                        yield Finding(name, "Dimensions", f"{dimensions[dimension]} is the name of no {kind} in this template")
        elif namespace not in namespaces:
            yield Finding(name, "Namespace", f"no function writes to {namespace}")
        elif metric not in emitted:
            yield Finding(name, "MetricName", f"no function writes {metric}")
        elif dimensions:  # platform/src/telemetry/metrics.rs writes none
            yield Finding(name, "Dimensions", f"no function writes {metric} by {', '.join(dimensions)}")
        period = int(alarm.get("Period", 0))
        if period not in PERIODS and (period < 60 or period % 60):
            yield Finding(name, "Period", f"{period} s is neither 10, 20, 30 nor whole minutes")
        if period * int(alarm.get("EvaluationPeriods", 1)) > (604_800 if period >= 3600 else 86_400):
            yield Finding(name, "EvaluationPeriods", "an alarm looks back a day, or a week with periods of an hour")
        for kind in ("AlarmActions", "OKActions", "InsufficientDataActions"):
            actions = alarm.get(kind, [])
            topics = [Resolver(stack, name).referred(topic) for topic in stack.of_type("AWS::SNS::Topic")]
            if wrong := [action for action in actions if action not in topics]:
                yield Finding(name, kind, f"{wrong[0]} is no topic of this template")
            if kind == "AlarmActions" and topics and not actions:
                yield Finding(name, kind, "tells nobody, although there is a topic")


def kept(stack: Stack) -> Iterator[Finding]:
    """What is nowhere else outlives a replacement and the stack. Only a failed creation may take it away again."""
    for name, resource in stack.resources.items():
        if resource["Type"] in OF_ONE_COPY:
            if resource.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate"):
                yield Finding(name, "DeletionPolicy", "a deleted stack would take it along")
            if resource.get("UpdateReplacePolicy") != "Retain":
                yield Finding(name, "UpdateReplacePolicy", "a replacement would take it along")


def logs(stack: Stack) -> Iterator[Finding]:
    """A function logs into a group of this template that has the name Lambda would give it, and that expires."""
    groups = {group.get("LogGroupName"): (name, group) for name, group in stack.of_type("AWS::Logs::LogGroup").items()}
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        logging = function.get("LoggingConfig", {})
        if logging.get("LogGroup") not in groups:
            yield Finding(name, "LoggingConfig/LogGroup", "is no log group of this template")
        elif logging["LogGroup"] != f"/aws/lambda/{function.get('FunctionName')}":
            yield Finding(groups[logging["LogGroup"]][0], "LogGroupName", f"is not the name of {name}'s group")
        if logging.get("LogFormat") != "JSON" and (logging.get("ApplicationLogLevel") or logging.get("SystemLogLevel")):
            yield Finding(name, "LoggingConfig/LogFormat", "levels need the format JSON")
    for name, group in groups.values():
        if not group.get("RetentionInDays"):
            yield Finding(name, "RetentionInDays", "never expires")


def urls(stack: Stack) -> Iterator[Finding]:
    """A URL without authentication needs both permissions, on what it hangs on: "Control access to Lambda function URLs"."""
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    for name, url in stack.of_type("AWS::Lambda::Url").items():
        target = url.get("TargetFunctionArn")
        given = {one["Action"] for one in permissions if one.get("FunctionName") == target and one.get("Principal") == "*"}
        for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
            if url.get("AuthType") == "NONE" and action not in given:
                yield Finding(name, "TargetFunctionArn", f"nobody may {action}")
        if not str(target).endswith(":live"):
            yield Finding(name, "TargetFunctionArn", "is not the alias")


def publishing(template: Template, stack: Stack) -> Iterator[Finding]:
    """A changed setting, or a replaced resource, makes a new version, and so it is served: "AWS::Lambda::Version" says that a
    new description replaces one. And a new version has a new configuration, or Lambda would refuse it."""
    changes = {f"parameter {key}": replace(stack.scenario, parameters=stack.scenario.parameters | {key: another(value)})
               for key, value in stack.scenario.parameters.items() if key not in WITH_THE_CODE}  # fmt: skip
    # Only a new path replaces a role, and that is a change of the template that nobody makes by accident.
    generated = [key for key, resource in stack.resources.items()
                 if resource["Type"] in NAMES.keys() - {"AWS::IAM::Role"} and NAMES[resource["Type"]][0] not in resource["Properties"]]
    changes |= {f"replacement of {key}": replace(stack.scenario, generation={key: "2NOPQRSTUVWXY"}) for key in generated}
    for what, scenario in changes.items():
        after = template.deployed(scenario)
        for name, function in stack.of_type("AWS::Lambda::Function").items():
            old, new = without_description(function), without_description(after.of_type("AWS::Lambda::Function").get(name, {}))
            published = version_of(stack, name) != version_of(after, name)
            if old != new and not published:
                yield Finding(name, "VersionDescription", f"the {what} changes the function and publishes no version")
            if published and function == after.of_type("AWS::Lambda::Function").get(name):
                yield Finding(name, "VersionDescription", f"the {what} publishes a version of a function that is the same, which Lambda refuses")


def another(value: Any) -> Any:
    """Another value of a parameter's kind."""
    return value + 1 if isinstance(value, int) else f"{value}x"


def without_description(function: dict[str, Any]) -> dict[str, Any]:
    """What of a function a version freezes. Reserved concurrency is the function's, and no version's."""
    return {key: value for key, value in function.items() if key not in ("Description", "ReservedConcurrentExecutions", "Tags")}


def version_of(stack: Stack, function: str) -> tuple[str, Any] | None:
    """What decides whether CloudFormation makes a new version: the logical id, and the description."""
    for logical_id, version in stack.of_type("AWS::Lambda::Version").items():
        if logical_id.startswith(f"{function}Version"):
            return logical_id, version.get("Description")
    return None


RULES: list[Callable[[Stack], Iterator[Finding]]] = [
    functions, environment, secrets, queues, mappings, alarms, kept, logs, urls, rights.findings,
]  # fmt: skip
