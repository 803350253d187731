"""Bad input and what the scripts say to it: tables of what goes wrong, with the words that must be in the message."""

from __future__ import annotations

import json
import os
import re
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
from botocore import exceptions as aws
from botocore.stub import Stubber

import deploy
import parameters
import restore
import secret
import stack_name
from deployment import PATHS, Deployment, session
from refusal import Refusal, explain
from tools import ROOT

TEMPLATE = parameters.load(ROOT / "template.yaml")
GOOD = parameters.defaults(TEMPLATE) | {"SecretVersionId": "0" * 32}
SESSION = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-central-1")


def client_error(code: str, message: str = "no") -> aws.ClientError:
    """An error as AWS answers it."""
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


class Settings(unittest.TestCase):
    """What can be wrong with `SET=` and with values together."""

    def refused(self, call: Any, *words: str) -> None:
        """Expects a refusal with these words in it."""
        with self.assertRaises(Refusal) as refused:
            call()
        for word in words:
            self.assertIn(word, str(refused.exception))

    def test_the_defaults_are_accepted(self) -> None:
        parameters.check(TEMPLATE, GOOD)

    def test_set_is_read(self) -> None:
        text = 'LogRetentionDays=90 AlarmEmail="a@b.example" MeetingBaasApiUrl=https://h/x?'.removesuffix("?")
        wanted = {"LogRetentionDays": "90", "AlarmEmail": "a@b.example", "MeetingBaasApiUrl": "https://h/x"}
        self.assertEqual(parameters.read_changes(text, TEMPLATE), wanted)
        self.assertEqual(parameters.read_changes("AlarmEmail=", TEMPLATE), {"AlarmEmail": ""})

    def test_what_set_cannot_say(self) -> None:
        for text, *words in [
            ("LogRetentionDays", "'LogRetentionDays'", "Parameter=Value"),
            ('AlarmEmail="a@b', "cannot be read", "quotation"),
            ("LogRetentionDay=90", "no parameter LogRetentionDay", "did you mean LogRetentionDays?"),
            ("Xyzzy=1", "no parameter Xyzzy", "docs/CONFIGURATION.md"),
            ("LogRetentionDays=91", "LogRetentionDays cannot be '91'", "90"),
            ("LogRetentionDays=many", "LogRetentionDays"),
            ("SessionRetentionDays=7", "from 8 to 3650"),
            ("SessionRetentionDays=", "cannot be empty", "a number"),
            ("SessionRetentionDays=a-while", "a number"),
            ("KeepRecordings=yes", "one of 0, 1"),
            ("AlarmEmail=nobody", "AlarmEmail cannot be 'nobody'"),
            ("MeetStreamApiUrl=ftp://x", "MeetStreamApiUrl"),
            ("Architecture=arm64", "not for SET", "ARCH="),
            ("SecretVersionId=" + "0" * 32, "not for SET", "make rotate"),
            ("SecretName=x", "not for SET", "STACK="),
        ]:
            with self.subTest(text):
                self.refused(lambda text=text: parameters.read_changes(text, TEMPLATE), *words)

    def test_lengths_are_the_templates(self) -> None:
        self.refused(lambda: parameters.check_value("X", {"Type": "String", "MaxLength": 3}, "abcd"), "0 to 3 characters")
        self.refused(lambda: parameters.check_value("X", {"Type": "String", "MinLength": "2"}, "a"), "2 to 4096 characters")
        parameters.check_value("X", {"Type": "String", "MaxLength": 3}, "abc")

    def test_values_that_do_not_go_together(self) -> None:
        for changed, *words in [
            ({"ProcessTimeoutSeconds": "121"}, "6 times", "EventsVisibilitySeconds=726"),
            ({"EventsVisibilitySeconds": "43200"}, "50 receives", "outlast the 7 days", "at most 12096"),
            ({"RetryBaseSeconds": "900", "RetryMaxSeconds": "60"}, "RetryBaseSeconds (900) is more than RetryMaxSeconds (60)"),
            ({"SecretVersionId": ""}, "SecretVersionId cannot be empty"),
        ]:
            with self.subTest(changed):
                self.refused(lambda changed=changed: parameters.check(TEMPLATE, GOOD | changed), *words)
        self.refused(lambda: parameters.check(TEMPLATE, parameters.defaults(TEMPLATE)), "SecretVersionId has no value")

    def test_retries_end_before_the_queue_forgets(self) -> None:
        # The template's own limits leave no such value, so the template is changed as well.
        wide = json.loads(json.dumps(TEMPLATE))
        wide["Parameters"]["RetryMaxSeconds"]["MaxValue"] = 43_200
        self.refused(lambda: parameters.check(wide, GOOD | {"RetryMaxSeconds": "43200", "RetryBaseSeconds": "900", "ParkAfterReceives": "24"}), "attempts take", "for 7")
        wide["Parameters"]["ParkAfterReceives"]["MaxValue"] = 100
        self.refused(lambda: parameters.check(wide, GOOD | {"ParkAfterReceives": "50"}), "not below the queue's 50")

    def test_stack_names(self) -> None:
        for name in ("a", "Rollcall-2", "r" * stack_name.LONGEST):
            self.assertIsNone(stack_name.reason_against(name))
        for name, word in [("", "begins with a letter"), ("2nd", "begins"), ("roll_call", "hyphens"), ("-x", "begins"), ("ü", "letters"), ("r" * 41, "at most 40"), ("my-Table", "contains 'Table'")]:
            with self.subTest(name):
                self.refused(lambda name=name: deploy.deploy(name, "", None), word, "STACK=")

    def test_lambda_quotas(self) -> None:
        def check(quota: int, unreserved: int, already: int = 0, **values: str) -> None:
            limits = {"ConcurrentExecutions": quota, "UnreservedConcurrentExecutions": unreserved}
            parameters.check_concurrency(GOOD | values, limits, already)

        check(10, 10)
        check(1000, 1000, IngestReservedConcurrency="900")
        check(1000, 200, 800, IngestReservedConcurrency="900")
        self.refused(lambda: check(9, 9), "quota is 9")
        self.refused(lambda: check(8, 8), "quota is 8", "may take 8", "429", "Service Quotas")
        self.refused(lambda: check(10, 10, ProcessMaximumConcurrency="20"), "may take 24")
        self.refused(lambda: check(1000, 1000, IngestReservedConcurrency="901"), "less than the 100", "Service Quotas")
        self.refused(lambda: check(10, 10, IngestReservedConcurrency="1"), "quota 10")

    def test_answers_are_asked_for_until_they_are_valid(self) -> None:
        answers = iter(["nobody", "", "2", "1"])
        asked: list[str] = []
        with mock.patch("builtins.print") as said:
            found = deploy.ask(TEMPLATE, {}, lambda question: asked.append(question) or next(answers))
        self.assertEqual(found, {"AlarmEmail": "", "KeepRecordings": "1"})
        self.assertEqual(len(asked), 4)
        self.assertIn("cannot be 'nobody'", str(said.call_args_list[0].args[0]))
        never = mock.Mock(side_effect=AssertionError)
        self.assertEqual(deploy.ask(TEMPLATE, {"AlarmEmail": "a@b", "KeepRecordings": "0"}, never), {})


