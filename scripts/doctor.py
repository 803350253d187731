"""Sees that `rollcall doctor` is content with a fresh stack, and that it names what was planted in a sick one.

Each plant changes one thing in the deployed stack through AWS's own API, is looked at with `rollcall doctor`, and is undone.
It has the stack to itself: nothing else may use it meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from stack import NAME, Stack
from tools import ROOT, say

ROLLCALL = ROOT / "target" / "debug" / "rollcall"

Undo = Callable[[], Any]


@dataclass(frozen=True)
class Plant:
    """What is done to a stack, and what doctor must say of it."""

    name: str
    check: str
    verdict: str
    words: str
    do: Callable[[Sick], Undo]


class Sick:
    """A deployed stack, and clients to spoil it with."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.outputs = json.loads(stack.outputs_file.read_text())
        self.functions, self.queues, self.bucket = stack.client("lambda"), stack.client("sqs"), stack.client("s3")
        self.table, self.alarms, self.logs = stack.client("dynamodb"), stack.client("cloudwatch"), stack.client("logs")
        self.secrets, self.schedules, self.events = stack.client("secretsmanager"), stack.client("scheduler"), stack.client("events")
        resources = stack.client("cloudformation").describe_stack_resources(StackName=NAME)["StackResources"]
        self.physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}

    def doctor(self, *flags: str, outputs: Path | None = None) -> tuple[int, dict[str, Any]]:
        """The exit code and the report."""
        command = [str(ROLLCALL), "doctor", "--json", "--outputs", str(outputs or self.stack.outputs_file), *flags]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.stdout, f"{command}: {ended.stderr}"
        return ended.returncode, json.loads(ended.stdout)

    def mapping(self, queue: str) -> dict[str, Any]:
        """The mapping of a queue, by the end of its URL."""
        name = self.outputs[queue].rsplit("/", 1)[1]
        found = self.functions.list_event_source_mappings()["EventSourceMappings"]
        return next(mapping for mapping in found if mapping["EventSourceArn"].rsplit(":", 1)[1] == name)

    def change_mapping(self, queue: str, back: dict[str, Any], **change: Any) -> Undo:
        """Changes a mapping; `back` is what undoes that."""
        identifier = self.mapping(queue)["UUID"]
        self.functions.update_event_source_mapping(UUID=identifier, **change)
        return lambda: self.functions.update_event_source_mapping(UUID=identifier, **back)

    def change_queue(self, queue: str, **change: str) -> Undo:
        """Changes a queue's settings."""
        url = self.outputs[queue]
        before = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=list(change))["Attributes"]
        self.queues.set_queue_attributes(QueueUrl=url, Attributes=change)
        return lambda: self.queues.set_queue_attributes(QueueUrl=url, Attributes={name: before.get(name, "") for name in change})

    def change_function(self, function: str, back: dict[str, Any], **change: Any) -> Undo:
        """Changes a function without publishing a version of it."""
        name = self.outputs[function]
        self.functions.update_function_configuration(FunctionName=name, **change)
        return lambda: self.functions.update_function_configuration(FunctionName=name, **back)

    def send(self, queue: str, **more: str) -> Undo:
        """Puts a message into a queue that nobody reads."""
        url = self.outputs[queue]
        self.queues.send_message(QueueUrl=url, MessageBody="planted", **more)
        return lambda: self.queues.purge_queue(QueueUrl=url)

    def alarm(self, logical: str) -> dict[str, Any]:
        """An alarm's settings."""
        [found] = self.alarms.describe_alarms(AlarmNames=[self.physical[logical]])["MetricAlarms"]
        return {key: found[key] for key in ALARM if key in found}

    def put(self, key: str) -> Undo:
        """Puts an object into the bucket."""
        where = {"Bucket": self.outputs["bucket"], "Key": key}
        self.bucket.put_object(Body=b"planted", **where)
        return lambda: self.bucket.delete_object(**where)

    def answer(self, status: int, body: str) -> Undo:
        """Answers everything that is asked of the providers' APIs in one way."""

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", self.stack.api_port), Answer)
        Thread(target=server.serve_forever, daemon=True).start()

        def stop() -> None:
            server.shutdown()
            server.server_close()

        return stop


