"""From the template to what CloudFormation would send to each service: SAM's transform, and every intrinsic resolved."""

from __future__ import annotations

import copy
import logging
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from judging.values import ACCOUNT, REGION, Scenario

logging.getLogger("samtranslator").setLevel(logging.ERROR)

NO_VALUE = object()

SECRET = 3 * 94 + 2
"""Characters that a secret's list stands for: three entries, each as long as the longest that a sender shows, a Svix secret
of 64 bytes. What is in the secret itself is checked before a deploy, against what the environment has left."""

GENERATED = "1ABCDEFGHIJKL"
"""The random end of a generated name; twelve characters today, and thirteen in older stacks."""

READ_BY_SAM = ("AutoPublishAlias", "CodeUri", "DeploymentPreference", "EventInvokeConfig", "FunctionUrlConfig", "Tracing", "Condition")
"""The properties of which SAM's transform looks at the value; whatever else a function has it passes on."""

NAMES = {
    "AWS::SQS::Queue": ("QueueName", 80),
    "AWS::DynamoDB::Table": ("TableName", 255),
    "AWS::S3::Bucket": ("BucketName", 63),
    "AWS::IAM::Role": ("RoleName", 64),
    "AWS::SNS::Topic": ("TopicName", 256),
    "AWS::Scheduler::Schedule": ("Name", 64),
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::Lambda::Function": ("FunctionName", 64),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    "AWS::Events::EventBus": ("Name", 256),
}
"""By type: the property with its name, and how long CloudFormation lets a generated one get."""

REFERS_TO_ARN = {
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::Lambda::Alias": "lambda:{region}:{account}:function:{function}:{name}",
    "AWS::Lambda::Version": "lambda:{region}:{account}:function:{function}:9999",
}
"""What `Ref` of these types gives, by the type's page in the CloudFormation reference; of all others here it is a name."""

ARNS = {
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{name}",
    "AWS::CloudWatch::Alarm": "cloudwatch:{region}:{account}:alarm:{name}",
    "AWS::Scheduler::Schedule": "scheduler:{region}:{account}:schedule/default/{name}",
}


@dataclass(frozen=True, order=True)
class Finding:
    """Something wrong, and where."""

    resource: str
    property: str
    text: str

    def __str__(self) -> str:
        return f"{self.resource} {self.property}: {self.text}".replace("  ", " ")


@dataclass
class Stack:
    """A template as it would be deployed in one scenario."""

    scenario: Scenario
    translated: dict[str, Any]
    """After SAM's transform."""
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Those whose condition holds, their properties resolved."""
    conditions: dict[str, bool] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    findings: set[Finding] = field(default_factory=set)

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of the resources of one type, by logical id."""
        return {name: resource.get("Properties", {}) for name, resource in self.resources.items() if resource["Type"] == kind}

    def name_of(self, logical_id: str) -> str:
        """The physical name: the given one, or one like those that CloudFormation makes up."""
        resource = self.translated["Resources"][logical_id]
        named, longest = NAMES.get(resource["Type"], ("Name", 128))
        properties = resource.get("Properties", {})
        if named in properties:
            return str(Resolver(self, logical_id).value(properties[named], named))
        end = self.scenario.generation.get(logical_id, GENERATED)
        end = f"-{end}.fifo" if properties.get("FifoQueue") else f"-{end}"
        name = f"{self.scenario.stack}-{logical_id}"[: longest - len(end)] + end
        return name.lower() if resource["Type"] == "AWS::S3::Bucket" else name

    def arn_of(self, logical_id: str) -> str:
        """The ARN, in the form of the resource's service."""
        form = ARNS[self.translated["Resources"][logical_id]["Type"]]
        return "arn:aws:" + form.format(region=REGION, account=ACCOUNT, name=self.name_of(logical_id))

    def named(self, arn: Any) -> str | None:
        """The logical id behind an ARN, a name or a queue's URL that some property has."""
        for logical_id, resource in self.resources.items():
            if resource["Type"] in ARNS and str(arn) in (self.arn_of(logical_id), Resolver(self, "").referred(logical_id)):
                return logical_id
        return None


