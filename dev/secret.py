"""The Secrets Manager secret that holds what senders must know.

One JSON object, each value a comma-separated list, so that during a rotation the old and the new one are both accepted:

    {"meetstream_webhook_secrets": "<new>,<old>", "meetstream_callback_tokens": "<token>"}

`make secret` puts a signing secret that MeetStream has shown into it; the deploy after that hands it to the function.
Nothing here prints a value.
"""

from __future__ import annotations

import argparse
import getpass
import json
import secrets
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tools import script

WEBHOOK_SECRETS = "meetstream_webhook_secrets"
CALLBACK_TOKENS = "meetstream_callback_tokens"


def ensure(client: Any, name: str) -> tuple[str, dict[str, str]]:
    """Version id and value of the secret, which is created with random values where there is none."""
    try:
        found = client.get_secret_value(SecretId=name)
        return found["VersionId"], json.loads(found["SecretString"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    # Random from the start, not empty: until MeetStream's own secret is entered, nobody can sign for the route.
    value = {WEBHOOK_SECRETS: secrets.token_hex(32), CALLBACK_TOKENS: secrets.token_urlsafe(32)}
    made = client.create_secret(
        Name=name,
        Description="Rollcall: webhook secrets and callback tokens, newest first",
        SecretString=json.dumps(value),
    )
    return made["VersionId"], value


def add(client: Any, name: str, key: str, entry: str, keep: int) -> str:
    """Puts a new entry in front of one list, keeps so many of the older ones, and returns the new version's id."""
    _, value = ensure(client, name)
    older = [old for old in value.get(key, "").split(",") if old and old != entry]
    value[key] = ",".join([entry, *older[:keep]])
    return client.put_secret_value(SecretId=name, SecretString=json.dumps(value))["VersionId"]


def main() -> None:
    """Asks for a signing secret and stores it."""
    parser = argparse.ArgumentParser(description="Enter a webhook's signing secret, or make a new callback token.")
    parser.add_argument("--name", default="rollcall", help="name of the secret (default: %(default)s)")
    parser.add_argument("--new-callback-token", action="store_true", help="make a new token for per-bot callback URLs")
    parser.add_argument("--keep", type=int, default=2, help="older entries that stay valid (default: %(default)s, so that a mistyped one pushes out none in use)")
    arguments = parser.parse_args()
    client = boto3.client("secretsmanager")

    if arguments.new_callback_token:
        add(client, arguments.name, CALLBACK_TOKENS, secrets.token_urlsafe(32), arguments.keep)
    else:
        ask = "Signing secret, as MeetStream shows it: "
        entry = (getpass.getpass(ask) if sys.stdin.isatty() else sys.stdin.readline()).strip()
        if not entry or "," in entry:
            sys.exit("error: that is no signing secret (empty, or it contains a comma)")
        add(client, arguments.name, WEBHOOK_SECRETS, entry, arguments.keep)
    print(f"stored in {arguments.name}; `make deploy` hands it to the function")


if __name__ == "__main__":
    script(main, BotoCoreError, ClientError)
