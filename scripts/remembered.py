"""In which region this checkout deployed which stack, so that another AWS_REGION does not make a second one by mistake."""

from __future__ import annotations

import json

from deployment import Deployment
from refusal import Refusal
from tools import ROOT

FILE = ROOT / ".local" / "deployments.json"


def _read() -> dict[str, str]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def check(deployment: Deployment, account: str) -> None:
    """Refuses to make a stack anew that was deployed from here to another region."""
    region, here = _read().get(f"{account}/{deployment.name}"), deployment.session.region_name
    if region not in (None, here):
        raise Refusal(
            f"there is no stack {deployment.name} in {here}, and this checkout deployed it to {region}",
            f"AWS_REGION={region} make deploy; for a second one choose another STACK; if the old one is gone, remove .local/deployments.json.",
        )


def store(deployment: Deployment, account: str, region: str | None) -> None:
    """Remembers where a stack is, or with None that it is no more."""
    known = {**_read(), f"{account}/{deployment.name}": region}
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps({key: value for key, value in known.items() if value}, indent=2) + "\n")
