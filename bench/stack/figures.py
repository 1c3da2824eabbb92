"""The figures of one step, from what its processes brought. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from tests.torture.recovery import percentile

from bench.stack.answers import CREATED, OK, STORED, UNANSWERED
from bench.stack.plan import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.stack.crew import Share
    from bench.stack.follow import Fate

LATE_SECONDS = 0.02
"""What this machine may be late itself, p99."""
BUSY_CPU = 0.85
TOO_MANY = 429
FAILED = range(500, 600)


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: percentiles of the nearest rank."""

    p50: float
    p95: float
    p99: float
    most: float


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """What was due in one second of the step."""

    at: int
    due: int
    """Requests."""
    stored: int
    times: Times | None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the sampled requests that the service said it has stored."""

    sampled: int
    lost: int
    changed: int
    unread: int
    finished: int
    failed: int
    unended: int
    times: Times | None
    """From created to finished, by the clock of the service."""
    caught_up: float | None
    """Seconds from when the last one was created until the last one had ended; None if one has not."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One step."""

    step: Step
    sent: int
    """Requests that were sent, or given up before: each is one of created, replayed, refused, unanswered."""
    created: int
    replayed: int
    """Answered with 200: an answer was lost, and the request was sent once more."""
    refused: dict[str, int]
    """By status."""
    unanswered: int
    broken: dict[str, int]
    """Connections that broke, and answers that were none, by what was wrong."""
    achieved: float
    """Requests stored a second, from the start until the last answer."""
    times: Times | None
    """Of the POSTs that stored something, from when they were due; what was given up counts as the whole timeout."""
    late: Times | None
    """How late this machine was itself."""
    waited: Times | None
    """For a connection: all were taken, or a new one was made."""
    cpu: float
    """Of one core, that of the process that used most."""
    kept: Kept
    seconds: tuple[Second, ...]

    @property
    def is_kept(self) -> bool:
        """Whether nothing that was acknowledged is lost or changed, as far as was looked."""
        return not (self.kept.lost or self.kept.changed)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before one believes the figures."""
        found = []
        late = self.late.p99 if self.late else 0.0
        waited = self.waited.p99 if self.waited else 0.0
        at = f"{self.step.rate:g}/s:"
        if late > LATE_SECONDS or self.cpu > BUSY_CPU:
            found.append(
                f"{at} this machine was the bottleneck: {late * 1000:,.0f} ms late (p99), {self.cpu:.0%} of a core;"
                " more --processes, a larger --bulk, or another machine"
            )
        if waited > LATE_SECONDS:
            found.append(
                f"{at} requests waited {waited * 1000:,.0f} ms (p99) for a connection: the service is slower than the"
                " rate, or --connections is too small"
            )
        if self.refused.get(str(TOO_MANY)):
            found.append(f"{at} 429: a throttle or a quota; docs/how-to/load-test.md says which to raise first")
        if any(int(status) in FAILED for status in self.refused):
            found.append(f"{at} the service failed some with 5xx; its logs and alarms say why")
        if not self.is_kept:
            found.append(f"{at} ACKNOWLEDGED AND LOST: {self.kept.lost}; changed: {self.kept.changed}")
        return tuple(found)


def figures(step: Step, shares: Sequence[Share], timeout: float) -> Figures:
    """Of all its processes together."""
    requests: Counter[int] = sum((share.answers.requests for share in shares), Counter())
    broken: Counter[str] = sum((share.answers.broken for share in shares), Counter())
    rows = [row for share in shares for row in _rows(share)]
    ends = [due + took for due, _, _, took, _, _ in rows]
    stored = requests[CREATED] + requests[OK]
    others = {str(status): count for status, count in sorted(requests.items()) if status not in {*STORED, UNANSWERED}}
    return Figures(
        step=step,
        sent=requests.total(),
        created=requests[CREATED],
        replayed=requests[OK],
        refused=others,
        unanswered=requests[UNANSWERED],
        broken=dict(broken),
        achieved=stored / max([*ends, _length(step, rows)]),
        times=times(_judged(rows, timeout)),
        late=times([woke for _, woke, _, _, _, _ in rows]),
        waited=times([max(0.0, sent - woke) for _, woke, sent, _, _, _ in rows]),
        cpu=max(share.cpu for share in shares),
        kept=_kept([fate for share in shares for fate in share.fates]),
        seconds=_seconds(step, rows, timeout),
    )


def times(values: Iterable[float]) -> Times | None:
    """None for none."""
    ranked = sorted(values)
    if not ranked:
        return None
    p50, p95, p99 = (percentile(ranked, share) for share in (50, 95, 99))
    return Times(p50=p50, p95=p95, p99=p99, most=ranked[-1])


Row = tuple[float, float, float, float, int, int]


def _rows(share: Share) -> Iterable[Row]:
    found = share.answers
    return zip(found.due, found.woke, found.sent, found.took, found.status, found.stored, strict=True)


def _length(step: Step, rows: Sequence[Row]) -> float:
    """As long as it was to last; if it was interrupted, as long as it lasted."""
    return step.due(step.posts) if len(rows) >= step.posts else max((row[0] for row in rows), default=1.0)


def _judged(rows: Iterable[Row], timeout: float) -> list[float]:
    """A refusal may be quick, so it tells nothing; what was never answered took longer than it was waited for."""
    return [
        max(took, timeout) if status == UNANSWERED else took
        for _, _, _, took, status, stored in rows
        if stored or status == UNANSWERED
    ]


def _seconds(step: Step, rows: Iterable[Row], timeout: float) -> tuple[Second, ...]:
    by_second: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_second[int(row[0])].append(row)
    return tuple(
        Second(
            at=at,
            due=len(found) * step.bulk,
            stored=sum(row[5] for row in found),
            times=times(_judged(found, timeout)),
        )
        for at, found in sorted(by_second.items())
    )


def _kept(fates: Sequence[Fate]) -> Kept:
    ended = [fate for fate in fates if fate.seconds is not None]
    open_ = [fate for fate in fates if fate.is_open]
    last = max((fate.finished_at or "" for fate in ended), default="")
    return Kept(
        sampled=len(fates),
        lost=sum(fate.is_lost for fate in fates),
        changed=sum(fate.is_changed for fate in fates),
        unread=sum(not fate.was_read for fate in fates),
        finished=sum(fate.status == "finished" for fate in fates),
        failed=sum(fate.status == "failed" for fate in fates),
        unended=sum(fate.was_read for fate in open_),
        times=times(fate.seconds or 0.0 for fate in ended),
        caught_up=_seconds_between(max(fate.created_at for fate in fates), last) if ended and not open_ else None,
    )


def _seconds_between(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
