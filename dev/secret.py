"""The Secrets Manager secret that holds what senders must know.

One JSON object with a key for each route, each value a comma-separated list, so that during a rotation the old and the new
one are both accepted; one without entries switches the route off:

    {"meetstream_webhook_secrets": "<new>,<old>", "meetstream_callback_tokens": "<token>", "meetingbaas_api_keys": ",", …}

`make secret` puts a credential that a sender's dashboard has shown into it; the deploy after that hands it to the function.
Nothing here prints a value.
"""

from __future__ import annotations

import argparse
import base64
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
MEETSTREAM_API_KEYS = "meetstream_api_keys"
API_KEYS = "meetingbaas_api_keys"
SVIX_SECRETS = "meetingbaas_svix_secrets"
CALLBACK_SECRETS = "meetingbaas_callback_secrets"
LEGACY_SECRETS = "meetingbaas_legacy_secrets"

RANDOM = {
    WEBHOOK_SECRETS: lambda: secrets.token_hex(32),
    CALLBACK_TOKENS: lambda: secrets.token_urlsafe(32),
    MEETSTREAM_API_KEYS: lambda: secrets.token_hex(32),
    API_KEYS: lambda: secrets.token_hex(32),
    SVIX_SECRETS: lambda: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
    CALLBACK_SECRETS: lambda: secrets.token_hex(32),
    LEGACY_SECRETS: lambda: secrets.token_hex(32),
}
"""How a credential of each key looks."""

NO_ENTRY = ","
"""A list without entries. Not an empty text: nobody says what CloudFormation makes of a reference to one."""

OPEN_AT_FIRST = (WEBHOOK_SECRETS, CALLBACK_TOKENS)
"""The keys that have a value from the start. The other routes do not exist until somebody enters a credential."""


def ensure(client: Any, name: str, filled: tuple[str, ...] = OPEN_AT_FIRST) -> tuple[str, dict[str, str]]:
    """Version id and value of the secret, with every key in it.

    CloudFormation refuses a reference to a key that is not there, so what an older version of this project did not know is
    added. A key of `filled` gets a random value, not an empty one: until the sender's own is entered, nobody can sign.
    """
    fresh = {key: RANDOM[key]() if key in filled else NO_ENTRY for key in RANDOM}
    try:
        found = client.get_secret_value(SecretId=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        description = "Rollcall: the credentials of its senders, newest first"
        made = client.create_secret(Name=name, Description=description, SecretString=json.dumps(fresh))
        return made["VersionId"], fresh
    value = json.loads(found["SecretString"])
    if value.keys() >= fresh.keys():
        return found["VersionId"], value
    value = fresh | value
    return client.put_secret_value(SecretId=name, SecretString=json.dumps(value))["VersionId"], value


def add(client: Any, name: str, key: str, entry: str, keep: int) -> str:
    """Puts a new entry in front of one list, keeps so many of the older ones, and returns the new version's id."""
    _, value = ensure(client, name)
    older = [old for old in value.get(key, "").split(",") if old and old != entry]
    value[key] = ",".join([entry, *older[:keep]])
    return client.put_secret_value(SecretId=name, SecretString=json.dumps(value))["VersionId"]


def is_svix_secret(entry: str) -> bool:
    """Whether it has the form that Standard Webhooks gives a secret: base64 of 24 to 64 bytes, usually after whsec_."""
    text = entry.removeprefix("whsec_")
    try:
        return 24 <= len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True)) <= 64
    except ValueError:
        return False


def main() -> None:
    """Asks for a signing secret and stores it."""
    parser = argparse.ArgumentParser(description="Enter a sender's credential, or make a new callback token.")
    entered = [key for key in RANDOM if key != CALLBACK_TOKENS]
    parser.add_argument("--key", choices=entered, default=WEBHOOK_SECRETS, help="which one (default: %(default)s)")
    parser.add_argument("--name", default="rollcall", help="name of the secret (default: %(default)s)")
    parser.add_argument("--new-callback-token", action="store_true", help="make a new token for per-bot callback URLs")
    parser.add_argument("--keep", type=int, default=2, help="older entries that stay valid (default: %(default)s, so that a mistyped one pushes out none in use)")
    arguments = parser.parse_args()
    client = boto3.client("secretsmanager")

    if arguments.new_callback_token:
        add(client, arguments.name, CALLBACK_TOKENS, secrets.token_urlsafe(32), arguments.keep)
    else:
        ask = f"A value for {arguments.key}, as the sender's dashboard shows it: "
        entry = (getpass.getpass(ask) if sys.stdin.isatty() else sys.stdin.readline()).strip()
        if not entry or "," in entry:
            sys.exit("error: that is no credential (empty, or it contains a comma)")
        if arguments.key == SVIX_SECRETS and not is_svix_secret(entry):
            # The function would refuse to start, and with it every other route.
            sys.exit("error: that is no Svix signing secret; it is whsec_ and base64, on the endpoint's page")
        add(client, arguments.name, arguments.key, entry, arguments.keep)
    print(f"stored in {arguments.name}; `make deploy` hands it to the function")


if __name__ == "__main__":
    script(main, BotoCoreError, ClientError)