def repoint(sick: Sick) -> Undo:
    """Points an alias at what is not published."""
    where = {"FunctionName": sick.outputs["ingest_function"], "Name": "live"}
    before = sick.functions.get_alias(**where)["FunctionVersion"]
    sick.functions.update_alias(**where, FunctionVersion="$LATEST")
    return lambda: sick.functions.update_alias(**where, FunctionVersion=before)


def roll_forward(sick: Sick) -> Undo:
    """Serves a version with other settings than the parameters say."""
    name = sick.outputs["process_function"]
    where = {"FunctionName": name, "Name": "live"}
    before = sick.functions.get_alias(**where)["FunctionVersion"]
    undo = sick.change_function("process_function", {"MemorySize": 512}, MemorySize=256)
    version = sick.functions.publish_version(FunctionName=name)["Version"]
    sick.functions.update_alias(**where, FunctionVersion=version)

    def back() -> None:
        sick.functions.update_alias(**where, FunctionVersion=before)
        undo()

    return back


def forbid(action: str) -> Callable[[Sick], Undo]:
    """Takes one of the two permissions of the URL away."""

    def do(sick: Sick) -> Undo:
        where = {"FunctionName": sick.outputs["ingest_function"], "Qualifier": "live"}
        statements = json.loads(sick.functions.get_policy(**where)["Policy"])["Statement"]
        statement = next(statement for statement in statements if statement["Action"] == action)
        sick.functions.remove_permission(StatementId=statement["Sid"], **where)
        more = {"InvokedViaFunctionUrl": True} if action == "lambda:InvokeFunction" else {"FunctionUrlAuthType": "NONE"}
        return lambda: sick.functions.add_permission(
            StatementId=statement["Sid"], Action=action, Principal="*", **where, **more
        )

    return do


def close_url(sick: Sick) -> Undo:
    """Makes the URL ask for AWS's own signatures."""
    where = {"FunctionName": sick.outputs["ingest_function"], "Qualifier": "live"}
    sick.functions.update_function_url_config(AuthType="AWS_IAM", **where)
    return lambda: sick.functions.update_function_url_config(AuthType="NONE", **where)


def throttle(sick: Sick) -> Undo:
    """Sets no concurrency at all apart for ingest."""
    name = sick.outputs["ingest_function"]
    sick.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    return lambda: sick.functions.delete_function_concurrency(FunctionName=name)


def rotate(sick: Sick) -> Undo:
    """Enters a new secret and does not deploy it."""
    before = sick.secrets.get_secret_value(SecretId=NAME)
    lists = json.loads(before["SecretString"])
    lists["meetstream_webhook_secrets"] = "another," + lists["meetstream_webhook_secrets"]
    after = sick.secrets.put_secret_value(SecretId=NAME, SecretString=json.dumps(lists))["VersionId"]
    return lambda: sick.secrets.update_secret_version_stage(
        SecretId=NAME, VersionStage="AWSCURRENT", MoveToVersionId=before["VersionId"], RemoveFromVersionId=after
    )


def expire_otherwise(sick: Sick) -> Undo:
    """Lets items expire by an attribute that none has. The local AWS lets none expire, whatever the template says."""

    def switch(on: bool) -> None:
        how = {"Enabled": on, "AttributeName": "other"}
        sick.table.update_time_to_live(TableName=sick.outputs["table"], TimeToLiveSpecification=how)

    switch(True)
    return lambda: switch(False)


def public(sick: Sick) -> Undo:
    """Takes the block of public access away."""
    bucket = sick.outputs["bucket"]
    before = sick.bucket.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    sick.bucket.delete_public_access_block(Bucket=bucket)
    return lambda: sick.bucket.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=before)


def expiring(prefix: str, days: int) -> Callable[[Sick], Undo]:
    """Gives the bucket a rule that the template does not have. The local AWS makes none of those that it has."""

    def do(sick: Sick) -> Undo:
        bucket = sick.outputs["bucket"]
        rule = {"ID": "planted", "Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": days}}
        sick.bucket.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
        return lambda: sick.bucket.delete_bucket_lifecycle(Bucket=bucket)

    return do


def plain(sick: Sick) -> Undo:
    """Takes the bucket's policy away."""
    bucket = sick.outputs["bucket"]
    policy = sick.bucket.get_bucket_policy(Bucket=bucket)["Policy"]
    sick.bucket.delete_bucket_policy(Bucket=bucket)
    return lambda: sick.bucket.put_bucket_policy(Bucket=bucket, Policy=policy)


