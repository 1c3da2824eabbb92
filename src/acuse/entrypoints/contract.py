"""The command that prints the contract of the public plane."""

from __future__ import annotations

from acuse.bootstrap import Service
from acuse.entrypoints.api.openapi import text
from acuse.entrypoints.options import Actions, settings_with


def openapi(actions: Actions = None) -> None:
    """Print what the public plane takes and answers, in OpenAPI 3.1."""
    settings = settings_with(actions=actions)
    print(text(Service(settings).catalogue, settings), end="")
