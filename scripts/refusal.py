"""What a script says when AWS, or what a person typed, does not let it go on: what happened, and the way out."""

from __future__ import annotations

import sys
from collections.abc import Callable

from botocore import exceptions as aws

from tools import script

NO_CREDENTIALS = (
    "there are no AWS credentials",
    "log in (`aws sso login`, `aws configure`), or set AWS_PROFILE to a profile that has some.",
)
EXPIRED = ("the AWS credentials have expired", "log in again (`aws sso login`), or get new ones, and repeat the command.")
NOT_ACCEPTED = (
    "AWS does not know these credentials, in this region",
    "check AWS_PROFILE, and AWS_REGION: a region that the account has not enabled refuses every credential.",
)
CODES = {
    "ExpiredToken": EXPIRED,
    "ExpiredTokenException": EXPIRED,
    "RequestExpired": ("AWS refuses the time of the request", "set this machine's clock, or log in again."),
    "InvalidClientTokenId": NOT_ACCEPTED,
    "UnrecognizedClientException": NOT_ACCEPTED,
    "AuthFailure": NOT_ACCEPTED,
    "SignatureDoesNotMatch": ("the secret access key is wrong", "enter it again with `aws configure`."),
}
"""What AWS's error codes mean to the person at the keyboard."""


class Refusal(Exception):
    """What does not work, and the way out of it, for the person who typed the command."""

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(f"{what}\n       {way_out}")


def explain(error: Exception) -> str:
    """An error of the AWS client in plain words, with the way out where there is one."""
    if isinstance(error, aws.ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        said = error.response.get("Error", {}).get("Message", "")
        if code in CODES:
            return str(Refusal(*CODES[code]))
        if code.startswith(("AccessDenied", "UnauthorizedOperation")):
            return str(Refusal(f"these credentials may not do that: {said}", "deployer.yaml has the rights that a deploy needs."))
        return f"AWS refuses {error.operation_name} ({code}): {said}"
    found = next((words for kind, words in KINDS if isinstance(error, kind)), None)
    return str(Refusal(*found)) if found else str(error)


KINDS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], tuple[str, str]], ...] = (
    ((aws.NoCredentialsError, aws.PartialCredentialsError), NO_CREDENTIALS),
    (aws.ProfileNotFound, ("there is no such AWS profile", "set AWS_PROFILE to one that `aws configure list-profiles` lists.")),
    ((aws.TokenRetrievalError, aws.SSOTokenLoadError, aws.UnauthorizedSSOTokenError, aws.CredentialRetrievalError), EXPIRED),
    (aws.NoRegionError, ("there is no AWS region", "set AWS_REGION, as in `AWS_REGION=eu-central-1 make deploy`, or AWS_PROFILE to a profile with one.")),
    (
        (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.InvalidRegionError),
        ("AWS does not answer in this region", "check AWS_REGION for a typing mistake, and the network."),
    ),
)
"""What errors mean that the client raises before AWS has answered."""


def aws_script(main: Callable[[], None]) -> None:
    """Runs the main function of a script that talks to AWS; whatever stops it ends it with one plain message."""

    def explained() -> None:
        try:
            main()
        except (aws.BotoCoreError, aws.ClientError) as error:
            sys.exit(f"error: {explain(error)}")

    script(explained, Refusal)