def versioned(sick: Sick) -> Undo:
    """Lets the bucket keep what is erased."""

    def switch(status: str) -> None:
        how = {"Status": status}
        sick.bucket.put_bucket_versioning(Bucket=sick.outputs["bucket"], VersioningConfiguration=how)

    switch("Enabled")
    return lambda: switch("Suspended")


def logged_for_ever(sick: Sick) -> Undo:
    """Keeps log lines for ever."""
    group = f"/aws/lambda/{sick.outputs['process_function']}"
    sick.logs.delete_retention_policy(logGroupName=group)
    return lambda: sick.logs.put_retention_policy(logGroupName=group, retentionInDays=30)


def tried_again(sick: Sick) -> Undo:
    """Lets Lambda try failed sweeps again."""
    where = {"FunctionName": sick.outputs["process_function"], "Qualifier": "live"}
    sick.functions.put_function_event_invoke_config(**where, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=60)
    return lambda: sick.functions.put_function_event_invoke_config(**where, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)


def never_said(sick: Sick) -> Undo:
    """Takes away what says that Lambda is to try no sweep again."""
    where = {"FunctionName": sick.outputs["process_function"], "Qualifier": "live"}
    sick.functions.delete_function_event_invoke_config(**where)
    return lambda: sick.functions.put_function_event_invoke_config(**where, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)


def rejected(sick: Sick) -> Undo:
    """Sends webhooks with a wrong secret to a route that never received a right one, and to undo that a right one."""

    def send(*flags: str) -> None:
        command = [str(ROLLCALL), "send", "event", "bot.joining", *flags, "--outputs", str(sick.stack.outputs_file)]
        subprocess.run(command, check=True, capture_output=True)

    def accepted() -> None:
        send("--bot-id", "planted")
        command = [str(ROLLCALL), "timeline", "meetstream", "planted", "--wait", "joining", "--outputs", str(sick.stack.outputs_file)]
        subprocess.run(command, check=True, capture_output=True)

    send("--forge", "--repeat", "3")
    return accepted


def without_bus(sick: Sick) -> Undo:
    """Deletes the event bus."""
    name = sick.physical["EventBus"]
    sick.events.delete_event_bus(Name=name)
    return lambda: sick.events.create_event_bus(Name=name)


def unscheduled(sick: Sick) -> Undo:
    """Switches the schedule off."""
    name = sick.physical["SweepSchedule"]
    found = sick.schedules.get_schedule(Name=name)
    kept = {key: found[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    sick.schedules.update_schedule(**kept, State="DISABLED")
    return lambda: sick.schedules.update_schedule(**kept, State="ENABLED")


ALARM = ("AlarmName", "Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "Threshold")
ALARM += ("ComparisonOperator", "TreatMissingData", "AlarmDescription")
"""What an alarm of ours is made of."""


def silenced(sick: Sick) -> Undo:
    """Deletes an alarm."""
    before = sick.alarm("IngestNotDurableAlarm")
    sick.alarms.delete_alarms(AlarmNames=[before["AlarmName"]])
    return lambda: sick.alarms.put_metric_alarm(**before)


def ringing(sick: Sick) -> Undo:
    """Lets an alarm ring."""
    name = sick.physical["IngestNotDurableAlarm"]
    sick.alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="planted")
    return lambda: sick.alarms.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="planted no more")


GROUP = "0" * 64
FIFO = {"MessageGroupId": GROUP, "MessageDeduplicationId": f"planted-{os.urandom(4).hex()}"}
REPORTS = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}

