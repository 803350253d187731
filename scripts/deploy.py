"""Builds and deploys to AWS, with your credentials: `make deploy`.

The first deploy of a stack asks what only a person can decide and takes the template's defaults for the rest; later ones
keep the settings, but for those that `make deploy SET="AlarmEmail=you@example.org LogRetentionDays=90"` changes. Without a
terminal nothing is asked. Everything that can be known beforehand is checked before anything is changed: a version that
would refuse to start is never deployed. Afterwards the new version is tried, and where it does not answer as it should the
version before it serves again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import adopt
import build
import front
import parameters
import releases
import remembered
import secret
import stack as local
import stack_name
from deployment import Deployment, outputs, session, values_of
from parameters import Template, Values
from refusal import Refusal, aws_script
from tools import ROOT, say

QUESTIONS = {
    "AlarmEmail": "E-mail address for alarms; without one nobody is told when a webhook is lost",
    "KeepRecordings": "Copy audio and video into your bucket as well? Transcripts are always copied (0 no, 1 yes)",
}
"""What only a person can decide."""


def ask(template: Template, said: Values, read: Callable[[str], str] = input) -> Values:
    """Asks for what `SET` does not say, until each answer is valid."""
    answers: Values = {}
    for name, question in QUESTIONS.items():
        rule = template["Parameters"][name]
        while name not in said and name not in answers:
            answer = read(f"{question} [{rule['Default']}]: ").strip() or str(rule["Default"])
            try:
                parameters.check_value(name, rule, answer)
                answers[name] = answer
            except Refusal as refusal:
                print(refusal)
    return answers


def check_settings(template: Template, values: Values, stack: str, secrets: dict[str, str]) -> dict[str, Any]:
    """Whether the functions would start with these settings, by the code that they start with; and what is open then.

    The settings hold secrets: they go through a pipe, into no argument and no file.
    """
    environments = parameters.environments(template, values, stack, secrets)
    command = [local.command(), "settings", "check", "--json"]
    made = subprocess.run(command, cwd=ROOT, input=json.dumps(environments), capture_output=True, text=True)
    if made.returncode:
        raise Refusal(made.stderr.strip().removeprefix("error: "), "nothing was deployed.")
    return json.loads(made.stdout)


def check_account(deployment: Deployment, values: Values) -> None:
    """Compares with the account's Lambda quota."""
    client = deployment.client("lambda")
    limits = client.get_account_settings()["AccountLimit"]
    try:
        reserved = client.get_function_concurrency(FunctionName=deployment.function("ingest"))
    except client.exceptions.ResourceNotFoundException:
        reserved = {}
    parameters.check_concurrency(values, limits, reserved.get("ReservedConcurrentExecutions", 0))


def try_out(deployment: Deployment, routes: list[str], before: Values) -> None:
    """Tries the version that was just deployed. Where it does not work, the version before serves again."""
    say("trying it out")
    wrong = deployment.smoke_test(routes)
    if not wrong:
        return
    listed = "".join(f"\n       {one}" for one in wrong)
    done = deployment.go_back(before) if before else []
    if not done:
        raise Refusal(f"it does not work{listed}", "there is no version before it to go back to; `make logs` shows why.")
    raise Refusal(
        f"it does not work{listed}\n       {'; '.join(done)}",
        "`make logs` shows why. `make rollback` takes the settings back as well; or correct it, and deploy again.",
    )


def tell_alarms(deployment: Deployment) -> str:
    """Whether anybody hears of an alarm."""
    topic = deployment.resource("AlarmTopic")
    if not topic:
        return 'alarms       nobody is told of them: make deploy SET="AlarmEmail=you@example.org"'
    pages = deployment.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    subscriptions = [one for page in pages for one in page["Subscriptions"]]
    pending = [one["Endpoint"] for one in subscriptions if one["SubscriptionArn"] == "PendingConfirmation"]
    if confirmed := [one["Endpoint"] for one in subscriptions if one["Endpoint"] not in pending]:
        return f"alarms       go to {', '.join(confirmed)}"
    if not pending:
        return "alarms       nobody is subscribed any more: see the topic of the stack in the SNS console"
    return f"alarms       NOT CONFIRMED by {', '.join(pending)}: until somebody clicks in AWS's mail, nobody is told"


