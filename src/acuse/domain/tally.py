"""What came to pass lately: requests accepted and ended, counted by the ten seconds in which that was."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta

import msgspec

from acuse.domain.record import Record, Status

SPAN = timedelta(seconds=10)
KEPT = timedelta(hours=1)
"""How long tallies are kept at least. What lies further back is for a system that collects metrics."""
BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
"""Seconds from the creation to the end, up to and including; what took longer counts under len(BOUNDS)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests of the action came to that status within SPAN from `at`; of those that ended, by duration.

    `bound`: the place among BOUNDS; 0 for accepted ones. Parts are not counted, nor is a request that is opened again.
    """

    at: datetime
    action: str
    status: Status
    bound: int
    count: int


def span_of(moment: datetime) -> datetime:
    """When the span began that the moment lies in; spans begin at whole multiples since 1970."""
    return moment - (moment - _EPOCH) % SPAN


def bound_of(duration: timedelta) -> int:
    """The place among BOUNDS of what took so long."""
    return bisect_left(BOUNDS, duration.total_seconds())


def tally_of(record: Record) -> Tally:
    """What the record, as it has just come to be, counts as."""
    if record.finished_at is None:
        return Tally(at=span_of(record.created_at), action=record.action, status=record.status, bound=0, count=1)
    bound = bound_of(record.finished_at - record.created_at)
    return Tally(at=span_of(record.finished_at), action=record.action, status=record.status, bound=bound, count=1)
