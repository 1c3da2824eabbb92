"""The command that prints the contract of the public plane."""

from __future__ import annotations

from acuse.bootstrap import Service
from acuse.entrypoints.options import Actions, settings_with


def openapi(actions: Actions = None) -> None:
    """Print what the public plane takes and answers, in OpenAPI 3.1."""
    from acuse.entrypoints.api.openapi import text  # noqa: PLC0415  (the other commands need not wait for it)

    settings = settings_with(actions=actions)
    print(text(Service(settings).catalogue, settings), end="")
