"""The rights in deployer.yaml, compared with what AWS's own resource schemas ask for and with what the scripts and the command call.

The scripts' calls are those that test_deploys.py writes down while it takes a stack through its whole life, SAM's own among them.
Those of the command are read from its sources: every operation of a service that it has a client of.
"""

from __future__ import annotations

import json
import re
import unittest
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint
from botocore import xform_name

import parameters
from tests.test_templates import translated
from tools import ROOT

DEPLOYER = parameters.load(ROOT / "deployer.yaml")
SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas"
LARGEST_POLICY = 6144
"""Characters of a managed policy without blanks (IAM User Guide, "IAM and AWS STS quotas")."""

NOT_USED = {
    "kms:*": "every store is encrypted with keys of AWS's own",
    "kinesis:*": "the table has no stream",
    "ec2:*": "the functions are in no VPC",
    "elasticfilesystem:*": "the functions mount nothing",
    "s3files:*": "the functions mount nothing",
    "firehose:*": "logs are delivered nowhere",
    "s3tables:*": "the bucket has no metadata tables",
    "s3:*Metadata*": "the bucket has no metadata tables",
    "s3:REST.PUT.OBJECT": "no action of IAM's: a mistake in the schema",
    "s3:*Accelerate*": "the bucket has no such setting",
    "s3:*Analytics*": "the bucket has no such setting",
    "s3:*IntelligentTiering*": "the bucket has no such setting",
    "s3:*Inventory*": "the bucket has no such setting",
    "s3:*Metrics*": "the bucket has no such setting",
    "s3:*Replication*": "the bucket has no such setting",
    "s3:*ObjectLock*": "the bucket has no such setting",
    "s3:DeleteBucketCors": "the bucket has no such setting",
    "s3:DeleteBucketWebsite": "the bucket has no such setting",
    "s3:DeleteBucketEncryption": "encryption stays as long as the bucket",
    "s3:DeleteBucketLifecycle": "there are always rules",
    "s3:DeleteObject": "objects are not CloudFormation's",
    "s3:PutObjectAcl": "objects are not CloudFormation's",
    "dynamodb:*Replica*": "the table is in one region",
    "dynamodb:*Kinesis*": "the table has no stream",
    "dynamodb:*Import*": "nothing is imported from S3",
    "dynamodb:*Item": "items are not CloudFormation's",
    "dynamodb:Query": "items are not CloudFormation's",
    "dynamodb:Scan": "items are not CloudFormation's",
    "dynamodb:DeleteResourcePolicy": "the table has no policy of its own",
    "dynamodb:PutResourcePolicy": "the table has no policy of its own",
    "iam:CreateServiceLinkedRole": "for replicas only",
    "iam:*PermissionsBoundary": "the roles have none",
    "events:*Permission": "the bus has no policy",
    "logs:*Policy": "the log groups have no policies of their own but their retention",
    "logs:*Policies": "the same",
    "logs:*KmsKey": "logs are encrypted with AWS's own key",
    "logs:CreateLogDelivery": "logs are delivered nowhere",
    "logs:CreateLogStream": "the functions do that themselves",
    "logs:PutLogEvents": "the functions do that themselves",
    "logs:PutBearerTokenAuthentication": "the log groups have no such setting",
    "logs:PutLogGroupDeletionProtection": "the log groups have no such setting",
    "lambda:*CodeSigning*": "the code is not signed",
    "lambda:GetLayerVersion": "the functions have no layers",
    "lambda:PassCapacityProvider": "the functions have no capacity provider",
    "lambda:AssociateRuntimeAlias": "for runtimes that AWS updates",
    "cloudfront:*ConnectionGroup": "the front has one tenant",
    "cloudfront:GetVpcOrigin": "the function URL is public",
    "codedeploy:RegisterOnPremisesInstance": "functions run on Lambda",
}
"""Rights that the schemas name for features that the templates do not use."""

IAM_NAMES = {
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "s3:CopyObject": "s3:PutObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
}
"""Calls that IAM knows by another name (Service Authorization Reference)."""

