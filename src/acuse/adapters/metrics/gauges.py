"""The backlog as gauges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.adapters.metrics.metric import DELAYED, OLDEST_WAITING, RUNNING, WAITING

if TYPE_CHECKING:
    from datetime import datetime

    from acuse.adapters.metrics.exposition import Gauges
    from acuse.domain.backlog import Backlog

ALL = "all"
"""Stands for the action where the queue cannot tell one from another."""


def gauges_of(backlog: Backlog, at: datetime) -> Gauges:
    """As it was at that moment. For how long something has waited is left out where that is not known."""
    gauges: Gauges = {}
    loads = {ALL: backlog.total} if backlog.actions is None else backlog.actions
    for action, load in loads.items():
        gauges[WAITING.name, (action,)] = load.waiting
        gauges[DELAYED.name, (action,)] = load.delayed
        gauges[RUNNING.name, (action,)] = load.running
        if load.oldest is not None:
            gauges[OLDEST_WAITING.name, (action,)] = max(0.0, (at - load.oldest).total_seconds())
        elif not load.waiting:
            gauges[OLDEST_WAITING.name, (action,)] = 0.0
    return gauges