class Environments(unittest.TestCase):
    """What the functions will find in their environments."""

    SECRET = {key: f"value-of-{key}" for key in secret.RANDOM}

    def test_every_variable_has_its_value(self) -> None:
        found = parameters.environments(TEMPLATE, GOOD, "stack", self.SECRET)
        self.assertEqual(found["ingest"]["MEETSTREAM_WEBHOOK_SECRETS"], "value-of-meetstream_webhook_secrets")
        self.assertEqual(found["process"]["MEETSTREAM_API_KEYS"], "value-of-meetstream_api_keys")
        self.assertEqual(found["process"]["MEETINGBAAS_API_URL"], GOOD["MeetingBaasApiUrl"])
        self.assertEqual(found["process"]["ALLOW_LOCAL_DOWNLOADS"], "false")
        self.assertEqual(found["ingest"]["METRICS_NAMESPACE"], "Rollcall/stack")
        self.assertGreaterEqual(len(found["ingest"]["EVENTS_QUEUE_URL"]), 134, "as long as the longest queue URL")
        local = parameters.environments(TEMPLATE, GOOD | {"AwsEndpointUrl": "http://x"}, "stack", self.SECRET)
        self.assertEqual(local["process"]["ALLOW_LOCAL_DOWNLOADS"], "true")
        for function, variables in found.items():
            declared = TEMPLATE["Resources"][parameters.FUNCTIONS[function]]["Properties"]["Environment"]["Variables"]
            self.assertLessEqual(declared.keys(), variables.keys())
            self.assertFalse([value for value in variables.values() if "{" in value])

    def test_a_key_that_the_secret_lacks_is_named(self) -> None:
        with self.assertRaisesRegex(Refusal, "no key meetstream_webhook_secrets"):
            parameters.environments(TEMPLATE, GOOD, "stack", {})


