"""acuse: a durable POST intake for mass data processing.

What an author of actions needs, and the client; everything else is reached over HTTP or the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.application.actions import Action, Run, this_run
from acuse.domain.backoff import Backoff
from acuse.domain.errors import AcuseError, Fail, Retry
from acuse.domain.policy import Policy

if TYPE_CHECKING:
    from acuse.client import Client

__all__ = ["Action", "AcuseError", "Backoff", "Client", "Fail", "Policy", "Retry", "Run", "this_run"]


def __getattr__(name: str) -> object:
    """The client, loaded when it is first asked for: a process that runs actions does not pay for it."""
    if name == "Client":
        from acuse.client import Client  # noqa: PLC0415  (see above)

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
