"""How the service is doing, as far as tallies and backlog tell: rates, latencies, what waits, whether all is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from acuse.application.duration import in_words
from acuse.application.latency import Latency, latency
from acuse.domain.backlog import Load
from acuse.domain.record import Status
from acuse.domain.tally import SPAN, Tally, span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from acuse.domain.backlog import Backlog

MINUTE = timedelta(minutes=1)
LATELY = timedelta(minutes=5)
PICTURE = timedelta(minutes=15)
"""How far back the rates, the counts and latencies, and the series go.

Rates, counts and latencies end now, so that what has just come is counted; series with the last span that is over.
"""
LONG_WAIT = timedelta(minutes=5)
STANDSTILL = timedelta(seconds=10)
"""How long the oldest has waited before it means something that nothing runs."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What came to pass in one span."""

    at: datetime
    accepted: int
    finished: int
    failed: int
    latency: Latency | None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One action: what is lately counted of it, and its load; None where the queue cannot tell actions apart."""

    action: str
    load: Load | None
    accepted: int
    finished: int
    failed: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All that is seen at once. Rates are those of a second, over the last minute."""

    at: datetime
    accepted_rate: float
    finished_rate: float
    lately: Share
    """Of all actions together."""
    load: Load
    latency: Latency | None
    points: Sequence[Point]
    actions: Sequence[Share]

    @property
    def oldest(self) -> timedelta | None:
        """How long the oldest has waited."""
        return None if self.load.oldest is None else max(self.at - self.load.oldest, timedelta(0))

    @property
    def tells_actions_apart(self) -> bool:
        """Whether it is known what waits and runs of each action."""
        return all(share.load is not None for share in self.actions)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all is well, and if not, why: sentences."""

    reasons: Sequence[str]

    @property
    def is_well(self) -> bool:
        """Nothing speaks against it."""
        return not self.reasons


def summed(tallies: Sequence[Tally], backlog: Backlog, now: datetime, known: Iterable[str] = ()) -> Summary:
    """The tallies since `now - PICTURE`, and the backlog, put together. `known`: actions that are named in any case."""
    end = span_of(now)
    tallies = [tally for tally in tallies if tally.at <= end]  # A clock that was set back has left some ahead of it.
    whole = [tally for tally in tallies if end - PICTURE <= tally.at < end]
    minute = _counted(tallies, end - MINUTE)
    seconds = (now - end + MINUTE).total_seconds()
    recent = [tally for tally in tallies if tally.at > end - LATELY]
    loads = backlog.actions
    by_action: dict[str, list[Tally]] = {name: [] for name in (*known, *(loads or ()))}
    for tally in recent:
        by_action.setdefault(tally.action, []).append(tally)
    return Summary(
        at=now,
        accepted_rate=minute[Status.ACCEPTED] / seconds,
        finished_rate=minute[Status.FINISHED] / seconds,
        lately=_share("", recent, backlog.total),
        load=backlog.total,
        latency=latency(recent),
        points=_points(whole, end),
        actions=[
            _share(name, found, None if loads is None else loads.get(name, Load()))
            for name, found in sorted(by_action.items())
        ],
    )


def judged(summary: Summary, silent: Mapping[str, float]) -> Verdict:
    """What is wrong. `silent`: parts of the service that do not show themselves, and for how many seconds."""
    return Verdict(reasons=[*silences(silent), *_failures(summary.lately), *_waits(summary)])


def silences(silent: Mapping[str, float]) -> list[str]:
    """What is said of the parts of the service that do not show themselves."""
    return [
        f"Not ready: {name} has not shown itself yet."
        if seconds == float("inf")
        else f"Not ready: {name} has been silent for {in_words(timedelta(seconds=seconds))}."
        for name, seconds in silent.items()
    ]


def _failures(lately: Share) -> list[str]:
    if not lately.failed:
        return []
    ended = lately.failed + lately.finished
    requests = "request" if ended == 1 else "requests"
    return [f"{lately.failed:,} of {ended:,} {requests} that ended in the last {in_words(LATELY)} failed."]


def _waits(summary: Summary) -> list[str]:
    load, oldest = summary.load, summary.oldest
    if not load.waiting:
        return []
    if not load.running and not summary.finished_rate and _stands(summary):
        return [f"{load.waiting:,} waiting, but nothing runs and nothing finished in the last minute."]
    if oldest is not None and oldest > LONG_WAIT:
        return [f"The oldest that waits has waited for {in_words(oldest)}."]
    return []


def _stands(summary: Summary) -> bool:
    """Whether what waits has had time to be begun; where its age is not known, nothing new must have come."""
    return not summary.accepted_rate if summary.oldest is None else summary.oldest > STANDSTILL


def _share(action: str, tallies: Sequence[Tally], load: Load | None) -> Share:
    counts = _counted(tallies)
    return Share(
        action=action,
        load=load,
        accepted=counts[Status.ACCEPTED],
        finished=counts[Status.FINISHED],
        failed=counts[Status.FAILED],
    )


def _counted(tallies: Iterable[Tally], since: datetime | None = None) -> Counter[Status]:
    counts: Counter[Status] = Counter()
    for tally in tallies:
        if since is None or tally.at >= since:
            counts[tally.status] += tally.count
    return counts


def _points(tallies: Iterable[Tally], end: datetime) -> list[Point]:
    spans: dict[datetime, list[Tally]] = {end - SPAN * back: [] for back in range(PICTURE // SPAN, 0, -1)}
    for tally in tallies:
        spans[span_of(tally.at)].append(tally)
    return [
        Point(
            at=at,
            accepted=(counts := _counted(found))[Status.ACCEPTED],
            finished=counts[Status.FINISHED],
            failed=counts[Status.FAILED],
            latency=latency(found),
        )
        for at, found in spans.items()
    ]
