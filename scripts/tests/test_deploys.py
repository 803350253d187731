"""The scripts from end to end against the local AWS: the real template, the real functions, and every change of a stack's life."""

from __future__ import annotations

import configparser
import contextlib
import datetime
import io
import json
import os
import re
import shutil
import unittest
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
from botocore.client import BaseClient
from samcli.yamlhelper import yaml_parse

import build
import deploy
import destroy
import front
import github
import releases
import restore
import rollback
import rotate
import secret
import stack as local
from deployment import Deployment, outputs, values_of
from local_aws import LocalAws, free_port
from refusal import Refusal
from tests.recorder.sitecustomize import record
from tests.test_deployer import IAM_NAMES, NEEDED_UNSEEN, actions, uncovered_calls
from tools import ROOT

NAME = "rollcall"


class Deploys(unittest.TestCase):
    """One stack's life, in the order of the names of the tests."""

    aws: LocalAws
    built: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.aws = LocalAws(ROOT / ".local" / "test-deploy", free_port())
        cls.aws.stop()
        shutil.rmtree(cls.aws.folder, ignore_errors=True)
        cls.aws.folder.mkdir(parents=True)
        cls.aws.start()
        cls.addClassCleanup(cls.aws.stop)
        cls.built = cls.aws.folder / "built"
        # `make test` has built both, and is testing them just now.
        made = build.LOCAL if os.environ.get("ROLLCALL_BUILT") else build.for_this_machine()
        shutil.copytree(made, cls.built)
        rollcall = build.DEBUG / "rollcall"
        variables = {"SAM_CLI_POLL_DELAY": "1", "PYTHONPATH": str(ROOT / "scripts" / "tests" / "recorder")}
        for patch in (
            mock.patch.dict(os.environ, cls.aws.client_environment() | variables),
            mock.patch.object(BaseClient, "_make_api_call", BaseClient._make_api_call),  # undoes what `record` does
            mock.patch("build.for_aws", return_value=cls.built),
            mock.patch("remembered.FILE", cls.aws.folder / "deployments.json"),
            mock.patch("stack.command", return_value=rollcall),
            mock.patch("deploy.doctor", return_value=True),
        ):
            patch.start()
            cls.addClassCleanup(patch.stop)
        record()
        cls.deployment = Deployment(NAME, boto3.Session())

    def said(self, call: Any, role: str = "Deploy") -> str:
        """What a call prints. What it asks AWS for is written down for whoever has this policy of deployer.yaml."""
        text = io.StringIO()
        calls = {"ROLLCALL_CALLS": str(self.aws.folder / f"calls-{role}")}
        with contextlib.redirect_stdout(text), mock.patch.dict(os.environ, calls):
            call()
        return text.getvalue()

    def deploy(self, changes: str = "", adopt: str = "") -> str:
        """Deploys without a terminal."""
        return self.said(lambda: deploy.deploy(NAME, f"AwsEndpointUrl={self.aws.function_endpoint} {changes}", None, adopt))

    def environment(self, function: str) -> dict[str, str]:
        """What the version behind the alias has in its environment."""
        client = self.deployment.client("lambda")
        found = client.get_function_configuration(FunctionName=f"{NAME}-{function}", Qualifier="live")
        return found["Environment"]["Variables"]

    def versions(self, function: str) -> list[str]:
        pages = self.deployment.client("lambda").list_versions_by_function(FunctionName=f"{NAME}-{function}")
        return [one["Version"] for one in pages["Versions"] if one["Version"] != "$LATEST"]

    def values(self) -> dict[str, str]:
        return values_of(self.deployment.describe())

    def test_01_what_would_not_start_is_never_deployed(self) -> None:
        client = self.deployment.client("secretsmanager")
        secret.ensure(client, NAME)
        version, value = secret.read(client, NAME) or ("", {})
        for change, said in [
            ({secret.CALLBACK_TOKENS: "weak"}, "at least 22 characters"),
            ({secret.SVIX_SECRETS: "not base64!"}, "MEETINGBAAS_SVIX_SECRETS"),
            ({secret.WEBHOOK_SECRETS: "same,same"}, "a second time"),
            ({secret.LEGACY_SECRETS: "x" * 4000}, "Lambda takes 4096"),
            ({secret.MEETSTREAM_API_KEYS: "two words"}, "MEETSTREAM_API_KEYS"),
            (dict.fromkeys(value, ","), "every route would answer 404"),
        ]:
            client.put_secret_value(SecretId=NAME, SecretString=json.dumps(value | change))
            with self.subTest(said), self.assertRaisesRegex(Refusal, said) as refused:
                self.deploy()
            self.assertNotIn("weak", str(refused.exception))
            self.assertIsNone(self.deployment.describe())
        client.put_secret_value(SecretId=NAME, SecretString=json.dumps(value))

    def test_02_a_failed_first_deploy_leaves_nothing_behind(self) -> None:
        # Something that fails once table and bucket are there: a signal that nobody gives.
        broken = self.built.parent / "broken"
        shutil.copytree(self.built, broken)
        template = yaml_parse((broken / "template.yaml").read_text())
        template["Resources"]["Handle"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
        template["Resources"]["Never"] = {
            "Type": "AWS::CloudFormation::WaitCondition",
            "DependsOn": ["Table", "Bucket", "IngestFunction"],
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "1", "Count": 1},
        }
        (broken / "template.yaml").write_text(json.dumps(template))
        with mock.patch("build.for_aws", return_value=broken), self.assertRaisesRegex(Refusal, "nothing is left of it"):
            self.deploy()
        self.assertIsNone(self.deployment.describe())
        self.assertEqual(self.deployment.client("dynamodb").list_tables()["TableNames"], [])
        buckets = [one["Name"] for one in self.deployment.client("s3").list_buckets()["Buckets"]]
        self.assertEqual([name for name in buckets if name.startswith(NAME)], [])

    def test_03_the_first_deploy_works_without_a_question(self) -> None:
        said = self.deploy()
        self.assertIn("/webhooks/meetstream", said)
        self.assertIn("nobody is told of them", said)
        stack = self.deployment.describe() or {}
        self.assertEqual(stack["StackStatus"], "CREATE_COMPLETE")
        self.assertTrue(stack["EnableTerminationProtection"])
        self.assertIn({"Key": "project", "Value": "rollcall"}, stack["Tags"])
        policy = json.loads(self.deployment.client("cloudformation").get_stack_policy(StackName=NAME)["StackPolicyBody"])
        deny = next(one for one in policy["Statement"] if one["Effect"] == "Deny")
        self.assertEqual(deny["Action"], ["Update:Replace", "Update:Delete"])
        resources = self.deployment.client("cloudformation").describe_stack_resources(StackName=NAME)["StackResources"]
        known = {f"LogicalResourceId/{one['LogicalResourceId']}" for one in resources}
        self.assertLessEqual(set(deny["Resource"]), known, "the policy protects what there is")
        table = self.deployment.client("dynamodb").describe_table(TableName=outputs(stack)["TableName"])["Table"]
        self.assertTrue(table["DeletionProtectionEnabled"])
        self.assertEqual(len(releases.listed(self.deployment)), 1)

    def test_04_a_setting_is_changed_and_the_others_stay(self) -> None:
        before = self.values()
        said = self.deploy("SessionRetentionDays=30 AlarmEmail=a@b.example")
        self.assertEqual(self.values(), before | {"SessionRetentionDays": "30", "AlarmEmail": "a@b.example"})
        self.assertEqual(self.environment("process")["SESSION_RETENTION_DAYS"], "30")
        self.assertRegex(said, "a@b.example")
        self.deploy("AlarmEmail=")
        self.assertEqual(self.values(), before | {"SessionRetentionDays": "30"}, "an emptied one is empty")
        with mock.patch.dict(os.environ, {"ARCH": ""}):
            self.assertEqual(deploy.architecture_of({"Architecture": "arm64"}), "arm64", "remembered")
        with mock.patch.dict(os.environ, {"ARCH": "x86_64"}):
            self.assertEqual(deploy.architecture_of({"Architecture": "arm64"}), "x86_64", "unless asked for")

    def test_04b_another_region_makes_no_second_stack_by_mistake(self) -> None:
        with mock.patch.dict(os.environ, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}):
            with self.assertRaisesRegex(Refusal, "no stack rollcall in eu-west-1, and this checkout deployed it to us-east-1"):
                self.deploy()

    def test_05_the_version_before_serves_again_after_a_change_of_settings_that_does_not_work(self) -> None:
        before, environment = self.deployment.live(), self.environment("process")
        with mock.patch.object(Deployment, "smoke_test", return_value=["GET / is wrong"]), self.assertRaises(Refusal) as refused:
            self.deploy("SessionRetentionDays=60")
        self.assertIn("GET / is wrong", str(refused.exception))
        self.assertIn(f"back at version {before['process']}", str(refused.exception))
        self.assertEqual(self.deployment.live(), before)
        self.assertEqual(self.environment("process"), environment)

    def test_05b_code_that_does_not_start_is_found_out_and_serves_nobody(self) -> None:
        before = self.deployment.live()
        broken = self.built.parent / "does-not-start"
        shutil.copytree(self.built, broken)
        for bootstrap in broken.glob("*/bootstrap"):
            bootstrap.write_text("#!/bin/sh\nexit 1\n")
        with mock.patch("build.for_aws", return_value=broken), mock.patch("deployment.SMOKE_SECONDS", 1):
            with self.assertRaises(Refusal) as refused:
                self.deploy()
        for word in ("rollcall-process does not start", "POST /webhooks/meetstream is answered", "rollcall-ingest is back", "rollcall-process is back"):
            self.assertIn(word, str(refused.exception))
        self.assertEqual(self.deployment.live(), before)
        self.assertEqual(self.deployment.smoke_test(["meetstream", "meetstream-callback"]), [])
        with self.assertRaisesRegex(Refusal, "not known to work"):
            self.rotate()

    def test_06_a_rollback_takes_settings_back_too(self) -> None:
        self.assertEqual(self.values()["SessionRetentionDays"], "60", "the failed change is still what is deployed")
        said = self.said(lambda: rollback.rollback(NAME, None))
        self.assertIn("SessionRetentionDays: 60 → 30", said)
        self.assertIn("code, or the rest of the template", said)
        self.assertEqual(self.values()["SessionRetentionDays"], "30")
        self.assertEqual(self.environment("process")["SESSION_RETENTION_DAYS"], "30")
        self.assertNotIn("a@b.example", self.values().values())

    def test_07_a_rotation_changes_the_secret_and_nothing_else(self) -> None:
        client, before, code = self.deployment.client("secretsmanager"), self.values(), self.deployment.template()
        self.assertFalse(self.rotate())
        version = secret.add(client, NAME, secret.WEBHOOK_SECRETS, "n3w-secret", keep=2)
        with mock.patch("parameters.load", side_effect=AssertionError("the working tree is not looked at")):
            self.assertTrue(self.rotate())
        self.assertEqual(self.values(), before | {"SecretVersionId": version})
        self.assertEqual(self.deployment.template(), code)
        self.assertTrue(self.environment("ingest")["MEETSTREAM_WEBHOOK_SECRETS"].startswith("n3w-secret,"))

    def rotate(self) -> bool:
        """Rotates, and says whether there was anything to do."""
        done: list[bool] = []
        self.said(lambda: done.append(rotate.rotate(NAME)))
        return done[0]

    def test_08_a_rotation_that_would_not_start_is_refused(self) -> None:
        client, before = self.deployment.client("secretsmanager"), self.values()
        secret.add(client, NAME, secret.CALLBACK_TOKENS, "weak", keep=2)
        with self.assertRaisesRegex(Refusal, "at least 22 characters"):
            self.rotate()
        self.assertEqual(self.values(), before)
        secret.drop(client, NAME, secret.CALLBACK_TOKENS, {1})

    def test_09_a_rollback_after_a_rotation_takes_the_rotation_back(self) -> None:
        self.rotate()
        before = self.environment("ingest")["MEETSTREAM_WEBHOOK_SECRETS"]
        secret.drop(self.deployment.client("secretsmanager"), NAME, secret.WEBHOOK_SECRETS, {1})
        self.rotate()
        self.assertNotEqual(self.environment("ingest")["MEETSTREAM_WEBHOOK_SECRETS"], before)
        self.said(lambda: rollback.rollback(NAME, None))
        self.assertEqual(self.environment("ingest")["MEETSTREAM_WEBHOOK_SECRETS"], before)

    def test_10_three_versions_stay_and_the_one_in_use_is_among_them(self) -> None:
        for function in ("ingest", "process"):
            versions = self.versions(function)
            self.assertLessEqual(len(versions), 3)
            self.assertIn(self.deployment.live()[function], versions)


    def put_session(self, table: str, bot: str, state: str, document: str) -> None:
        """Puts a session into a table, and a delivery beside it."""
        item = {"state": {"S": state}, "document": {"S": document}, "version": {"N": "3"}}
        for sk in ("session", "line#k"):
            key = {"pk": {"S": f"meetstream#{bot}"}, "sk": {"S": sk}}
            self.deployment.client("dynamodb").put_item(TableName=table, Item=key | item)

    def documents(self, table: str) -> dict[str, str]:
        """The documents in a table, by the bot and the sort key."""
        items = self.deployment.client("dynamodb").scan(TableName=table)["Items"]
        return {f"{one['pk']['S'].removeprefix('meetstream#')} {one['sk']['S']}": one["document"]["S"] for one in items}

    def test_11_the_past_comes_back_but_for_what_was_deleted(self) -> None:
        client, table = self.deployment.client("dynamodb"), outputs(self.deployment.describe())["TableName"]
        for bot in ("lost", "same", "changed", "deleted"):
            self.put_session(table, bot, "ended", "then")
        client.put_item(TableName=table, Item={"pk": {"S": "meetstream#old"}, "sk": {"S": "line#k"}, "expires_at": {"N": "1"}, "document": {"S": "then"}})
        at = datetime.datetime.now(datetime.timezone.utc)
        # The local AWS makes the copy of the present, whatever time is asked for; so the copy is made here, and then time goes on.
        copy = f"{table}-then"
        client.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=copy, UseLatestRestorableTime=True)
        client.get_waiter("table_exists").wait(TableName=copy)
        for sk in ("session", "line#k"):
            client.delete_item(TableName=table, Key={"pk": {"S": "meetstream#lost"}, "sk": {"S": sk}})
        client.delete_item(TableName=table, Key={"pk": {"S": "meetstream#old"}, "sk": {"S": "line#k"}})
        self.put_session(table, "changed", "ended", "now")
        self.put_session(table, "deleted", "deleted", "tombstone")
        client.delete_item(TableName=table, Key={"pk": {"S": "meetstream#deleted"}, "sk": {"S": "line#k"}})
        before = self.documents(table)

        def bring_back(**how: bool) -> Counter[str]:
            with mock.patch("restore.copy_of", return_value=copy), mock.patch("restore.check_window"):
                with mock.patch.object(BaseClient, "_make_api_call", autospec=True, side_effect=keep_the_copy):
                    return restore.restore(NAME, at, **how)

        call = BaseClient._make_api_call

        def keep_the_copy(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            return {} if operation == "DeleteTable" else call(client, operation, arguments)

        with contextlib.redirect_stdout(io.StringIO()):
            wanted = {"brought back": 2, "unchanged": 2, "changed since, and left alone": 2, "of a deleted bot": 2, "expired": 1}
            self.assertEqual(bring_back(overwrite=False, drill=True), wanted)
            self.assertEqual(self.documents(table), before, "a drill changes nothing")
            self.assertEqual(bring_back(overwrite=False, drill=False), wanted)
            back = before | {"lost session": "then", "lost line#k": "then"}
            self.assertEqual(self.documents(table), back)
            bring_back(overwrite=True, drill=False)
            self.assertEqual(self.documents(table), back | {"changed session": "then", "changed line#k": "then"})
        session = client.get_item(TableName=table, Key={"pk": {"S": "meetstream#changed"}, "sk": {"S": "session"}})["Item"]
        self.assertEqual(session["version"]["N"], "4", "a writer at work sees another version")
        client.delete_table(TableName=copy)

    def test_12_a_restore_makes_its_copy_and_removes_it(self) -> None:
        client = self.deployment.client("dynamodb")
        tables, now = client.list_tables()["TableNames"], datetime.datetime.now(datetime.timezone.utc)
        with mock.patch("restore.check_window"):  # the local AWS does not switch the backups on that the template asks for
            said = self.said(lambda: restore.restore(NAME, now, overwrite=False, drill=False), "Operate")
        self.assertRegex(said, r"[1-9]\d*  unchanged")
        self.assertNotIn("brought back", said.replace("bringing back", ""))
        self.assertEqual(client.list_tables()["TableNames"], tables)

    def test_13_a_front_leads_to_the_stack_and_is_protected(self) -> None:
        urls: list[str] = []
        with mock.patch("front.answers", return_value=None) as asked:
            self.said(lambda: urls.append(front.front(NAME)))
        (url,) = urls
        self.assertRegex(url, r"^https://.+/webhooks/meetstream$")
        asked.assert_called_with(url.removesuffix("webhooks/meetstream"), "POST", "/webhooks/nowhere", 404)
        stack = front.of(self.deployment).describe() or {}
        host = outputs(self.deployment.describe())["FunctionUrl"].removeprefix("https://").rstrip("/")
        self.assertEqual(values_of(stack), {"FunctionUrlHost": host})
        self.assertTrue(stack["EnableTerminationProtection"])
        self.assertFalse(front.is_behind(self.deployment))
        with mock.patch("front.host_of", return_value="another.example"):
            self.assertTrue(front.is_behind(self.deployment))

    def destroy(self, **how: Any) -> str:
        """Removes the stack, unless told otherwise without asking and without its data."""
        # The local AWS does not hand on what is in this queue, because it takes the mapping's concurrency for a text.
        if stack := self.deployment.describe():
            self.deployment.client("sqs").purge_queue(QueueUrl=outputs(stack)["CommandsQueueUrl"])
        how = {"with_data": False, "lose": False, "said": NAME, "read": None} | how
        return self.said(lambda: destroy.destroy(NAME, **how), "Operate")

    def test_13b_githubs_token_is_exchanged_for_credentials(self) -> None:
        file = self.aws.folder / "credentials"
        variables = {"AWS_ROLE_ARN": "arn:aws:iam::000000000000:role/x", "AWS_SHARED_CREDENTIALS_FILE": str(file)}
        token = io.StringIO(json.dumps({"value": "a.b.c"}))
        with mock.patch.dict(os.environ, variables), mock.patch("sys.stdin", token):
            github.main()
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        profile = configparser.ConfigParser()
        profile.read(file)
        self.assertTrue(all(profile["default"][f"aws_{name}"] for name in ("access_key_id", "secret_access_key", "session_token")))
        with mock.patch.dict(os.environ, variables | {"AWS_ROLE_ARN": ""}), self.assertRaisesRegex(Refusal, "AWS_ROLE_ARN is not set"):
            github.main()

    def test_14_nothing_is_destroyed_that_still_holds_something(self) -> None:
        of = outputs(self.deployment.describe())
        events, queues, bucket = self.deployment.client("events"), self.deployment.client("sqs"), self.deployment.client("s3")
        events.put_rule(Name="of-somebody-else", EventBusName=of["EventBusName"], EventPattern='{"source": ["rollcall"]}')
        queues.send_message(QueueUrl=of["CommandsDeadLetterQueueUrl"], MessageBody="x")
        for folder in ("spool", "parked", "quarantine"):
            bucket.put_object(Bucket=of["BucketName"], Key=f"{folder}/x", Body=b"x")
        with self.assertRaises(Refusal) as refused:
            self.destroy()
        for word in ("rule of-somebody-else", "1 dead commands", "spooled deliveries"):
            self.assertIn(word, str(refused.exception))
        for word in ("parked", "unreadable"):
            self.assertNotIn(word, str(refused.exception), "what is kept is not lost")
        with self.assertRaises(Refusal) as refused:
            self.destroy(with_data=True)
        for word in ("parked deliveries", "unreadable deliveries"):
            self.assertIn(word, str(refused.exception))
        events.delete_rule(Name="of-somebody-else", EventBusName=of["EventBusName"])
        queues.purge_queue(QueueUrl=of["CommandsDeadLetterQueueUrl"])
        bucket.delete_object(Bucket=of["BucketName"], Key="spool/x")
        for said, read in [("", None), ("another", None), ("", lambda question: "n")]:
            with self.assertRaisesRegex(Refusal, "not confirmed"):
                self.destroy(said=said, read=read)
        self.assertEqual((self.deployment.describe() or {})["EnableTerminationProtection"], True)

    def test_15_what_a_destroyed_stack_leaves_is_taken_up_again(self) -> None:
        of = outputs(self.deployment.describe())
        documents = self.documents(of["TableName"])
        said = self.destroy()
        self.assertIsNone(self.deployment.describe())
        left_behind = re.search(r'ADOPT="(.+)"', said)
        assert left_behind
        self.assertEqual(left_behind[1], f"Table={of['TableName']} Bucket={of['BucketName']}")
        for text, words in [
            ("Table=no-such-table", "no table no-such-table"),
            ("Bucket=no-such-bucket", "no bucket no-such-bucket"),
            ("Queue=x", "cannot be read"),
            ("Table=", "cannot be read"),
        ]:
            with self.subTest(text), self.assertRaisesRegex(Refusal, words):
                self.deploy(adopt=text)
        self.deploy(adopt=left_behind[1])
        now = outputs(self.deployment.describe())
        self.assertEqual((now["TableName"], now["BucketName"]), (of["TableName"], of["BucketName"]))
        self.assertEqual(self.documents(now["TableName"]), documents)
        self.assertNotEqual(now["FunctionUrl"], of["FunctionUrl"])
        with self.assertRaisesRegex(Refusal, "there already"):
            self.deploy(adopt=left_behind[1])
        self.assertTrue(front.is_behind(self.deployment), "the front has to be led to the new address")

    def test_16_everything_goes_when_that_is_asked_for(self) -> None:
        of = outputs(self.deployment.describe())
        said = self.destroy(with_data=True, lose=True)
        self.assertIn("the secret rollcall goes in 7 days", said)
        self.assertNotIn(of["TableName"], self.deployment.client("dynamodb").list_tables()["TableNames"])
        self.assertNotIn(of["BucketName"], [one["Name"] for one in self.deployment.client("s3").list_buckets()["Buckets"]])
        with self.assertRaisesRegex(Refusal, "restore-secret"):
            self.deploy()
        with self.assertRaisesRegex(Refusal, "no stack rollcall"):
            self.destroy()


    def test_17_every_call_that_was_made_is_allowed_by_the_deployers_policies(self) -> None:
        def calls(role: str) -> set[str]:
            return set((self.aws.folder / f"calls-{role}").read_text().split())

        made = calls("Deploy")
        # SAM's calls are among them, and what the local AWS's CloudFormation does is not.
        self.assertLessEqual({"cloudformation:ExecuteChangeSet", "s3:PutObject", "lambda:Invoke", "cloudformation:SetStackPolicy"}, made)
        self.assertEqual(uncovered_calls(made, ("Deploy",)), set())
        self.assertEqual(uncovered_calls(calls("Operate"), ("Deploy", "Operate")), set())
        named = {IAM_NAMES.get(call, call) for call in made | calls("Operate")}
        unused = {right for policy in ("Deploy", "Operate") for right in actions(policy)} - named
        self.assertEqual(unused, NEEDED_UNSEEN.keys(), "rights that no call needs")


if __name__ == "__main__":
    unittest.main()
