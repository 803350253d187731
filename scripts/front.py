"""Puts CloudFront in front of a stack, for an address that survives a rebuilt stack: `make front`.

The front is a stack of its own, with `-front` behind the name (front.yaml). Repeat the command after the stack was rebuilt:
the front then leads to the new function URL, and its own address stays.
"""

from __future__ import annotations

import argparse
import json
import time
from urllib.parse import urlsplit

import parameters
from deployment import Deployment, answers, outputs, session, values_of
from refusal import Refusal, aws_script
from tools import ROOT, say

TEMPLATE = ROOT / "front.yaml"
POLICY = {
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["Update:Replace", "Update:Delete"], "Resource": "LogicalResourceId/Distribution"},
    ]
}


def of(deployment: Deployment) -> Deployment:
    """The front of a stack, which may not be there."""
    return Deployment(f"{deployment.name}-front", deployment.session)


def is_behind(deployment: Deployment) -> bool:
    """Whether there is a front that leads to another address than the stack's."""
    leads_to = values_of(of(deployment).describe()).get("FunctionUrlHost")
    return leads_to is not None and leads_to != host_of(deployment)


def host_of(deployment: Deployment) -> str:
    """The host name of the ingest function's URL."""
    return urlsplit(outputs(deployment.describe())["FunctionUrl"]).hostname or ""


def front(name: str, seconds: float = 120) -> str:
    """Deploys the front of one stack, and returns its webhook URL."""
    found, account = session()
    deployment = Deployment(name, found)
    say(f"the front of stack {name}, account {account}, region {found.region_name}")
    deployment.must_exist()
    before = of(deployment)
    values = {"FunctionUrlHost": host_of(deployment)}
    parameters.check_value("FunctionUrlHost", parameters.load(TEMPLATE)["Parameters"]["FunctionUrlHost"], values["FunctionUrlHost"])
    say("CloudFront takes about 5 minutes")
    before.change(TEMPLATE, values, first=before.ready() is None)
    client = found.client("cloudformation")
    client.set_stack_policy(StackName=before.name, StackPolicyBody=json.dumps(POLICY))
    client.update_termination_protection(StackName=before.name, EnableTerminationProtection=True)

    url = outputs(before.describe())["Url"]
    end = time.monotonic() + seconds
    while wrong := answers(url, "POST", "/webhooks/nowhere", 404):
        if time.monotonic() > end:
            raise Refusal(f"the front does not answer as the stack does: {wrong}", "wait some minutes and repeat `make front`.")
        time.sleep(5)
    return outputs(before.describe())["WebhookUrl"]


def main() -> None:
    """Deploys the front."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="rollcall", help="which stack (default: %(default)s)")
    print(f"\nwebhook URL  {front(parser.parse_args().stack)}\n\nEnter it in place of the function URL. The old address works as well.")


if __name__ == "__main__":
    aws_script(main)
