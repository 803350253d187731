"""Receives webhooks with Powertools' router and boto3."""

import hashlib
import hmac
import json
import os

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver, Response
from aws_lambda_powertools.event_handler.exceptions import UnauthorizedError

SECRET = os.environ["MEETSTREAM_WEBHOOK_SECRETS"].encode()
QUEUE_URL = os.environ["EVENTS_QUEUE_URL"]

logger = Logger(service="receiver", level="INFO")
app = LambdaFunctionUrlResolver()
sqs = boto3.client("sqs")


@app.post("/webhooks/meetstream")
def receive() -> Response:
    """Checks the signature over the raw body and queues it."""
    body = app.current_event.decoded_body or ""
    expected = "sha256=" + hmac.new(SECRET, body.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, app.current_event.headers.get("x-meetstream-signature", "")):
        raise UnauthorizedError("invalid signature")
    event = json.loads(body)
    sqs.send_message(
        QueueUrl=QUEUE_URL,
        MessageGroupId=event["bot_id"],
        MessageDeduplicationId=app.lambda_context.aws_request_id,
        MessageBody=body,
    )
    logger.info("queued", extra={"event": event["event"], "bot": event["bot_id"]})
    return Response(status_code=200, content_type="application/json", body=json.dumps({"received": True}))


def handler(event, context):
    """Lambda's entry."""
    return app.resolve(event, context)
