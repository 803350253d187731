"""Removes a stack: `make destroy`. The table, the bucket and the secret stay, unless `DATA=1` says otherwise.

It refuses as long as something would be lost that nobody has decided about: rules of others on the event bus, and deliveries
that are on their way or were set aside. What stays can be taken up again: `make deploy ADOPT="Table=… Bucket=…"`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

import remembered
from deployment import Deployment, outputs, session
from parameters import Values
from refusal import Refusal, aws_script
from tools import say

QUEUES = {
    "EventsQueueUrl": "deliveries on their way: wait until they are processed",
    "EventsDeadLetterQueueUrl": "dead letters: `rollcall dlq replay`, or purge the queue",
    "CommandsQueueUrl": "commands on their way: wait until they are done",
    "CommandsDeadLetterQueueUrl": "dead commands: `rollcall dlq replay --commands`, or purge the queue",
}
"""The outputs that name the queues, and what to do about what is in them. They go with the stack, whatever they hold."""

COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


def in_the_way(deployment: Deployment, of: Values, with_data: bool) -> list[str]:
    """What would be lost, or would keep the stack from going; a line each."""
    found = []
    rules = deployment.client("events").list_rules(EventBusName=of["EventBusName"])["Rules"]
    for rule in rules:
        found.append(f"rule {rule['Name']} on the event bus {of['EventBusName']}: a bus with rules cannot be deleted; remove it where it was made")
    for output, way_out in QUEUES.items():
        held = deployment.client("sqs").get_queue_attributes(QueueUrl=of[output], AttributeNames=list(COUNTS))["Attributes"]
        if count := sum(int(held.get(name, 0)) for name in COUNTS):
            found.append(f"{count} {way_out}")
    folders = {"spool/": "spooled deliveries: wait for the sweep, or `rollcall spool drain`"}
    if with_data:
        folders |= {"parked/": "parked deliveries: `rollcall parked replay`", "quarantine/": "unreadable deliveries: `rollcall quarantine list`"}
    for folder, way_out in folders.items():
        if deployment.client("s3").list_objects_v2(Bucket=of["BucketName"], Prefix=folder, MaxKeys=1).get("KeyCount"):
            found.append(way_out)
    return found


def confirm(name: str, what: str, said: str, read: Callable[[str], str] | None) -> None:
    """Has the name of the stack typed, or given as `CONFIRM=`."""
    if not said and read:
        said = read(f"{what}\nType the stack's name to go on: ").strip()
    if said != name:
        raise Refusal("not confirmed, and nothing was changed", f"type the stack's name when asked, or give CONFIRM={name}.")


def destroy(name: str, *, with_data: bool, lose: bool, said: str, read: Callable[[str], str] | None) -> None:
    """Removes one stack. `read` asks a person, if there is one."""
    found, account = session()
    deployment = Deployment(name, found)
    say(f"stack {name}, account {account}, region {found.region_name}")
    of = outputs(deployment.must_exist())
    if (held := in_the_way(deployment, of, with_data)) and not lose:
        listed = "".join(f"\n       - {one}" for one in held)
        raise Refusal(f"stack {name} still holds something{listed}", "once you have decided to lose that: make destroy LOSE=1 (rules excepted).")
    fate = "ALL of it goes, and cannot be brought back" if with_data else "they stay"
    confirm(name, f"The functions, their URL and the queues of {name} go. Table {of['TableName']}, bucket {of['BucketName']}, secret {of['SecretName']}: {fate}.", said, read)

    # The table's own protection stays with the table.
    deployment.client("cloudformation").update_termination_protection(StackName=name, EnableTerminationProtection=False)
    stack_id = (deployment.describe() or {})["StackId"]
    say(f"deleting stack {name} (some minutes)")
    deployment.delete()
    remembered.store(deployment, account, None)
    if with_data:
        delete_data(deployment, of)
    print(f"\nstack {name} is gone ({stack_id}); bots that carry its address get no answer any more")
    if with_data:
        print(f"so are its table and its bucket; the secret {of['SecretName']} goes in 7 days")
    else:
        print(f"kept: table {of['TableName']}, bucket {of['BucketName']}, secret {of['SecretName']}")
        print(f'take them up again: make deploy STACK={name} ADOPT="Table={of["TableName"]} Bucket={of["BucketName"]}"')


def delete_data(deployment: Deployment, of: Values) -> None:
    """Deletes what the template keeps, and schedules the deletion of the secret."""
    say("deleting the table, the bucket and the secret")
    tables, bucket = deployment.client("dynamodb"), deployment.session.resource("s3").Bucket(of["BucketName"])
    tables.update_table(TableName=of["TableName"], DeletionProtectionEnabled=False)
    tables.delete_table(TableName=of["TableName"])
    bucket.objects.all().delete()
    for upload in bucket.multipart_uploads.all():
        upload.abort()
    bucket.delete()
    deployment.client("secretsmanager").delete_secret(SecretId=of["SecretName"], RecoveryWindowInDays=7)


def main() -> None:
    """Removes a stack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="rollcall", help="which stack (default: %(default)s)")
    parser.add_argument("--data", action="store_true", help="delete table, bucket and secret as well")
    parser.add_argument("--lose", action="store_true", help="go on although deliveries will be lost")
    arguments = parser.parse_args()
    read = input if sys.stdin.isatty() else None
    destroy(arguments.stack, with_data=arguments.data, lose=arguments.lose, said=os.environ.get("CONFIRM", ""), read=read)


if __name__ == "__main__":
    aws_script(main)
