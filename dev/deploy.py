"""Builds and deploys to AWS, with your credentials: `make deploy`.

The first deploy of a stack asks for the settings (`sam deploy --guided`); later ones keep them, but for those that
`make deploy SET="AlarmEmail=you@example.org LogRetentionDays=90"` changes. Either way it makes sure that the secret exists and passes its current version on: CloudFormation reads a secret again only when the
reference to it changes. So rotating a secret is `make secret` and then `make deploy`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

import build
import secret
import stack_name
from tools import ROOT, say, script


def deploy(name: str, changed: list[str]) -> None:
    """Deploys one stack, whose secret has the same name."""
    session = boto3.Session()
    if not session.region_name:
        sys.exit("error: no region; set AWS_REGION, or a profile with AWS_PROFILE")
    account = session.client("sts").get_caller_identity()["Account"]
    say(f"stack {name}, account {account}, region {session.region_name}")

    version, _ = secret.ensure(session.client("secretsmanager"), name)
    build.build(quick=False)
    known = find_stack(session.client("cloudformation"), name)

    parameters = {"SecretName": name, "SecretVersionId": version, "Architecture": build.TARGET}
    command = ["sam", "deploy", "--stack-name", name, "--region", session.region_name]
    command += ["--s3-prefix", name]  # the template is the one in .aws-sam/build, the rest is in samconfig.toml
    command += ["--parameter-overrides", *(f"{key}={value}" for key, value in parameters.items()), *changed]
    if not known:
        say("SAM asks for the settings; Enter takes the default")
        print("    The function URL has no authentication on purpose: the function checks every delivery itself. Answer y.")
        print("    No need to save the answers to a file: the stack keeps them. Answer n.", flush=True)
        command.append("--guided")
    subprocess.run(command, cwd=ROOT, env=build.environment(), check=True)

    outputs = (find_stack(session.client("cloudformation"), name) or {}).get("Outputs", [])
    url = next((output["OutputValue"] for output in outputs if output["OutputKey"] == "MeetStreamWebhookUrl"), None)
    if url:
        print(f"\nwebhook URL   {url}\n\nIf this is new: create a webhook endpoint with that URL in MeetStream's dashboard,")
        print("enter the signing secret that it shows with `make secret`, and run `make deploy` again.")


def find_stack(client: Any, name: str) -> dict[str, Any] | None:
    """What CloudFormation says about a stack that has been deployed."""
    try:
        found = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return None if found["StackStatus"] in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE") else found


def main() -> None:
    """Deploys, with the settings asked for where the stack is new."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="rollcall", help="stack and secret (default: %(default)s)")
    parser.add_argument("--set", nargs="*", default=[], metavar="PARAMETER=VALUE", help="settings to change")
    arguments = parser.parse_args()
    if bad := [change for change in arguments.set if "=" not in change]:
        sys.exit(f"error: {bad[0]} is no setting; write PARAMETER=VALUE, with a parameter of template.yaml")
    if reason := stack_name.reason_against(arguments.stack):
        sys.exit(f"error: {reason}")
    deploy(arguments.stack, arguments.set)


if __name__ == "__main__":
    script(main, BotoCoreError, ClientError)
