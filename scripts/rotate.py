"""Hands the secret's current version to the deployed functions: `make rotate`.

It deploys the template that is deployed already, with the parameters that it has, and changes one of them. So nothing of
the working tree reaches AWS, and nothing has to be built.
"""

from __future__ import annotations

import argparse

from samcli.yamlhelper import yaml_parse

import deploy
import releases
import secret
from deployment import Deployment, session, values_of
from refusal import Refusal, aws_script
from tools import say


def rotate(name: str) -> bool:
    """Rotates one stack's secret. Says whether there was anything to do."""
    found, account = session()
    deployment = Deployment(name, found)
    say(f"stack {name}, account {account}, region {found.region_name}")
    values = values_of(deployment.must_exist())
    known = releases.listed(deployment)
    if not known or not known[0].same_as(releases.deployed(deployment)):
        raise Refusal(
            f"what is deployed as {name} is not known to work",
            "a rotation would put it into service: `make rollback` or `make deploy` first, then rotate.",
        )
    current = secret.read(found.client("secretsmanager"), values["SecretName"])
    if current is None:
        raise Refusal(f"there is no secret {values['SecretName']}", "`make deploy` makes one; then enter the credentials again.")
    version, secrets = current
    if values["SecretVersionId"] == version:
        print("the functions have the current version of the secret already")
        return False
    text = deployment.template()
    values["SecretVersionId"] = version
    routes = deploy.check_settings(yaml_parse(text), values, name, secrets)["routes"]
    before = deployment.live()
    deployment.change_text(text, values)
    deploy.finish(deployment, routes, before)
    print(f"\nthe functions have version {version} of the secret; open routes: {', '.join(routes)}")
    return True


def main() -> None:
    """Rotates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="rollcall", help="which stack (default: %(default)s)")
    rotate(parser.parse_args().stack)


if __name__ == "__main__":
    aws_script(main)
