"""Follows the log groups of both functions: `make logs`. The local stack's where one is up, else the one on AWS."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stack import NAME, here
from tools import script


def lines(client: Any, group: str, since: int) -> Iterator[tuple[int, str, str]]:
    """Time, identity and text of everything a log group got since then."""
    try:
        for page in client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since):
            for event in page["events"]:
                identity = event.get("eventId") or f"{event['logStreamName']} {event['timestamp']} {event['message']}"
                yield event["timestamp"], identity, event["message"].rstrip()  # the local AWS gives no event ids
    except client.exceptions.ResourceNotFoundException:
        sys.exit(f"error: there is no log group {group}; is the stack deployed, in this region?")


def follow(client: Any, stack: str, minutes: int) -> None:
    """Prints new lines of both functions in the order of their times, for ever."""
    groups = [f"/aws/lambda/{stack}-{function}" for function in ("ingest", "process")]
    since = int((time.time() - 60 * minutes) * 1000)
    seen: set[str] = set()
    while True:
        new = [line for group in groups for line in lines(client, group, since)]
        for at, identity, text in sorted(new, key=lambda line: line[0]):
            if identity not in seen:
                seen.add(identity)
                print(text, flush=True)
                since = max(since, at - 10_000)  # lines of two functions arrive out of order
        time.sleep(2)


def main() -> None:
    """Follows one stack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", help=f"a stack on AWS (default: the local one if it is up, else {NAME})")
    parser.add_argument("--minutes", type=int, default=10, help="how far back to begin (default: %(default)s)")
    arguments = parser.parse_args()

    local = here(None)
    if arguments.stack is None and local.aws.identity():
        follow(local.client("logs"), NAME, arguments.minutes)
    follow(boto3.client("logs"), arguments.stack or NAME, arguments.minutes)


if __name__ == "__main__":
    script(main, BotoCoreError, ClientError)
