"""The Secrets Manager secret that holds what senders must know.

One JSON object with a key for each route, each value a comma-separated list, so that during a rotation the old and the new
one are both accepted; one without entries switches the route off:

    {"meetstream_webhook_secrets": "<new>,<old>", "meetstream_callback_tokens": "<token>", "meetingbaas_api_keys": ",", …}

`make secret` puts a credential that a sender's dashboard has shown into it, or drops one; `make rotate` hands it to the functions.
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
from botocore.exceptions import ClientError

from refusal import Refusal, aws_script

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


def read(client: Any, name: str) -> tuple[str, dict[str, str]] | None:
    """Version id and value of the secret, or None when there is none. No message of this quotes what is in it."""
    try:
        found = client.get_secret_value(SecretId=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            return None
        if code == "InvalidRequestException" and "deletion" in error.response["Error"]["Message"]:
            raise Refusal(
                f"the secret {name} is going to be deleted",
                f"take it back: `aws secretsmanager restore-secret --secret-id {name}`.",
            ) from None
        raise
    return found["VersionId"], _parsed(name, found)


def value_of(client: Any, name: str, version: str) -> dict[str, str]:
    """The value of one version of the secret."""
    return _parsed(name, client.get_secret_value(SecretId=name, VersionId=version))


def _parsed(name: str, found: dict[str, Any]) -> dict[str, str]:
    mend = f"put it right: `aws secretsmanager put-secret-value --secret-id {name} --secret-string file://FILE`, one text for each key in docs/CONFIGURATION.md."
    try:
        value = json.loads(found["SecretString"])
    except KeyError:
        raise Refusal(f"the secret {name} holds bytes instead of text", mend) from None
    except ValueError:
        raise Refusal(f"the secret {name} is no JSON", mend) from None
    if not isinstance(value, dict):
        raise Refusal(f"the secret {name} is no JSON object", mend)
    if odd := [key for key, entries in value.items() if not isinstance(entries, str)]:
        raise Refusal(f"in the secret {name}, {odd[0]} is no text", mend)
    return value


def ensure(client: Any, name: str, filled: tuple[str, ...] = OPEN_AT_FIRST) -> tuple[str, dict[str, str]]:
    """Version id and value of the secret, with every key in it.

    CloudFormation refuses a reference to a key that is not there, so what an older version of this project did not know is
    added, and an empty text becomes a list without entries. A new key of `filled` gets a random value: until the sender's own
    is entered, nobody can sign.
    """
    fresh = {key: RANDOM[key]() if key in filled else NO_ENTRY for key in RANDOM}
    found = read(client, name)
    if found is None:
        description = "Rollcall: the credentials of its senders, newest first"
        made = client.create_secret(Name=name, Description=description, SecretString=json.dumps(fresh))
        return made["VersionId"], fresh
    version, value = found
    complete = fresh | {key: entries.strip() or NO_ENTRY for key, entries in value.items()}
    if complete == value:
        return version, value
    return _store(client, name, complete), complete


def entries_of(value: dict[str, str], key: str) -> list[str]:
    """The entries of one list, newest first."""
    return [entry.strip() for entry in value.get(key, "").split(",") if entry.strip()]


def add(client: Any, name: str, key: str, entry: str, keep: int) -> str:
    """Puts a new entry in front of one list, keeps so many of the older ones, and returns the new version's id."""
    _, value = ensure(client, name)
    older = [old for old in entries_of(value, key) if old != entry]
    return _store(client, name, value | {key: ",".join([entry, *older[:keep]])})


def drop(client: Any, name: str, key: str, positions: set[int]) -> str:
    """Drops the entries at these positions of one list, of which 1 is the newest, and returns the new version's id."""
    _, value = ensure(client, name)
    entries = entries_of(value, key)
    if odd := sorted(position for position in positions if not 1 <= position <= len(entries)):
        raise Refusal(f"{key} has no entry {odd[0]}", f"it has {len(entries)}, and 1 is the newest.")
    left = [entry for position, entry in enumerate(entries, 1) if position not in positions]
    changed = value | {key: ",".join(left) or NO_ENTRY}
    routes = [key for key in changed if key not in (MEETSTREAM_API_KEYS,)]
    if not any(entries_of(changed, key) for key in routes):
        raise Refusal("that was the last credential of all routes", "a function without any does not start: enter another first.")
    return _store(client, name, changed)


def _store(client: Any, name: str, value: dict[str, str]) -> str:
    return client.put_secret_value(SecretId=name, SecretString=json.dumps(value))["VersionId"]


def is_svix_secret(entry: str) -> bool:
    """Whether it has the form that Standard Webhooks gives a secret: base64 of 24 to 64 bytes, usually after whsec_."""
    text = entry.removeprefix("whsec_")
    try:
        return 24 <= len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True)) <= 64
    except ValueError:
        return False


def main() -> None:
    """Enters a credential, or drops some."""
    parser = argparse.ArgumentParser(description="Enter a sender's credential, make a new callback token, or drop old entries.")
    parser.add_argument("--key", choices=list(RANDOM), default=WEBHOOK_SECRETS, help="which list (default: %(default)s)")
    parser.add_argument("--name", default="rollcall", help="name of the secret (default: %(default)s)")
    parser.add_argument("--keep", type=int, default=2, help="older entries that stay valid (default: %(default)s, so that a mistyped one pushes out none in use)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--new-callback-token", action="store_true", help="make a new token for per-bot callback URLs")
    what.add_argument("--drop", type=int, nargs="+", metavar="POSITION", help="drop these entries of the list; 1 is the newest")
    what.add_argument("--drop-old", action="store_true", help="drop all entries of the list but the newest")
    what.add_argument("--off", action="store_true", help="drop all entries of the list, which switches its route off")
    what.add_argument("--list", action="store_true", help="say how many entries each list has")
    arguments = parser.parse_args()
    client, name, key = boto3.client("secretsmanager"), arguments.name, arguments.key
    before = read(client, name)

    if arguments.list or arguments.drop or arguments.drop_old or arguments.off:
        if before is None:
            raise Refusal(f"there is no secret {name}", "`make deploy` makes it; for another name give STACK=.")
        count = len(entries_of(before[1], key))
        if arguments.list:
            print("\n".join(f"{one:30}{len(entries_of(before[1], one))}" for one in RANDOM))
            return
        positions = set(arguments.drop or range(2 if arguments.drop_old else 1, count + 1))
        if not positions:
            print(f"{key} has nothing to drop: {count} entries")
            return
        drop(client, name, key, positions)
        print(f"dropped {len(positions)} of {count} entries of {key} from {name}; `make rotate` hands the rest to the functions")
        return
    if arguments.new_callback_token or key == CALLBACK_TOKENS:
        add(client, name, CALLBACK_TOKENS, secrets.token_urlsafe(32), arguments.keep)
    else:
        ask = f"A value for {key}, as the sender's dashboard shows it: "
        entry = (getpass.getpass(ask) if sys.stdin.isatty() else sys.stdin.readline()).strip()
        if not entry or "," in entry:
            sys.exit("error: that is no credential (empty, or it contains a comma)")
        if key == SVIX_SECRETS and not is_svix_secret(entry):
            # The function would refuse to start, and with it every other route.
            sys.exit("error: that is no Svix signing secret; it is whsec_ and base64, on the endpoint's page")
        add(client, name, key, entry, arguments.keep)
    print(f"stored in {name}; `make rotate` hands it to the functions (`make deploy` the first time)")


if __name__ == "__main__":
    aws_script(main)
