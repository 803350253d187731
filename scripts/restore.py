"""Brings items of the table's past back into it: `make restore AT=2026-11-25T10:00:00Z`.

DynamoDB restores a table's past as another table. This makes that copy, brings back what the stack's table no longer has,
and removes the copy. `DRILL=1` only counts what would come back. `OVERWRITE=1` also puts the past in place of sessions that
have changed since. A bot that was deleted stays deleted either way, and what has expired stays away.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections import Counter
from typing import Any

from botocore.exceptions import ClientError

from deployment import Deployment, outputs, session
from refusal import Refusal, aws_script
from tools import say

SESSION = {"S": "session"}
"""The sort key of a session (`shared/src/table.rs`)."""

DELETED = {"S": "deleted"}
"""The state of a session whose data was erased. Nothing may come back beside it."""


def moment(text: str) -> datetime.datetime:
    """A time in ISO 8601. Without a time zone it would be somebody's own."""
    try:
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Refusal(f"AT={text!r} is no time", "write AT=2026-11-25T10:00:00Z.")
    return found


def check_window(client: Any, table: str, at: datetime.datetime) -> None:
    """Refuses a time that the backups do not reach."""
    backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    point = backups.get("PointInTimeRecoveryDescription", {})
    if point.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise Refusal(f"table {table} has no point-in-time recovery", "the template switches it on: `make deploy`.")
    first, last = point.get("EarliestRestorableDateTime"), point.get("LatestRestorableDateTime")
    if first and last and not first <= at <= last:
        raise Refusal(f"the backups of {table} do not reach {at:%Y-%m-%dT%H:%M:%SZ}", f"they go from {first:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}.")


def copy_of(client: Any, table: str, at: datetime.datetime) -> str:
    """Makes the table's past as another table and waits until it is there."""
    copy = f"{table}-restored-{int(time.time())}"
    say(f"restoring {table} of {at:%Y-%m-%dT%H:%M:%SZ} as {copy} (AWS takes up to an hour)")
    client.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=copy, RestoreDateTime=at)
    client.get_waiter("table_exists").wait(TableName=copy, WaiterConfig={"Delay": 10, "MaxAttempts": 720})
    return copy


class Merge:
    """Brings the items of a copy into a table, one by one, and counts what becomes of them."""

    def __init__(self, client: Any, copy: str, table: str, *, overwrite: bool, drill: bool, now: float) -> None:
        self.client, self.copy, self.table = client, copy, table
        self.overwrite, self.drill, self.now = overwrite, drill, now
        self._last: tuple[str, dict[str, Any], bool] = ("", {}, False)

    def all(self) -> Counter[str]:
        """Merges every item of the copy."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.copy, ConsistentRead=True)
        return Counter(self.one(item) for page in pages for item in page["Items"])

    def one(self, item: dict[str, Any]) -> str:
        """Merges one item, and says what became of it."""
        if float(item.get("expires_at", {}).get("N", "inf")) <= self.now:
            return "expired"
        session, is_deleted = self._session_of(item["pk"])
        if is_deleted and item["sk"] != SESSION:
            return "of a deleted bot"
        current = session if item["sk"] == SESSION else self._get(self.table, item["pk"], item["sk"])
        if not current:
            return self._put("brought back", item, "attribute_not_exists(pk)")
        if current == item:
            return "unchanged"
        if current.get("state") == DELETED:
            return "of a deleted bot"
        if not self.overwrite:
            return "changed since, and left alone"
        if item["sk"] != SESSION:
            return self._put("overwritten", item)
        # A writer that is at work compares versions. It must see that the session is another one now.
        version = int(current["version"]["N"])
        newer = item | {"version": {"N": str(version + 1)}}
        return self._put("overwritten", newer, "version = :v", {":v": {"N": str(version)}})

    def _session_of(self, pk: dict[str, str]) -> tuple[dict[str, Any], bool]:
        """The session that is in the table now, and whether its data was erased, now or by then."""
        if self._last[0] != pk["S"]:
            session = self._get(self.table, pk, SESSION)
            known = session or self._get(self.copy, pk, SESSION)
            self._last = (pk["S"], session, known.get("state") == DELETED)
        return self._last[1], self._last[2]

    def _get(self, table: str, pk: dict[str, str], sk: dict[str, str]) -> dict[str, Any]:
        return self.client.get_item(TableName=table, Key={"pk": pk, "sk": sk}, ConsistentRead=True).get("Item", {})

    def _put(self, done: str, item: dict[str, Any], condition: str = "", values: dict[str, Any] | None = None) -> str:
        if self.drill:
            return done
        more = {"ConditionExpression": condition} if condition else {}
        more |= {"ExpressionAttributeValues": values} if values else {}
        try:
            self.client.put_item(TableName=self.table, Item=item, **more)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return "changed meanwhile, and left alone"
        return done


def restore(name: str, at: datetime.datetime, *, overwrite: bool, drill: bool) -> Counter[str]:
    """Brings back the past of one stack's table."""
    found, account = session()
    deployment = Deployment(name, found)
    say(f"stack {name}, account {account}, region {found.region_name}")
    table, client = outputs(deployment.must_exist())["TableName"], found.client("dynamodb")
    check_window(client, table, at)
    copy = copy_of(client, table, at)
    try:
        say("counting what would come back" if drill else "bringing back what is missing")
        counts = Merge(client, copy, table, overwrite=overwrite, drill=drill, now=time.time()).all()
    except BaseException:
        print(f"the copy {copy} is still there: delete it when you need it no more", file=sys.stderr)
        raise
    client.delete_table(TableName=copy)
    print("\n".join(f"{count:>9}  {what}" for what, count in sorted(counts.items())) or "the table was empty then")
    if drill:
        print("a drill: nothing was changed")
    return counts


def main() -> None:
    """Restores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="rollcall", help="which stack (default: %(default)s)")
    parser.add_argument("--at", required=True, help="the time to go back to, as 2026-11-25T10:00:00Z")
    parser.add_argument("--overwrite", action="store_true", help="also put the past in place of what has changed since")
    parser.add_argument("--drill", action="store_true", help="only count what would come back")
    arguments = parser.parse_args()
    restore(arguments.stack, moment(arguments.at), overwrite=arguments.overwrite, drill=arguments.drill)


if __name__ == "__main__":
    aws_script(main)