RESTORES = "DynamoDB asks for it when a table is restored (Developer Guide, \"IAM and DynamoDB backup and restore\")"
NEEDED_UNSEEN = {
    "cloudformation:TagResource": "CloudFormation asks for it when a stack gets tags (Service Authorization Reference)",
    "dynamodb:BatchWriteItem": RESTORES,
    "dynamodb:DeleteItem": RESTORES,
    "dynamodb:DescribeContinuousBackups": "the local AWS knows no window of backups",
    "dynamodb:PutItem": f"{RESTORES}, and the tests restore nothing through the whole command that was lost",
    "dynamodb:Query": RESTORES,
    "dynamodb:UpdateItem": RESTORES,
    "s3:AbortMultipartUpload": "the tests leave no unfinished upload behind",
    "secretsmanager:CreateSecret": "the tests make the secret themselves, before the first deploy",
    "secretsmanager:PutSecretValue": "`make secret`",
}
"""Rights that no recorded call shows, with the reason why they are there."""

NO_RIGHT_NEEDED = {"sts:GetCallerIdentity"}


def statements(policy: str) -> list[dict[str, Any]]:
    """The statements of one of the managed policies."""
    return DEPLOYER["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]


def actions(policy: str) -> list[str]:
    """The actions that a managed policy allows."""
    listed = [one["Action"] for one in statements(policy)]
    return [action for one in listed for action in ([one] if isinstance(one, str) else one)]


def allows(policy: str, action: str) -> bool:
    """Whether a managed policy allows an action, on some resource. IAM takes no notice of the case."""
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in actions(policy))


def handler_permissions(kind: str) -> set[str]:
    """What AWS's schema of a resource type says that its handlers call."""
    index = json.loads((SCHEMAS / "providers" / "us-east-1.json").read_text())
    handlers = json.loads((SCHEMAS / "resources" / f"{index[kind].removesuffix('.json')}.json").read_text())["handlers"]
    return {right for name in ("create", "read", "update", "delete") for right in handlers.get(name, {}).get("permissions", [])}


def kinds() -> set[str]:
    """The types of all resources that the templates can make."""
    ours = {one["Type"] for one in translated(CanaryDeployment="true").values()}
    return ours | {one["Type"] for one in parameters.load(ROOT / "front.yaml")["Resources"].values()}


CLIENTS = {"cloudwatchlogs": "logs", "eventbridge": "events"}
"""SDK crates whose service has another name in botocore, and with it in IAM."""


def calls_of_the_command() -> set[str]:
    """The operations that the sources of the command call, their tests aside."""
    manifest = (ROOT / "cli" / "Cargo.toml").read_text().split("[dev-dependencies]")[0]
    clients = [CLIENTS.get(crate, crate) for crate in re.findall(r"^aws-sdk-(\w+)", manifest, re.MULTILINE)]
    files = [file for file in (ROOT / "cli" / "src").rglob("*.rs") if file.name != "tests.rs" and "tests" not in file.parts]
    source = "".join(file.read_text().split("#[cfg(test)]")[0] for file in files)
    called = set(re.findall(r"\.(\w+)\(\)", source))
    models = {client: botocore.session.get_session().get_service_model(client) for client in clients}
    return {f"{client}:{name}" for client, model in models.items() for name in model.operation_names if xform_name(name) in called}


def uncovered_calls(recorded: set[str], policies: tuple[str, ...]) -> set[str]:
    """The recorded calls that none of these policies allows."""
    rights = {IAM_NAMES.get(call, call) for call in recorded} - NO_RIGHT_NEEDED
    return {right for right in rights if not any(allows(policy, right) for policy in policies)}


