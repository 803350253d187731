"""Takes a table and a bucket that an earlier stack left behind into a new stack: `make deploy ADOPT="Table=… Bucket=…"`.

CloudFormation imports existing resources only by a change set of its own, which does nothing else. So the new stack begins
with these two, and the deploy that follows adds the rest.
"""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from deployment import Deployment
from parameters import Template, Values
from refusal import Refusal
from tools import say

IDENTIFIERS = {"Table": ("AWS::DynamoDB::Table", "TableName"), "Bucket": ("AWS::S3::Bucket", "BucketName")}
"""What can be taken up, by its logical id: its type, and the property that names it."""


def read(text: str) -> Values:
    """What `ADOPT="Table=… Bucket=…"` asks for."""
    names = dict(word.partition("=")[::2] for word in text.split())
    if names.keys() - IDENTIFIERS.keys() or not all(names.values()):
        raise Refusal(f"ADOPT={text!r} cannot be read", 'write ADOPT="Table=NAME Bucket=NAME"; `make destroy` prints that line.')
    return names


def must_exist(deployment: Deployment, names: Values) -> None:
    """Refuses what is not there."""
    for logical_id, name in names.items():
        try:
            if logical_id == "Table":
                deployment.client("dynamodb").describe_table(TableName=name)
            else:
                deployment.client("s3").head_bucket(Bucket=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ResourceNotFoundException", "NoSuchBucket", "404"):
                raise Refusal(f"there is no {logical_id.lower()} {name} in this account and region", "check the name, and AWS_REGION.") from None
            raise


def only(template: Template, names: Values) -> dict[str, Any]:
    """The template without all that is not taken up."""
    resources = {logical_id: template["Resources"][logical_id] for logical_id in names}
    used = set(re.findall(r'"Ref": "(\w+)"', json.dumps(resources)))
    parameters = {name: rule for name, rule in template["Parameters"].items() if name in used}
    head = {"AWSTemplateFormatVersion": "2010-09-09", "Description": template["Description"]}
    return head | ({"Parameters": parameters} if parameters else {}) | {"Resources": resources}


def adopt(deployment: Deployment, template: Template, values: Values, names: Values) -> None:
    """Makes the stack out of what is taken up, and waits."""
    say(f"taking up {', '.join(names.values())}")
    small, client = only(template, names), deployment.client("cloudformation")
    imports = [
        {"ResourceType": IDENTIFIERS[one][0], "LogicalResourceId": one, "ResourceIdentifier": {IDENTIFIERS[one][1]: name}}
        for one, name in names.items()
    ]
    change = {"StackName": deployment.name, "ChangeSetName": "adopt"}
    client.create_change_set(
        **change,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(small),
        Parameters=[{"ParameterKey": name, "ParameterValue": values[name]} for name in small.get("Parameters", {})],
        ResourcesToImport=imports,
    )
    quick = {"Delay": 3, "MaxAttempts": 200}
    try:
        client.get_waiter("change_set_create_complete").wait(**change, WaiterConfig=quick)
        client.execute_change_set(**change)
        client.get_waiter("stack_import_complete").wait(StackName=deployment.name, WaiterConfig=quick)
    except WaiterError as error:
        reason = error.last_response.get("StatusReason", "") or "; ".join(deployment.failures())
        raise Refusal(f"CloudFormation does not take them up: {reason}", "they are as they were; correct the cause, and repeat the command.") from None
