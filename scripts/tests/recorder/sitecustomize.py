"""Writes down every call to AWS that a process makes, one line each, into the file that ROLLCALL_CALLS names.

Python imports a module of this name by itself when it starts, so this reaches SAM's process as well.
"""

from __future__ import annotations

import os
from typing import Any


def record() -> None:
    """Has the AWS client of this process write down its calls."""
    from botocore.client import BaseClient

    call = BaseClient._make_api_call

    def recorded(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if file := os.environ.get("ROLLCALL_CALLS"):
            with open(file, "a", encoding="utf-8") as lines:
                lines.write(f"{client.meta.service_model.service_name}:{operation}\n")
        return call(client, operation, arguments)

    BaseClient._make_api_call = recorded


if os.environ.get("ROLLCALL_CALLS"):
    record()