class Template:
    """What was written. SAM's transform of it is kept, because the values that it looks at itself are few."""

    def __init__(self, source: dict[str, Any]) -> None:
        self.source = source
        self._translated: dict[tuple[Any, ...], dict[str, Any] | list[Finding]] = {}
        functions = [self.source.get("Globals", {}).get("Function", {})]
        functions += [resource.get("Properties", {}) for resource in source["Resources"].values()]
        looked_at = str([function.get(name) for function in functions for name in READ_BY_SAM])
        self._parameters = [name for name in source["Parameters"] if re.search(rf"\b{name}\b", looked_at)]

    def deployed(self, scenario: Scenario) -> Stack:
        """The template as CloudFormation would deploy it."""
        key = tuple(scenario.parameters[name] for name in self._parameters)
        if key not in self._translated:
            self._translated[key] = self._transform(scenario)
        translated = self._translated[key]
        if isinstance(translated, list):
            return Stack(scenario, {"Resources": {}}, findings=set(translated))
        stack = Stack(scenario, translated)
        _resolve(stack)
        return stack

    def _transform(self, scenario: Scenario) -> dict[str, Any] | list[Finding]:
        source = copy.deepcopy(self.source)
        for resource in source["Resources"].values():
            if "CodeUri" in resource.get("Properties", {}):
                resource["Properties"]["CodeUri"] = f"s3://bucket/{'0' * 32}"  # `sam deploy` puts one in its place
        values = {name: str(value) for name, value in scenario.parameters.items()}
        try:
            return Translator({}, Parser(), boto_session=_session()).translate(source, values)
        except InvalidDocumentException as error:
            return [Finding("template", "Transform", cause.message) for cause in error.causes]


@cache
def _session() -> boto3.Session:
    return boto3.Session(region_name=REGION)


def _resolve(stack: Stack) -> None:
    resolver = Resolver(stack, "Conditions")
    for name in stack.translated.get("Conditions", {}):
        stack.conditions[name] = resolver.condition(name)
    for logical_id, resource in stack.translated["Resources"].items():
        resolver = Resolver(stack, logical_id)
        if "Condition" in resource and not resolver.condition(resource["Condition"]):
            continue
        depends = resource.get("DependsOn", [])
        for other in [depends] if isinstance(depends, str) else depends:
            resolver.exists(other, "DependsOn")
        properties = resolver.value(resource.get("Properties", {}), "")
        stack.resources[logical_id] = {**resource, "Properties": properties}
    for name, output in stack.translated.get("Outputs", {}).items():
        stack.outputs[name] = Resolver(stack, f"Outputs.{name}").value(output, "")


