"""Runs both functions, built for AWS, with `sam local invoke` and recorded events, and checks what they did to the local AWS.

The ingest function gets a signed webhook and must leave a message in a queue; the process function gets exactly that
message and must leave a session in the table. Neither is triggered by the deployed functions: the queue is one that
nothing else listens to.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import select
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import build
from docker_engine import NoDocker, bridge_address, engine
from stack import Stack, here
from tools import ROOT, say, script

EVENTS = ROOT / "events"


def check(stack: Stack) -> None:
    """Invokes both functions in containers. Raises where an effect is missing, NoDocker where there is no engine."""
    outputs = json.loads(stack.outputs_file.read_text())
    with engine(), reachable_from_containers(stack.aws.port) as (endpoint, options):
        invoke = Invocation(stack, outputs, endpoint, options)
        bot_id = f"sam-local-{uuid.uuid4()}"

        say("sam local invoke IngestFunction")
        queue = invoke.own_queue()
        answer = invoke.run("IngestFunction", signed_webhook(bot_id, outputs["meetstream_secret"]), EVENTS_QUEUE_URL=queue)
        expect(answer.get("statusCode") == 200, "the ingest function answers 200", answer)
        message = invoke.take_message(queue)
        expect(message is not None, "the ingest function leaves one message in the queue", answer)

        say("sam local invoke ProcessFunction")
        answer = invoke.run("ProcessFunction", sqs_event(message))
        expect(answer.get("batchItemFailures") == [], "the process function finishes the record", answer)
        expect(invoke.is_in_table(bot_id), "the process function leaves the bot's session in the table", answer)


class Invocation:
    """How to run a function of the deployed stack in a container."""

    def __init__(self, stack: Stack, outputs: dict[str, str], endpoint: str, options: list[str]) -> None:
        self.stack, self.outputs, self.endpoint, self.options = stack, outputs, endpoint, options

    def run(self, function: str, event: dict[str, Any], **variables: str) -> dict[str, Any]:
        """Runs one function once and returns its answer."""
        folder = self.stack.folder / "invoke"
        folder.mkdir(exist_ok=True)
        deployed = self._deployed_variables(function)
        (folder / "variables.json").write_text(
            json.dumps({function: deployed | variables | {"AWS_ENDPOINT_URL": self.endpoint}})
        )
        (folder / "event.json").write_text(json.dumps(event))
        command = ["sam", "local", "invoke", function, "--template", str(build.AWS / "template.yaml")]
        command += ["--event", str(folder / "event.json"), "--env-vars", str(folder / "variables.json")]
        command += ["--skip-pull-image", *self.options]
        command += ["--parameter-overrides", f"Architecture={build.HOST} SecretVersionId={'0' * 32}"]
        settings = self.stack.aws.client_environment() | {"SAM_CLI_TELEMETRY": "0"}
        settings["PATH"] = build.environment()["PATH"]
        done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=300)
        (folder / f"{function}.log").write_text(done.stderr)
        expect(done.returncode == 0, f"{function} runs", done.stderr[-3000:])
        try:
            return json.loads(done.stdout.strip().splitlines()[-1])
        except (json.JSONDecodeError, IndexError):
            raise AssertionError(f"{function} gave no answer: {done.stdout!r}\n{done.stderr[-3000:]}") from None

    def own_queue(self) -> str:
        """A FIFO queue that no function is triggered by."""
        attributes = {"FifoQueue": "true", "MaximumMessageSize": "1048576"}
        made = self.stack.client("sqs").create_queue(QueueName=f"invoke-{uuid.uuid4()}.fifo", Attributes=attributes)
        return made["QueueUrl"]

    def take_message(self, queue: str) -> dict[str, Any] | None:
        """The one message of a queue, with its attributes."""
        found = self.stack.client("sqs").receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=2,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = found.get("Messages", [])
        return messages[0] if len(messages) == 1 else None

    def is_in_table(self, bot_id: str) -> bool:
        """Whether an item of the table has this bot's id in its key."""
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(
            TableName=self.outputs["table"],
            FilterExpression="contains(pk, :bot)",
            ExpressionAttributeValues={":bot": {"S": bot_id}},
        )
        return any(page["Items"] for page in pages)

    def _deployed_variables(self, function: str) -> dict[str, str]:
        name = self.outputs["ingest_function" if function == "IngestFunction" else "process_function"]
        found = self.stack.client("lambda").get_function_configuration(FunctionName=name, Qualifier="live")
        return found["Environment"]["Variables"]


def signed_webhook(bot_id: str, signing_secret: str) -> dict[str, Any]:
    """The recorded function URL event, for another bot and signed with this stack's secret."""
    event = json.loads((EVENTS / "http" / "meetstream_signed.json").read_text())
    body = json.dumps(json.loads(event["body"]) | {"bot_id": bot_id}, separators=(",", ":"))
    signature = hmac.new(signing_secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    event["body"] = body
    event["headers"] |= {"x-meetstream-signature": f"sha256={signature}", "content-length": str(len(body))}
    return event


def sqs_event(message: dict[str, Any]) -> dict[str, Any]:
    """The recorded SQS event with one record: this message."""
    event = json.loads((EVENTS / "sqs" / "delivery.json").read_text())
    record = event["Records"][0]
    record |= {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "md5OfBody": message["MD5OfBody"],
        "messageAttributes": {
            name: {key[0].lower() + key[1:]: part for key, part in value.items()}
            for name, value in message.get("MessageAttributes", {}).items()
        },
    }
    record["attributes"] |= {name: message["Attributes"][name] for name in record["attributes"] if name in message["Attributes"]}
    event["Records"] = [record]
    return event


@contextmanager
def reachable_from_containers(port: int) -> Iterator[tuple[str, list[str]]]:
    """The endpoint of the local AWS as containers see it, and the options for `sam local` that belong to it.

    The local AWS listens on the loopback interface only. A small forwarder listens on the containers' bridge, which
    nothing outside this machine reaches, for as long as it is needed. Where the bridge is inside a virtual machine
    (Docker Desktop), there is no such address here and Docker's own name for the host leads to the loopback interface.
    """
    listener = socket.socket()
    try:
        address = bridge_address()
        listener.bind((address, 0))
    except OSError:
        yield f"http://host.docker.internal:{port}", ["--add-host", "host.docker.internal:host-gateway"]
        return
    listener.listen()
    threading.Thread(target=forward_all, args=(listener, port), daemon=True).start()
    try:
        yield f"http://{address}:{listener.getsockname()[1]}", []
    finally:
        listener.close()


def forward_all(listener: socket.socket, port: int) -> None:
    """Joins every connection with one to the local port, until the listener is closed."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=forward, args=(client, port), daemon=True).start()


def forward(client: socket.socket, port: int) -> None:
    """Copies bytes both ways until either side ends."""
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        other = {client: server, server: client}
        while True:
            for ready in select.select(list(other), [], [])[0]:
                received = ready.recv(65536)
                if not received:
                    return
                other[ready].sendall(received)


def expect(condition: bool, what: str, seen: object) -> None:
    """Fails with what was expected and what was seen instead."""
    if not condition:
        raise AssertionError(f"expected: {what}\nseen: {seen}")


def main() -> None:
    """Checks the stack that `make up` has started."""
    check(here(None))


if __name__ == "__main__":
    script(main, NoDocker, AssertionError)