def doctor(deployment: Deployment) -> bool:
    """Has `rollcall doctor` look at everything without sending anything: what it sends rings an alarm.

    It needs more rights than a deploy, so `DOCTOR=0` leaves it out.
    """
    if os.environ.get("DOCTOR") == "0":
        return True
    command = [local.command(), "doctor", "--quick", "--stack", deployment.name]
    settings = os.environ | {"AWS_REGION": deployment.session.region_name}
    healthy = subprocess.run(command, cwd=ROOT, env=settings).returncode == 0
    print(f"`rollcall doctor --stack {deployment.name}` sends deliveries as well, and sees what becomes of them (docs/DOCTOR.md)")
    return healthy


def architecture_of(deployed: Values) -> str:
    """The one that was asked for with ARCH, else the deployed one, else this machine's."""
    return os.environ.get("ARCH") or deployed.get("Architecture") or build.HOST


def finish(deployment: Deployment, routes: list[str], before: Values) -> None:
    """What follows every change: protection, a try, a record to go back to, and old versions removed."""
    deployment.protect()
    try_out(deployment, routes, before)
    releases.record(deployment)
    if removed := deployment.prune():
        say(f"removed {len(removed)} old versions: {', '.join(removed)}")


def deploy(name: str, changes: str, read: Callable[[str], str] | None, taken_up: str = "") -> None:
    """Deploys one stack, whose secret has the same name. `read` asks a person, if there is one."""
    template = parameters.load(ROOT / "template.yaml")
    if reason := stack_name.reason_against(name):
        raise Refusal(reason, "choose another with STACK=.")
    wanted = parameters.read_changes(changes, template)
    found, account = session()
    deployment = Deployment(name, found)
    say(f"stack {name}, account {account}, region {found.region_name}")

    known = deployment.ready()
    deployed = values_of(known)
    if not known:
        remembered.check(deployment, account)
    left_behind = adopt.read(taken_up)
    if left_behind and known:
        raise Refusal(f"stack {name} is there already", "ADOPT is for a new stack: `make destroy` first, or choose another STACK.")
    adopt.must_exist(deployment, left_behind)
    if not known and read:
        say("a new stack: Enter takes what is in brackets, `make deploy SET=…` changes it later")
        wanted |= ask(template, wanted, read)
    values = {key: value for key, value in deployed.items() if key in template["Parameters"]}
    values = parameters.defaults(template) | values | wanted
    values |= {"SecretName": name, "Architecture": architecture_of(deployed), "SecretVersionId": "0" * 32}
    parameters.check(template, values)
    check_account(deployment, values)
    version, secrets = secret.ensure(found.client("secretsmanager"), name)
    values["SecretVersionId"] = version
    routes = check_settings(template, values, name, secrets)["routes"]

    built = build.for_aws(values["Architecture"])
    before = deployment.live()
    if left_behind:
        adopt.adopt(deployment, template, values, left_behind)
    deployment.change(built / "template.yaml", values, first=not known and not left_behind)
    remembered.store(deployment, account, found.region_name)
    finish(deployment, routes, before)
    report(deployment)
    if not doctor(deployment):
        sys.exit("error: the stack is deployed and answers, and `rollcall doctor --quick` found something: see above")


def report(deployment: Deployment) -> None:
    """What the person needs to know now."""
    print(f"\nwebhook URL  {outputs(deployment.describe())['MeetStreamWebhookUrl']}")
    print(tell_alarms(deployment))
    if front.is_behind(deployment):
        print("front        leads to an address that is no more: `make front` leads it here")
    print("\nIf this is new: create a webhook endpoint with that URL in MeetStream's dashboard, enter the")
    print("signing secret that it shows with `make secret`, and run `make rotate`.", flush=True)


def main() -> None:
    """Deploys, with the settings asked for where the stack is new and somebody is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="rollcall", help="stack and secret (default: %(default)s)")
    parser.add_argument("--set", default=os.environ.get("SET", ""), metavar="PARAMETER=VALUE …", help="settings to change")
    parser.add_argument("--adopt", default=os.environ.get("ADOPT", ""), metavar="Table=NAME Bucket=NAME", help="what `make destroy` left behind")
    arguments = parser.parse_args()
    deploy(arguments.stack, arguments.set, input if sys.stdin.isatty() else None, arguments.adopt)


if __name__ == "__main__":
    aws_script(main)