PLANTS = (
    Plant("mapping disabled", "events.mapping", "fail", "nothing is processed", lambda s: s.change_mapping("queue_url", {"Enabled": True}, Enabled=False)),
    Plant("batches lose their failures", "events.mapping", "fail", "ReportBatchItemFailures", lambda s: s.change_mapping("queue_url", REPORTS, FunctionResponseTypes=[])),
    Plant("other batches", "commands.mapping", "fail", "batches have 3 messages", lambda s: s.change_mapping("commands_url", {"BatchSize": s.mapping("commands_url")["BatchSize"]}, BatchSize=3)),
    Plant("alias on $LATEST", "ingest.alias", "fail", "points at $LATEST", repoint),
    Plant("changed and not published", "ingest.alias", "fail", "differs from what was deployed last in its memory", lambda s: s.change_function("ingest_function", {"MemorySize": 256}, MemorySize=512)),
    Plant("another memory", "process.settings", "fail", "the memory in MB is 256, and the template says 512", roll_forward),
    Plant("no concurrency", "ingest.settings", "fail", "the reserved concurrency is 0", throttle),
    Plant("no right to the URL", "url.permissions", "fail", "lambda:InvokeFunctionUrl is not allowed", forbid("lambda:InvokeFunctionUrl")),
    Plant("no right to invoke", "url.permissions", "fail", "lambda:InvokeFunction through the URL", forbid("lambda:InvokeFunction")),
    Plant("URL asks for signatures", "url.config", "fail", "asks for AWS_IAM", close_url),
    Plant("short visibility", "events.visibility", "fail", "less than 6 times", lambda s: s.change_queue("queue_url", VisibilityTimeout="30")),
    Plant("long visibility", "commands.visibility", "fail", "EventsVisibilitySeconds", lambda s: s.change_queue("commands_url", VisibilityTimeout="4000")),
    Plant("short memory of the queue", "events.queue", "fail", "MessageRetentionPeriod is 60", lambda s: s.change_queue("queue_url", MessageRetentionPeriod="60")),
    Plant("no dead letters", "commands.queue", "fail", "no dead-letter queue", lambda s: s.change_queue("commands_url", RedrivePolicy="")),
    Plant("secret not deployed", "secret.version", "fail", "has a newer version", rotate),
    Plant("functions hold an old secret", "secret.deployed", "fail", "MEETSTREAM_WEBHOOK_SECRETS", rotate),
    Plant("items expire otherwise", "table.ttl", "fail", "expire by other, which none has", expire_otherwise),
    Plant("public bucket", "bucket.private", "fail", "has no public access block", public),
    Plant("quarantine expires early", "bucket.retention", "fail", "quarantine/ is kept 7 days", expiring("quarantine/", 7)),
    Plant("what is parked expires", "bucket.retention", "fail", "deletes what is in parked/", expiring("parked/", 1)),
    Plant("bucket without TLS", "bucket.tls", "fail", "without TLS", plain),
    Plant("old versions", "bucket.versions", "fail", "keeps old versions", versioned),
    Plant("logs for ever", "process.logging", "fail", "kept for ever", logged_for_ever),
    Plant("sweeps tried again", "process.invoked", "fail", "tries a failed sweep 2 times more", tried_again),
    Plant("nothing said of failed sweeps", "process.invoked", "fail", "Lambda tries it twice more", never_said),
    Plant("no event bus", "bus.exists", "fail", "there is no event bus", without_bus),
    Plant("no sweeps", "schedule.enabled", "fail", "is DISABLED", unscheduled),
    Plant("alarm deleted", "alarms.exist", "fail", "the alarm IngestNotDurableAlarm is gone", silenced),
    Plant("alarm rings", "alarms.quiet", "warn", "rings: planted", ringing),
    Plant("dead delivery", "backlog.dead_deliveries", "fail", "1 delivery in the dead-letter queue", lambda s: s.send("dlq_url", **FIFO)),
    Plant("dead command", "backlog.dead_commands", "fail", "1 command in the dead-letter queue", lambda s: s.send("commands_dlq_url")),
    Plant("parked", "backlog.parked", "fail", "parked/ holds 1 object", lambda s: s.put(f"parked/{GROUP}/planted")),
    Plant("quarantined", "backlog.quarantine", "warn", "quarantine/ holds 1 object", lambda s: s.put(f"quarantine/{GROUP}/planted")),
    Plant("keys refused", "api.meetstream", "fail", "refuses the key with 403", lambda s: s.answer(403, '{"message": "no"}')),
    Plant("wrong webhook secret", "routes.heard", "warn", "3 requests with a wrong credential", rejected),
    Plant("another host's API", "api.meetingbaas", "fail", "not as meetingbaas's API", lambda s: s.answer(200, "<html>welcome</html>")),
)
"""What is planted by AWS's own means. What the local AWS cannot express is planted in the facts: cli/src/doctor/judge/tests.rs."""