class Credentials(unittest.TestCase):
    """What the AWS client's own errors become."""

    def test_each_has_a_plain_message_and_a_way_out(self) -> None:
        for error, *words in [
            (aws.NoCredentialsError(), "there are no AWS credentials", "AWS_PROFILE"),
            (aws.PartialCredentialsError(provider="env", cred_var="x"), "there are no AWS credentials"),
            (aws.ProfileNotFound(profile="x"), "no such AWS profile", "list-profiles"),
            (aws.UnauthorizedSSOTokenError(), "have expired", "aws sso login"),
            (aws.SSOTokenLoadError(error_msg="x"), "have expired"),
            (client_error("ExpiredToken"), "have expired", "aws sso login"),
            (client_error("ExpiredTokenException"), "have expired"),
            (client_error("InvalidClientTokenId"), "does not know these credentials", "AWS_REGION"),
            (client_error("UnrecognizedClientException"), "does not know these credentials", "not enabled"),
            (client_error("SignatureDoesNotMatch"), "secret access key is wrong"),
            (client_error("AccessDenied", "User x is not authorized to perform y"), "to perform y", "deployer.yaml"),
            (client_error("AccessDeniedException", "z"), "may not do that: z"),
            (aws.NoRegionError(), "no AWS region", "AWS_REGION"),
            (aws.EndpointConnectionError(endpoint_url="https://sts.eu-wset-1"), "in this region", "typing mistake"),
            (client_error("Throttling", "slower"), "AWS refuses DescribeStacks (Throttling): slower"),
        ]:
            with self.subTest(type(error).__name__):
                for word in words:
                    self.assertIn(word, explain(error))

    def test_a_missing_region_is_said_before_anything_is_called(self) -> None:
        with mock.patch("boto3.Session", return_value=mock.Mock(region_name=None)), self.assertRaisesRegex(Refusal, "AWS_REGION"):
            session()


