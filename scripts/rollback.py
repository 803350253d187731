"""Deploys what was deployed and worked before: `make rollback`.

Code and settings go back together. The secret stays as it is deployed, unless nothing but the secret was changed: then that
change is taken back, as long as Secrets Manager has the version.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_parse

import deploy
import releases
import secret
from deployment import Deployment, session
from parameters import Values
from refusal import Refusal, aws_script
from releases import Release
from tools import say


def choose(deployment: Deployment) -> tuple[Release, Release]:
    """What is deployed, and the newest recorded release that differs from it."""
    now = releases.deployed(deployment)
    for release in releases.listed(deployment):
        if not release.same_as(now):
            return now, release
    raise Refusal("no other release is recorded", "a release is recorded when it was deployed and works; check out the code that you want and `make deploy`.")


def differences(now: Release, then: Release) -> list[str]:
    """What a rollback would change, a line each."""
    found = [] if yaml_parse(now.template) == yaml_parse(then.template) else ["code, or the rest of the template"]
    for name in sorted(now.values.keys() | then.values.keys()):
        if now.values.get(name) != then.values.get(name):
            found.append(f"{name}: {now.values.get(name, 'none')} → {then.values.get(name, 'none')}")
    return found


def secret_for(client: Any, now: Release, then: Release) -> tuple[str, dict[str, str]]:
    """Version id and value of the secret that a release is deployed with."""
    only_the_secret = not differences(Release(now.template, now.values | {"SecretVersionId": ""}), Release(then.template, then.values | {"SecretVersionId": ""}))
    wanted = (then if only_the_secret else now).values["SecretVersionId"]
    try:
        return wanted, secret.value_of(client, then.values["SecretName"], wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    raise Refusal(f"Secrets Manager no longer has version {wanted} of the secret", "correct the secret with `make secret`, then `make rotate`.")


def rollback(name: str, read: Callable[[str], str] | None) -> None:
    """Takes one stack back. `read` asks a person, if there is one."""
    found, account = session()
    deployment = Deployment(name, found)
    say(f"stack {name}, account {account}, region {found.region_name}")
    deployment.must_exist()
    now, then = choose(deployment)
    version, secrets = secret_for(found.client("secretsmanager"), now, then)
    values: Values = then.values | {"SecretVersionId": version}
    print(f"back to what was deployed at {then.at}:")
    print("\n".join(f"    {line}" for line in differences(now, Release(then.template, values))), flush=True)
    if read and read("Go back? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Refusal("nothing was changed", "answer y to go back.")
    routes = deploy.check_settings(yaml_parse(then.template), values, name, secrets)["routes"]
    before = deployment.live()
    deployment.change_text(then.template, values)
    releases.forget(deployment, after=then)
    deploy.finish(deployment, routes, before)
    print(f"\nstack {name} is as it was at {then.at}")


def main() -> None:
    """Rolls back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="rollcall", help="which stack (default: %(default)s)")
    arguments = parser.parse_args()
    rollback(arguments.stack, input if sys.stdin.isatty() else None)


if __name__ == "__main__":
    aws_script(main)
