"""Works off the queue with Powertools: partial batches of a FIFO queue, each record made idempotent in DynamoDB."""

import json
import os

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function

logger = Logger(service="processor", level="INFO")
processor = SqsFifoPartialProcessor()
config = IdempotencyConfig(event_key_jmespath="[bot_id, event, timestamp]")


@idempotent_function(
    data_keyword_argument="event",
    config=config,
    persistence_store=DynamoDBPersistenceLayer(table_name=os.environ["TABLE_NAME"]),
)
def process(event: dict) -> str:
    """Takes note of the event."""
    logger.info("processed", extra={"event": event["event"], "bot": event["bot_id"]})
    return event["event"]


def handle(record: SQSRecord) -> str:
    """One record: the raw body is the rest of our queue message."""
    return process(event=json.loads(record.body.partition("\n")[2]))


def handler(event, context):
    """Lambda's entry."""
    config.register_lambda_context(context)
    return process_partial_response(event=event, record_handler=handle, processor=processor, context=context)
