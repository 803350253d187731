"""One deployed stack: the state it is in, changing it, checking that it works, and going back."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

import build
from parameters import FUNCTIONS, Template, Values
from refusal import Refusal
from tools import ROOT, say

ALIAS = "live"
KEPT_VERSIONS = 3
"""How many versions of a function stay: the one in use and two to go back to."""

READY = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")
"""States in which a stack takes a change."""

LEFTOVER = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
"""States of a stack whose creation never came about. It has nothing in it, takes no change, and can only be deleted."""

WAYS_OUT = {
    "CREATE_FAILED": "`aws cloudformation delete-stack --stack-name {name}`, then deploy again.",
    "ROLLBACK_FAILED": "what is named above could not be removed: remove it by hand, `aws cloudformation delete-stack --stack-name {name}`, then deploy again.",
    "DELETE_FAILED": "what is named above could not be removed: remove it by hand, and repeat `make destroy`.",
    "UPDATE_FAILED": "`aws cloudformation rollback-stack --stack-name {name}`, then deploy again.",
    "UPDATE_ROLLBACK_FAILED": "repair what is named above, then `aws cloudformation continue-update-rollback --stack-name {name}`, then deploy again.",
    "IMPORT_ROLLBACK_FAILED": "`aws cloudformation continue-update-rollback --stack-name {name}`, then deploy again.",
}
"""What leads out of the states in which a stack takes no change."""

PROTECTED = ("IngestFunction", "IngestFunctionAliaslive", "IngestFunctionUrl", "Table", "Bucket")
"""Logical ids, after SAM's transform, of what must never be replaced or removed by an update: the address that bots carry,
and what is stored."""

STACK_POLICY = {
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["Update:Replace", "Update:Delete"],
            "Resource": [f"LogicalResourceId/{name}" for name in PROTECTED],
        },
    ]
}

PATHS = {
    "meetstream": "/webhooks/meetstream",
    "meetstream-callback": "/webhooks/meetstream/not-a-token",
    "meetingbaas-v1": "/webhooks/meetingbaas/v1",
    "meetingbaas-v2": "/webhooks/meetingbaas/v2",
    "meetingbaas-callback": "/webhooks/meetingbaas/callback",
    "meetingbaas-legacy": "/webhooks/meetingbaas/legacy",
}
"""The path of each route, by the name that `rollcall settings check` gives it."""

REFUSED = {"meetingbaas-callback": None}
"""What a route answers without a credential, where that is not 401. This one answers 503, which would ring an alarm."""

SMOKE_SECONDS = 60
"""How long an address may take until it answers as it should: a new one has to become known first."""


def session() -> tuple[boto3.Session, str]:
    """Credentials and region, and the account that they lead to."""
    found = boto3.Session()
    if not found.region_name:
        raise Refusal("there is no AWS region", "set AWS_REGION, as in `AWS_REGION=eu-central-1 make deploy`, or AWS_PROFILE to a profile with one.")
    return found, found.client("sts").get_caller_identity()["Account"]


@dataclass(frozen=True)
class Deployment:
    """One stack on AWS, by its name, in the account and region of the session."""

    name: str
    session: boto3.Session

    def client(self, service: str) -> Any:
        """A client of one service."""
        return self.session.client(service)

    # ── What is there ───────────────────────────────────────────────────────────────────────────────────────

    def describe(self) -> dict[str, Any] | None:
        """What CloudFormation says of the stack, or None when there is no such stack."""
        try:
            stack = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
            return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise

    def ready(self) -> dict[str, Any] | None:
        """The stack, if it takes a change; None if it has to be created.

        What a creation left behind that never came about is removed. Any other state is refused, with the way out.
        """
        stack = self.describe()
        if stack is None or stack["StackStatus"] in READY:
            return stack
        status = stack["StackStatus"]
        if status in LEFTOVER:
            say(f"removing the empty stack {self.name} ({status}), which an earlier first deploy left behind")
            self.delete()
            return None
        if status.endswith("_IN_PROGRESS"):
            raise Refusal(
                f"stack {self.name} is being changed ({status})",
                f"wait until that is over: `aws cloudformation describe-stacks --stack-name {self.name}` shows the state.",
            )
        reasons = "".join(f"\n       {reason}" for reason in self.failures())
        raise Refusal(
            f"stack {self.name} takes no change: {status}{reasons}",
            WAYS_OUT.get(status, "look at it in the console.").format(name=self.name),
        )

    def must_exist(self) -> dict[str, Any]:
        """The stack, ready for a change."""
        if stack := self.ready():
            return stack
        raise Refusal(
            f"there is no stack {self.name} in {self.session.region_name}",
            "`make deploy` makes one; for another name give STACK=, for another region AWS_REGION.",
        )

    def failures(self) -> list[str]:
        """What failed in the stack's last change: the resources' names with AWS's reasons, first things first."""
        events = self.client("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        found = []
        for event in events:
            if event["LogicalResourceId"] == self.name and not event["ResourceStatus"].endswith("FAILED"):
                if event.get("ResourceStatusReason") == "User Initiated":
                    break
            reason = event.get("ResourceStatusReason", "")
            if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
                found.append(f"{event['LogicalResourceId']}: {reason}")
        return found[::-1][:3]

    def template(self) -> str:
        """The deployed template as it was given to CloudFormation, before SAM's transform."""
        client = self.client("cloudformation")
        body = client.get_template(StackName=self.name, TemplateStage="Original")["TemplateBody"]
        return body if isinstance(body, str) else json.dumps(body)

    def resource(self, logical_id: str) -> str | None:
        """The physical id of one resource."""
        try:
            found = self.client("cloudformation").describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return found["StackResourceDetail"].get("PhysicalResourceId")

    def function(self, name: str) -> str:
        """The name of one of the two functions, `ingest` or `process`."""
        return f"{self.name}-{name}"

    # ── Changing it ─────────────────────────────────────────────────────────────────────────────────────────

    def change(self, template: Path, values: Values, first: bool) -> None:
        """Deploys a template with these values, and waits.

        A first creation that fails is undone: SAM deletes the stack (`--on-failure DELETE`), and what the template retains
        goes as well, because it says RetainExceptOnCreate.
        """
        command = ["sam", "deploy", "--template-file", str(template), "--stack-name", self.name]
        command += ["--region", self.session.region_name, "--resolve-s3", "--s3-prefix", self.name]
        command += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset"]
        command += ["--no-progressbar", "--tags", "project=rollcall", f"stack={self.name}"]
        if first:
            command += ["--on-failure", "DELETE"]
        settings = build.environment() | {"AWS_REGION": self.session.region_name}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump(values, file)  # JSON is YAML. On the command line SAM cannot read an empty value.
            file.flush()
            made = subprocess.run([*command, "--parameter-overrides", f"file://{file.name}"], cwd=ROOT, env=settings, stderr=subprocess.STDOUT)
        if made.returncode:
            after = "nothing is left of it" if first else "the stack is as it was before"
            raise Refusal("CloudFormation did not make the change; its reasons are above", f"{after}: repair the cause, and repeat the command.")

    def change_text(self, template: str, values: Values) -> None:
        """The same with a template's text."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "template.yaml"
            file.write_text(template)
            self.change(file, values, first=False)

    def protect(self) -> None:
        """Puts what must not get lost beyond the reach of a mistake."""
        client = self.client("cloudformation")
        client.set_stack_policy(StackName=self.name, StackPolicyBody=json.dumps(STACK_POLICY))
        client.update_termination_protection(StackName=self.name, EnableTerminationProtection=True)
        self.protect_table(True)

    def protect_table(self, on: bool) -> None:
        """Switches the table's own protection against deletion.

        This is not in the template: a failed first creation could not be undone then.
        """
        table, client = self.resource("Table"), self.client("dynamodb")
        described = client.describe_table(TableName=table)["Table"]
        if bool(described.get("DeletionProtectionEnabled")) != on:
            client.update_table(TableName=table, DeletionProtectionEnabled=on)

    def delete(self) -> None:
        """Deletes the stack and waits."""
        client = self.client("cloudformation")
        stack_id = (self.describe() or {}).get("StackId", self.name)
        client.delete_stack(StackName=self.name)
        client.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig={"Delay": 5, "MaxAttempts": 360})

    # ── Versions of the functions ───────────────────────────────────────────────────────────────────────────

    def live(self) -> Values:
        """The version that the alias of each function points to; without those that are not there yet."""
        client, found = self.client("lambda"), {}
        for function in FUNCTIONS:
            try:
                found[function] = client.get_alias(FunctionName=self.function(function), Name=ALIAS)["FunctionVersion"]
            except client.exceptions.ResourceNotFoundException:
                continue
        return found

    def go_back(self, before: Values) -> list[str]:
        """Points the aliases to the versions before a deploy, and says what was done."""
        client, now, done = self.client("lambda"), self.live(), []
        for function, version in before.items():
            if now.get(function) == version:
                continue
            name = self.function(function)
            try:
                client.get_function_configuration(FunctionName=name, Qualifier=version)
            except client.exceptions.ResourceNotFoundException:
                done.append(f"{name} stays at version {now.get(function)}: version {version} is gone")
                continue
            client.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)
            done.append(f"{name} is back at version {version}")
        return done

    def prune(self) -> list[str]:
        """Removes old versions of both functions, and with them the old secrets in their environments.

        The newest few stay, and whatever an alias points to.
        """
        client, removed = self.client("lambda"), []
        for function in FUNCTIONS:
            name = self.function(function)
            pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
            numbers = [int(one["Version"]) for page in pages for one in page["Versions"] if one["Version"] != "$LATEST"]
            in_use: set[str] = set()
            for page in client.get_paginator("list_aliases").paginate(FunctionName=name):
                for alias in page["Aliases"]:
                    in_use |= {alias["FunctionVersion"], *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})}
            for number in sorted(numbers)[:-KEPT_VERSIONS]:
                if str(number) not in in_use:
                    client.delete_function(FunctionName=name, Qualifier=str(number))
                    removed.append(f"{name}:{number}")
        return removed

    # ── Whether it works ────────────────────────────────────────────────────────────────────────────────────

    def smoke_test(self, routes: list[str]) -> list[str]:
        """What does not answer as it should, after some patience; `routes` names those that have a credential."""
        url = outputs(self.describe())["FunctionUrl"]
        wanted = [("POST", "/webhooks/nowhere", 404)]
        for route in routes:
            wanted += [("GET", PATHS[route], 405), ("POST", PATHS[route], REFUSED.get(route, 401))]
        end = time.monotonic() + SMOKE_SECONDS
        while True:
            wrong = [found for check in wanted if check[2] and (found := answers(url, *check))] + self._process_starts()
            if not wrong or time.monotonic() > end:
                return wrong
            time.sleep(2)

    def _process_starts(self) -> list[str]:
        """CloudFormation never invokes a function. A batch without records tells whether this one starts."""
        client, name = self.client("lambda"), self.function("process")
        answer = client.invoke(FunctionName=name, Qualifier=ALIAS, Payload=json.dumps({"Records": []}))
        said = answer["Payload"].read().decode(errors="replace")
        if answer.get("FunctionError") or answer["StatusCode"] != 200:
            return [f"{name} does not start: {said[:300]}"]
        return []


def outputs(stack: dict[str, Any] | None) -> Values:
    """A stack's outputs by name."""
    return {output["OutputKey"]: output["OutputValue"] for output in (stack or {}).get("Outputs", [])}


def values_of(stack: dict[str, Any] | None) -> Values:
    """The parameters with which a stack is deployed."""
    return {one["ParameterKey"]: one["ParameterValue"] for one in (stack or {}).get("Parameters", [])}


def reachable(url: str) -> str:
    """A function URL as it can be called from here. The local AWS serves it under a path of its own, which needs no DNS."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    identifier = url.removeprefix("https://").split(".")[0]
    return f"{endpoint}/_aws/lambda-url/{identifier}/" if endpoint else url


def answers(url: str, method: str, path: str, wanted: int) -> str | None:
    """None if a request without a credential is answered as it should be, else what is wrong."""
    request = urllib.request.Request(reachable(url).rstrip("/") + path, method=method, data=None if method == "GET" else b"{}")
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    except OSError as error:
        return f"{method} {path}: no answer ({error})"
    return None if status == wanted else f"{method} {path} is answered {status} instead of {wanted}"


def artifacts_bucket(template: Template) -> str:
    """The bucket that the functions' code was uploaded to, from a packaged template."""
    code = template["Resources"][FUNCTIONS["ingest"]]["Properties"]["CodeUri"]
    return code["Bucket"] if isinstance(code, dict) else code.removeprefix("s3://").split("/")[0]