def finding(report: dict[str, Any], check: str) -> dict[str, Any]:
    """What the report says of one check."""
    return next(finding for finding in report["findings"] if finding["check"] == check)


def is_content(sick: Sick, flags: tuple[str, ...] = ()) -> None:
    """Sees that doctor finds nothing wrong; what is skipped has a reason that is about the local AWS or the stack's settings."""
    code, report = sick.doctor(*flags)
    odd = [finding for finding in report["findings"] if finding["verdict"] not in ("pass", "skipped")]
    assert code == 0 and not odd, f"exit code {code}: {json.dumps(odd, indent=2)}"
    for found in report["findings"]:
        reasons = ("local", "no key", "nothing serves", "no AlarmEmail", "younger", "every route")
        assert found["verdict"] == "pass" or any(reason in found["what"] for reason in reasons), found


@contextmanager
def planted(sick: Sick, plant: Plant) -> Iterator[None]:
    """Has it planted, whatever happens meanwhile."""
    undo = plant.do(sick)
    try:
        yield
    finally:
        undo()


def names_it(sick: Sick, plant: Plant) -> None:
    """Sees that doctor names what is planted, and that the exit code says so too."""
    with planted(sick, plant):
        code, report = sick.doctor("--quick", "--only", plant.check)
        found = finding(report, plant.check)
        expected = (plant.verdict, 1 if plant.verdict == "fail" else 0)
        assert (found["verdict"], code) == expected and plant.words in found["what"], f"{plant.name}: {code} {found}"
        assert found["way_out"], f"{plant.name}: {found}"
    _, report = sick.doctor("--quick", "--only", plant.check)
    after = finding(report, plant.check)
    assert after["verdict"] in ("pass", "skipped"), f"{plant.name} is undone: {after}"


def notices_at_the_front_door(sick: Sick) -> None:
    """Sees what doctor makes of a secret that the function does not know, and of a route that there is not."""
    elsewhere = sick.outputs["webhook_url"].replace("/meetstream", "/elsewhere")
    for change, words in (({"meetstream_secret": "another"}, "answers 401"), ({"webhook_url": elsewhere}, "answers 404")):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as other:
            json.dump(sick.outputs | change, other)
            other.flush()
            code, report = sick.doctor("--only", "front.applied", outputs=Path(other.name))
        found = finding(report, "front.applied")
        assert code == 1 and words in found["what"], found


def rings(sick: Sick) -> None:
    """Sees that `--ring` reaches whoever an alarm tells, and that the alarm is quiet again afterwards."""
    topics = sick.stack.client("sns")
    topic = topics.create_topic(Name="doctor")["TopicArn"]
    queue = sick.queues.create_queue(QueueName="doctor")["QueueUrl"]
    arn = sick.queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    alarm = sick.alarm("IngestNotDurableAlarm")
    sick.alarms.put_metric_alarm(**alarm, AlarmActions=[topic])
    try:
        _, report = sick.doctor("--quick", "--ring", "--only", "alarms.ring")
        heard = sick.queues.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", [])
        state = sick.alarms.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"][0]["StateValue"]
    finally:
        sick.alarms.put_metric_alarm(**alarm)
        topics.delete_topic(TopicArn=topic)
        sick.queues.delete_queue(QueueUrl=queue)
    assert f"{alarm['AlarmName']} rang" in finding(report, "alarms.ring")["what"], report
    assert len(heard) == 1 and "rollcall doctor --ring" in heard[0]["Body"], heard
    assert state != "ALARM", "it is quiet again"


def check(stack: Stack) -> None:
    """All of it."""
    sick = Sick(stack)
    say("rollcall doctor on a fresh stack")
    is_content(sick)
    say(f"rollcall doctor on a stack in which {len(PLANTS)} things go wrong, one after the other")
    for plant in PLANTS:
        names_it(sick, plant)
    notices_at_the_front_door(sick)
    rings(sick)
    is_content(sick, ("--quick",))
    left = sick.bucket.list_objects_v2(Bucket=sick.outputs["bucket"]).get("Contents", [])
    kept = [entry["Key"] for entry in left if entry["Key"].startswith(("quarantine/", "claims/", "parked/", "spool/"))]
    assert not kept, f"it leaves nothing behind: {kept}"
