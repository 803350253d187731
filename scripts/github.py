"""Exchanges the identity token of a GitHub workflow, on standard input, for an hour's AWS credentials.

They are written to the file that AWS_SHARED_CREDENTIALS_FILE names, where boto3 and SAM look. The token itself is good for a few
minutes only, so the exchange comes right before the deploy and is made once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from refusal import Refusal, aws_script


def main() -> None:
    """Exchanges the token."""
    missing = [name for name in ("AWS_ROLE_ARN", "AWS_REGION", "AWS_SHARED_CREDENTIALS_FILE") if not os.environ.get(name)]
    if missing:
        raise Refusal(f"{missing[0]} is not set", "enter it as a variable of the environment `production` of the repository.")
    role = {"RoleArn": os.environ["AWS_ROLE_ARN"], "RoleSessionName": f"github-{os.environ.get('GITHUB_RUN_ID', 'run')}"}
    client = boto3.client("sts", config=Config(signature_version=UNSIGNED))
    answer = client.assume_role_with_web_identity(**role, WebIdentityToken=json.load(sys.stdin)["value"])
    got = answer["Credentials"]
    file = Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    file.touch(mode=0o600)
    file.write_text(
        f"[default]\naws_access_key_id = {got['AccessKeyId']}\n"
        f"aws_secret_access_key = {got['SecretAccessKey']}\naws_session_token = {got['SessionToken']}\n"
    )


if __name__ == "__main__":
    aws_script(main)
