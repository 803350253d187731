"""What was deployed and worked: the template and the parameters of each release, kept beside the functions' code.

A version of a function alone is no release: a rollback has to bring back the settings, the queues and the roles as well.
So each change that worked leaves a record in the bucket that holds the code, and `make rollback` deploys the one before.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from samcli.yamlhelper import yaml_parse

from deployment import Deployment, artifacts_bucket, values_of
from parameters import Values

KEPT = 10
"""How many records stay."""


@dataclass(frozen=True)
class Release:
    """A template and the parameters that it was deployed with. The secret is named by its version and not in here."""

    template: str
    values: Values
    key: str = ""

    @property
    def at(self) -> str:
        """When it was deployed."""
        return self.key.rsplit("/", 1)[-1].removesuffix(".json")

    def same_as(self, other: Release) -> bool:
        """Whether deploying the one over the other would change nothing."""
        return self.values == other.values and yaml_parse(self.template) == yaml_parse(other.template)


def deployed(deployment: Deployment) -> Release:
    """The release that is deployed now."""
    return Release(deployment.template(), values_of(deployment.describe()))


def _place(deployment: Deployment, release: Release) -> tuple[Any, str, str]:
    return deployment.client("s3"), artifacts_bucket(yaml_parse(release.template)), f"{deployment.name}/releases/"


def listed(deployment: Deployment) -> list[Release]:
    """The recorded releases, newest first."""
    client, bucket, prefix = _place(deployment, deployed(deployment))
    found = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    keys = sorted((one["Key"] for one in found), reverse=True)
    return [Release(**json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read()), key=key) for key in keys]


def record(deployment: Deployment) -> None:
    """Records what is deployed, if it is not the newest record already, and removes the oldest records."""
    now = deployed(deployment)
    client, bucket, prefix = _place(deployment, now)
    known = listed(deployment)
    if known and known[0].same_as(now):
        return
    key = f"{prefix}{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}.json"
    body = json.dumps({"template": now.template, "values": now.values})
    client.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json")
    for old in known[KEPT - 1 :]:
        client.delete_object(Bucket=bucket, Key=old.key)


def forget(deployment: Deployment, after: Release) -> None:
    """Removes the records of what came after a release that is deployed again, so that the next rollback goes further back."""
    client, bucket, _ = _place(deployment, after)
    for later in listed(deployment):
        if later.key > after.key:
            client.delete_object(Bucket=bucket, Key=later.key)
