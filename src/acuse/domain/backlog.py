"""What has been accepted and not ended: requests and parts, as the queue counts them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How many wait for a worker, wait for a later attempt, and are held by a worker."""

    waiting: int = 0
    delayed: int = 0
    running: int = 0
    oldest: datetime | None = None
    """Since when the one that has waited longest for a worker is due; None: none waits, or it is not known."""


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, and that of each action, where the queue can tell one action from another; else `actions` is None."""

    total: Load
    actions: Mapping[str, Load] | None


def backlog_of(actions: Mapping[str, Load]) -> Backlog:
    """That of all the actions together, and of each."""
    loads = actions.values()
    total = Load(
        waiting=sum(one.waiting for one in loads),
        delayed=sum(one.delayed for one in loads),
        running=sum(one.running for one in loads),
        oldest=min((one.oldest for one in loads if one.oldest is not None), default=None),
    )
    return Backlog(total=total, actions=actions)