class Deployer(unittest.TestCase):
    """deployer.yaml."""

    def test_cloudformation_may_do_what_its_schemas_ask_for(self) -> None:
        used = set()
        for kind in sorted(kinds()):
            for right in handler_permissions(kind):
                reasons = [pattern for pattern in NOT_USED if fnmatchcase(right, pattern)]
                used |= set(reasons)
                if not allows("Provision", right):
                    self.assertTrue(reasons, f"{kind} needs {right}")
        self.assertEqual(NOT_USED.keys() - used, set(), "a reason for what no schema asks for")

    def test_what_is_stored_can_be_neither_read_nor_written_by_a_deploy(self) -> None:
        for action in ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "sqs:ReceiveMessage", "sqs:SendMessage"):
            for policy in ("Deploy", "Provision"):
                self.assertFalse(allows(policy, action), f"{policy} allows {action}")
        for policy in ("Deploy", "Provision"):
            for statement in statements(policy):
                if any(fnmatchcase("s3:GetObject", action) for action in statement["Action"]):
                    self.assertIn("aws-sam-cli-managed-default", json.dumps(statement["Resource"]), statement["Sid"])

    def test_the_command_may_do_what_it_calls_and_nothing_else(self) -> None:
        calls = calls_of_the_command()
        self.assertGreater(len(calls), 40, calls)
        self.assertEqual(uncovered_calls(calls, ("Command",)), set())
        needed = {IAM_NAMES.get(call, call) for call in calls}
        self.assertEqual(set(actions("Command")) - needed, set(), "rights that no call needs")

    def test_the_command_writes_no_artifact(self) -> None:
        for statement in statements("Command"):
            if {"s3:PutObject", "s3:DeleteObject"} & set(statement["Action"]):
                folders = [resource["Fn::Sub"].rsplit("-*/", 1)[1] for resource in statement["Resource"]]
                self.assertEqual(folders, ["claims/*", "parked/*", "quarantine/*", "spool/*"])

    def test_rights_are_bounded_by_the_stacks_name(self) -> None:
        without = {"Quota", "TemplatesBeforeTheyAreAStack", "Triggers", "WhatKnowsNoResource"}
        for policy in ("Deploy", "Provision", "Command", "Operate"):
            for statement in statements(policy):
                self.assertEqual(statement["Effect"], "Allow")
                self.assertEqual(statement["Resource"] == "*", statement["Sid"] in without, statement["Sid"])
                self.assertNotIn("*", statement["Action"])
                through_cloudformation = "aws:CalledVia" in json.dumps(statement.get("Condition", {}))
                passes_roles = "iam:PassedToService" in json.dumps(statement.get("Condition", {}))
                self.assertEqual(policy == "Provision", through_cloudformation or passes_roles, statement["Sid"])

    def test_each_policy_is_as_small_as_iam_wants_it(self) -> None:
        for policy in ("Deploy", "Provision", "Command", "Operate"):
            document = DEPLOYER["Resources"][policy]["Properties"]["PolicyDocument"]
            text = json.dumps(document, separators=(",", ":")).replace('{"Fn::Sub":', "").replace("${StackName}", "r" * 41)
            for name, value in [("Partition", "aws"), ("Region", "ap-northeast-1"), ("AccountId", "1" * 12)]:
                text = text.replace(f"${{AWS::{name}}}", value)
            self.assertLess(len(text), LARGEST_POLICY, policy)

    def test_github_may_deploy_from_one_environment_only(self) -> None:
        role = DEPLOYER["Resources"]["GitHubRole"]["Properties"]
        self.assertEqual(role["ManagedPolicyArns"], [{"Ref": "Deploy"}, {"Ref": "Provision"}])
        condition = role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
        self.assertEqual(list(condition), ["StringEquals"], "no pattern")
        self.assertEqual(
            condition["StringEquals"]["token.actions.githubusercontent.com:sub"],
            {"Fn::Sub": "repo:${GitHubRepository}:environment:${GitHubEnvironment}"},
        )
        workflow = parameters.load(ROOT / ".github" / "workflows" / "deploy.yml")
        (job,) = workflow["jobs"].values()
        self.assertEqual(job["environment"], DEPLOYER["Parameters"]["GitHubEnvironment"]["Default"])
        self.assertEqual(workflow["permissions"], {"contents": "read", "id-token": "write"})
        self.assertNotIn("uses", json.dumps(job["steps"]), "no third-party action gets at the credentials")