class StackStates(unittest.TestCase):
    """The states that a stack can be in before a change."""

    def deployment(self, status: str, events: list[dict[str, str]] | None = None) -> tuple[Deployment, mock.Mock]:
        """A deployment whose stack is in this state."""
        client = mock.Mock()
        client.describe_stacks.return_value = {"Stacks": [{"StackStatus": status, "StackId": "arn:of-the-stack"}]}
        client.describe_stack_events.return_value = {"StackEvents": events or []}
        return Deployment("rollcall", mock.Mock(region_name="eu-central-1", client=mock.Mock(return_value=client))), client

    def test_states_that_take_a_change(self) -> None:
        for status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"):
            deployment, client = self.deployment(status)
            self.assertEqual((deployment.ready() or {})["StackStatus"], status)
            client.delete_stack.assert_not_called()

    def test_a_first_deploy_that_came_to_nothing_is_removed_and_repeated(self) -> None:
        for status in ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"):
            deployment, client = self.deployment(status)
            with mock.patch("deployment.say"):
                self.assertIsNone(deployment.ready())
            client.delete_stack.assert_called_once_with(StackName="rollcall")

    def test_states_that_take_none_are_named_with_the_way_out(self) -> None:
        for status, *words in [
            ("CREATE_IN_PROGRESS", "is being changed", "wait"),
            ("UPDATE_IN_PROGRESS", "is being changed"),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "is being changed"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "is being changed"),
            ("DELETE_IN_PROGRESS", "is being changed"),
            ("ROLLBACK_IN_PROGRESS", "is being changed"),
            ("CREATE_FAILED", "aws cloudformation delete-stack --stack-name rollcall"),
            ("ROLLBACK_FAILED", "delete-stack"),
            ("DELETE_FAILED", "make destroy"),
            ("UPDATE_FAILED", "rollback-stack --stack-name rollcall"),
            ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name rollcall"),
            ("IMPORT_ROLLBACK_FAILED", "continue-update-rollback"),
            ("SOMETHING_NEW", "SOMETHING_NEW", "console"),
        ]:
            deployment, client = self.deployment(status)
            with self.subTest(status), self.assertRaises(Refusal) as refused:
                deployment.ready()
            for word in words:
                self.assertIn(word, str(refused.exception))
            client.delete_stack.assert_not_called()

    def test_every_state_that_cloudformation_knows_is_decided(self) -> None:
        shape = SESSION.client("cloudformation").meta.service_model.shape_for("StackStatus")
        for status in shape.enum:
            deployment, _ = self.deployment(status)
            try:
                with mock.patch("deployment.say"):
                    deployment.ready()
            except Refusal as refusal:
                self.assertNotIn("console", str(refusal), status)

    def test_what_failed_is_told_in_aws_own_words(self) -> None:
        def event(name: str, status: str, reason: str = "") -> dict[str, str]:
            return {"LogicalResourceId": name, "ResourceStatus": status, "ResourceStatusReason": reason}

        events = [
            event("rollcall", "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed"),
            event("EventsQueue", "UPDATE_FAILED", "Resource update cancelled"),
            event("IngestFunction", "UPDATE_FAILED", "4KB limit"),
            event("rollcall", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("Table", "CREATE_FAILED", "of an earlier change"),
        ]
        deployment, _ = self.deployment("UPDATE_ROLLBACK_FAILED", events)
        with self.assertRaises(Refusal) as refused:
            deployment.ready()
        self.assertIn("IngestFunction: 4KB limit", str(refused.exception))
        self.assertNotIn("EventsQueue", str(refused.exception))
        self.assertNotIn("earlier", str(refused.exception))

    def test_a_stack_that_is_not_there(self) -> None:
        deployment, client = self.deployment("")
        client.describe_stacks.side_effect = client_error("ValidationError", "Stack with id rollcall does not exist")
        self.assertIsNone(deployment.ready())
        with self.assertRaisesRegex(Refusal, "no stack rollcall in eu-central-1") as refused:
            deployment.must_exist()
        self.assertIn("AWS_REGION", str(refused.exception))


class Secrets(unittest.TestCase):
    """What can be wrong with the secret, and what `make secret` does to it."""

    WHOLE = {key: f"{key}-new,{key}-old" for key in secret.RANDOM}

    def stubbed(self, *answers: dict[str, Any]) -> tuple[Any, Stubber]:
        """A client that gives these answers to get_secret_value, or errors of this code and message."""
        client = SESSION.client("secretsmanager")
        stubber = Stubber(client)
        for answer in answers:
            if "code" in answer:
                stubber.add_client_error("get_secret_value", answer["code"], answer["message"])
            else:
                stubber.add_response("get_secret_value", {"VersionId": "v" * 32} | answer, {"SecretId": "rollcall"})
        stubber.activate()
        return client, stubber

    def test_a_secret_that_cannot_be_used(self) -> None:
        pending = "You can't perform this operation on the secret because it was marked for deletion."
        for answer, *words in [
            ({"code": "InvalidRequestException", "message": pending}, "going to be deleted", "restore-secret --secret-id rollcall"),
            ({"SecretString": '{"a": "s3cret"'}, "is no JSON", "put-secret-value"),
            ({"SecretString": '["s3cret"]'}, "no JSON object"),
            ({"SecretString": '{"meetstream_api_keys": ["s3cret"]}'}, "meetstream_api_keys is no text"),
            ({"SecretString": '{"meetstream_api_keys": null}'}, "meetstream_api_keys is no text"),
            ({"SecretBinary": b"s3cret"}, "bytes instead of text"),
        ]:
            client, _ = self.stubbed(answer)
            with self.subTest(answer), self.assertRaises(Refusal) as refused:
                secret.ensure(client, "rollcall")
            for word in words:
                self.assertIn(word, str(refused.exception))
            self.assertNotIn("s3cret", str(refused.exception))
        client, _ = self.stubbed({"code": "AccessDeniedException", "message": "not yours"})
        with self.assertRaises(aws.ClientError):
            secret.ensure(client, "rollcall")

    def test_a_secret_that_is_not_there_is_made(self) -> None:
        client = mock.Mock()
        client.get_secret_value.side_effect = client_error("ResourceNotFoundException")
        client.create_secret.return_value = {"VersionId": "first"}
        version, value = secret.ensure(client, "rollcall")
        self.assertEqual(version, "first")
        self.assertEqual(value.keys(), secret.RANDOM.keys())
        self.assertEqual(value["meetingbaas_api_keys"], ",")
        self.assertGreaterEqual(len(value["meetstream_callback_tokens"]), 22)

    def client(self, value: dict[str, str]) -> mock.Mock:
        """A client with this value, which remembers what is stored."""
        client = mock.Mock()
        client.get_secret_value.return_value = {"VersionId": "old", "SecretString": json.dumps(value)}
        client.put_secret_value.return_value = {"VersionId": "new"}
        return client

    def stored(self, client: mock.Mock) -> dict[str, str]:
        return json.loads(client.put_secret_value.call_args.kwargs["SecretString"])

    def test_missing_keys_and_empty_lists_are_completed(self) -> None:
        client = self.client(self.WHOLE)
        self.assertEqual(secret.ensure(client, "rollcall"), ("old", self.WHOLE))
        client.put_secret_value.assert_not_called()
        partial = {"meetstream_webhook_secrets": "s", "meetingbaas_api_keys": " "}
        client = self.client(partial)
        version, value = secret.ensure(client, "rollcall")
        self.assertEqual((version, value), ("new", self.stored(client)))
        self.assertEqual((value["meetstream_webhook_secrets"], value["meetingbaas_api_keys"]), ("s", ","))

    def test_entries_are_dropped_by_position(self) -> None:
        key = secret.WEBHOOK_SECRETS
        for entries, positions, left in [("a,b,c", {2}, "a,c"), ("a, b ,c", {2, 3}, "a"), ("a,b", {1}, "b"), ("a", {1}, ",")]:
            client = self.client(self.WHOLE | {key: entries})
            self.assertEqual(secret.drop(client, "rollcall", key, positions), "new")
            self.assertEqual(self.stored(client), self.WHOLE | {key: left})
        with self.assertRaisesRegex(Refusal, "no entry 4") as refused:
            secret.drop(self.client(self.WHOLE | {key: "a,b,s3cret"}), "rollcall", key, {4})
        self.assertNotIn("s3cret", str(refused.exception))

    def test_the_last_credential_of_all_stays(self) -> None:
        only = dict.fromkeys(secret.RANDOM, ",") | {secret.CALLBACK_TOKENS: "t", secret.MEETSTREAM_API_KEYS: "k"}
        client = self.client(only)
        with self.assertRaisesRegex(Refusal, "last credential of all routes"):
            secret.drop(client, "rollcall", secret.CALLBACK_TOKENS, {1})
        client.put_secret_value.assert_not_called()

    def test_adding_keeps_some_older_ones(self) -> None:
        key = secret.SVIX_SECRETS
        client = self.client(self.WHOLE | {key: "b,c,d"})
        secret.add(client, "rollcall", key, "a", keep=2)
        self.assertEqual(self.stored(client)[key], "a,b,c")


class Routes(unittest.TestCase):
    """What a deploy tries out."""

    def test_every_route_has_its_path(self) -> None:
        source = (ROOT / "shared" / "src" / "endpoint.rs").read_text()
        names = set(re.findall(r'Self::\w+ => "((?:meetstream|meetingbaas)-[\w-]+)"', source)) | {"meetstream"}
        self.assertEqual(PATHS.keys(), names)
        page = (ROOT / "docs" / "CONFIGURATION.md").read_text()
        for name, path in PATHS.items():
            self.assertIn(f"`{path.replace('not-a-token', '<token>')}`", page, name)


class Doctor(unittest.TestCase):
    """What a deploy makes of `rollcall doctor`."""

    def test_it_looks_without_sending_anything(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            rollcall = Path(folder) / "rollcall"
            rollcall.write_text('#!/bin/sh\n[ "$*" = "doctor --quick --stack s" ] && [ "$AWS_REGION" = eu-central-1 ] && exit $ENDS_WITH\nexit 9\n')
            rollcall.chmod(0o700)
            for ends_with, healthy in [("0", True), ("1", False)]:
                with mock.patch("stack.command", return_value=rollcall), mock.patch.dict(os.environ, {"ENDS_WITH": ends_with}), mock.patch("builtins.print"):
                    self.assertEqual(deploy.doctor(Deployment("s", SESSION)), healthy)
        with mock.patch.dict(os.environ, {"DOCTOR": "0"}), mock.patch("stack.command", side_effect=AssertionError):
            self.assertTrue(deploy.doctor(Deployment("s", SESSION)))


class Restores(unittest.TestCase):
    """Times that a restore cannot go back to."""

    def test_a_time_that_is_none(self) -> None:
        self.assertEqual(restore.moment("2026-11-25T10:00:00Z").isoformat(), "2026-11-25T10:00:00+00:00")
        for text in ("", "yesterday", "2026-11-25", "2026-11-25T10:00:00"):
            with self.subTest(text), self.assertRaisesRegex(Refusal, "2026-11-25T10:00:00Z"):
                restore.moment(text)

    def test_a_time_that_the_backups_do_not_reach(self) -> None:
        first, last = restore.moment("2026-11-01T00:00:00Z"), restore.moment("2026-11-25T00:00:00Z")
        point = {"PointInTimeRecoveryStatus": "ENABLED", "EarliestRestorableDateTime": first, "LatestRestorableDateTime": last}
        client = mock.Mock()

        def check(at: str, backups: dict[str, Any]) -> None:
            client.describe_continuous_backups.return_value = {"ContinuousBackupsDescription": backups}
            restore.check_window(client, "table", restore.moment(at))

        check("2026-11-02T00:00:00Z", {"PointInTimeRecoveryDescription": point})
        for at in ("2026-10-31T00:00:00Z", "2026-11-26T00:00:00Z"):
            with self.assertRaisesRegex(Refusal, "from 2026-11-01T00:00:00Z to 2026-11-25T00:00:00Z"):
                check(at, {"PointInTimeRecoveryDescription": point})
        for off in ({}, {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}):
            with self.assertRaisesRegex(Refusal, "no point-in-time recovery"):
                check("2026-11-02T00:00:00Z", off)


class Alarms(unittest.TestCase):
    """Whether anybody hears of alarms."""

    def test_each_state_of_the_subscription_is_said(self) -> None:
        confirmed = {"SubscriptionArn": "arn:aws:sns:x", "Endpoint": "a@b"}
        pending = {"SubscriptionArn": "PendingConfirmation", "Endpoint": "c@d"}
        for topic, subscriptions, said in [
            (None, [], "nobody is told of them"),
            ("arn:topic", [], "nobody is subscribed any more"),
            ("arn:topic", [pending], "NOT CONFIRMED by c@d"),
            ("arn:topic", [confirmed], "go to a@b"),
            ("arn:topic", [confirmed, pending], "go to a@b"),
        ]:
            deployment = mock.Mock(resource=mock.Mock(return_value=topic))
            pages = deployment.client.return_value.get_paginator.return_value.paginate
            pages.return_value = [{"Subscriptions": subscriptions}]
            self.assertIn(said, deploy.tell_alarms(deployment))