class Resolver:
    """Resolves what one resource says. What cannot be resolved is a finding about this resource."""

    def __init__(self, stack: Stack, holder: str) -> None:
        self.stack, self.holder = stack, holder

    def wrong(self, where: str, text: str) -> None:
        """Remembers a finding."""
        self.stack.findings.add(Finding(self.holder, where or "Properties", text))

    def condition(self, name: str) -> bool:
        """Whether a condition holds."""
        written = self.stack.translated.get("Conditions", {})
        if name not in written:
            self.wrong("Condition", f"there is no condition {name}")
            return False
        return bool(self.value(written[name], name))

    def exists(self, logical_id: str, where: str) -> bool:
        """Whether a resource is there in this scenario."""
        resource = self.stack.translated["Resources"].get(logical_id)
        if resource is None:
            self.wrong(where, f"{logical_id} is not in the template")
            return False
        if "Condition" in resource and not self.condition(resource["Condition"]):
            self.wrong(where, f"{logical_id} is not there without the condition {resource['Condition']}")
            return False
        return True

    def value(self, written: Any, where: str) -> Any:
        """A value with every intrinsic in it resolved."""
        if isinstance(written, list):
            values = [self.value(item, f"{where}/{index}") for index, item in enumerate(written)]
            return [value for value in values if value is not NO_VALUE]
        if isinstance(written, str):
            return re.sub(r"\{\{resolve:([^}]*)\}\}", lambda found: self._secret(found[1], where), written)
        if not isinstance(written, dict):
            return written
        if len(written) == 1:
            (function, argument), = written.items()
            if function == "Ref":
                return self.reference(argument, where)
            if function == "Condition" and self.holder == "Conditions":
                return self.condition(argument)
            if function.startswith("Fn::"):
                known = getattr(self, "_" + function.removeprefix("Fn::").lower(), None)
                if known:
                    return known(argument, where)
                self.wrong(where, f"the judge does not know {function}")
                return ""
        values = {key: self.value(item, f"{where}/{key}".lstrip("/")) for key, item in written.items()}
        return {key: value for key, value in values.items() if value is not NO_VALUE}

    def reference(self, name: str, where: str) -> Any:
        """What `Ref` gives."""
        pseudo = {
            "AWS::NoValue": NO_VALUE, "AWS::StackName": self.stack.scenario.stack, "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com", "AWS::NotificationARNs": [],
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.stack.scenario.stack}/" + "0" * 36,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.stack.scenario.parameters:
            return self.stack.scenario.parameters[name]
        return self.referred(name) if self.exists(name, where) else ""

    def referred(self, logical_id: str) -> str:
        """What `Ref` gives of a resource that is there."""
        resource = self.stack.translated["Resources"][logical_id]
        kind, name = resource["Type"], self.stack.name_of(logical_id)
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
        if kind in REFERS_TO_ARN:
            function = ""
            if kind != "AWS::SNS::Topic":
                function = self.value(resource["Properties"]["FunctionName"], "FunctionName")
            return "arn:aws:" + REFERS_TO_ARN[kind].format(region=REGION, account=ACCOUNT, name=name, function=function)
        return name

    def attribute(self, logical_id: str, attribute: str, where: str) -> Any:
        """What `Fn::GetAtt` gives: only what the type's schema offers."""
        if not self.exists(logical_id, where):
            return ""
        resource = self.stack.translated["Resources"][logical_id]
        kind = resource["Type"]
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind)
        offered = {path.removeprefix("/properties/").replace("/", ".") for path in schema.schema.get("readOnlyProperties", [])}
        if attribute not in offered and attribute not in (set(schema.schema["properties"]) if kind == "AWS::SQS::Queue" else ()):
            self.wrong(where, f"{kind} has no attribute {attribute}")
            return ""
        if attribute in ("Arn", "TopicArn") and kind in ARNS:
            return self.stack.arn_of(logical_id)
        if attribute in ("QueueName", "TableName", "Name"):
            return self.stack.name_of(logical_id)
        if attribute == "QueueUrl":
            return self.referred(logical_id)
        if attribute == "Version":
            return "9999"
        if attribute == "FunctionUrl":
            return f"https://{'a' * 32}.lambda-url.{REGION}.on.aws/"
        return f"{logical_id}.{attribute}"

    def _secret(self, reference: str, where: str) -> str:
        parts = reference.split(":")
        if parts[0] != "secretsmanager" or len(parts) != 6 or parts[2] != "SecretString":
            self.wrong(where, f"not a reference to one key of a secret: {reference}")
        elif parts[4] and parts[5]:
            self.wrong(where, "a version stage and a version id exclude each other")
        elif not parts[5]:
            self.wrong(where, "without the version's id CloudFormation does not see a rotation")
        key, version = (parts[3], parts[-1]) if len(parts) > 4 else (reference, "")
        return f"<{key} {version}>".ljust(SECRET, "s")

    def _getatt(self, argument: Any, where: str) -> Any:
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else (argument[0], ".".join(argument[1:]))
        return self.attribute(logical_id, attribute, where)

    def _sub(self, argument: Any, where: str) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument
        given = {name: self.value(value, where) for name, value in given.items()}

        def filled(found: re.Match[str]) -> str:
            name = found[1].strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in given:
                return str(given[name])
            if "." in name:
                return str(self.attribute(*name.split(".", 1), where))
            return str(self.reference(name, where))

        if unused := [name for name in given if "${" + name + "}" not in text]:
            self.wrong(where, f"{unused[0]} is not in the text")
        return self.value(re.sub(r"\$\{([^}]*)\}", filled, text), where)

    def _if(self, argument: Any, where: str) -> Any:
        name, then, otherwise = argument
        return self.value(then if self.condition(name) else otherwise, where)

    def _equals(self, argument: Any, where: str) -> bool:
        left, right = (self.value(item, where) for item in argument)
        return str(left) == str(right)

    def _not(self, argument: Any, where: str) -> bool:
        return not self.value(argument[0], where)

    def _and(self, argument: Any, where: str) -> bool:
        return all([self.value(item, where) for item in argument])

    def _or(self, argument: Any, where: str) -> bool:
        return any([self.value(item, where) for item in argument])

    def _join(self, argument: Any, where: str) -> str:
        return argument[0].join(map(str, self.value(argument[1], where)))

    def _split(self, argument: Any, where: str) -> list[str]:
        return str(self.value(argument[1], where)).split(argument[0])

    def _select(self, argument: Any, where: str) -> Any:
        index, values = int(self.value(argument[0], where)), self.value(argument[1], where)
        if index >= len(values):
            self.wrong(where, f"there is no element {index} in {values}")
            return ""
        return values[index]

    def _findinmap(self, argument: Any, where: str) -> Any:
        found: Any = self.stack.translated.get("Mappings", {})
        for key in (str(self.value(item, where)) for item in argument[:3]):
            if not isinstance(found, dict) or key not in found:
                self.wrong(where, f"there is no {key} in the mapping {argument[0]}")
                return ""
            found = found[key]
        return found
