"""What was measured, in figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.record import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from acuse.domain.record import Record

_NEVER = datetime.max.replace(tzinfo=UTC)
POINTS = 40
"""Of a line over time."""


class Spread(msgspec.Struct, frozen=True):
    """Seconds that half, nine of ten, and 99 of a hundred took at most."""

    half: float
    most: float
    nearly_all: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """How many a second came and ended, in each of POINTS stretches of the time from the first to the last."""

    seconds: float
    accepted: Sequence[float]
    ended: Sequence[float]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one way to send requests."""

    accepted: int
    accepted_a_second: float
    ended_a_second: float
    post: Spread
    ending: Spread | None
    """From created to finished; None: none has ended."""
    refused: int
    failed: int
    left: int
    """Accepted ones that had not ended when nobody waited for them any longer."""
    lost: int
    """Accepted ones of which there is no record."""
    line: Line


def spread(seconds: Iterable[float]) -> Spread:
    """Each is one that was seen. There must be some."""
    found = sorted(seconds)
    return Spread(*(found[math.ceil(share * len(found)) - 1] for share in (0.5, 0.9, 0.99)))


def figures(
    accepted: Sequence[str], took: Sequence[float], seconds: float, refused: int, records: Iterable[Record]
) -> Figures:
    """What became of those that were accepted within so many seconds, by the records there are."""
    wanted = set(accepted)
    # Not the records: there may be a million of them.
    found = [(one.created_at, one.finished_at, one.status) for one in records if one.id in wanted]
    ended = [(created, finished) for created, finished, _ in found if finished is not None]
    line = _line([created for created, _, _ in found], [finished for _, finished in ended])
    return Figures(
        accepted=len(accepted),
        accepted_a_second=len(accepted) / seconds,
        ended_a_second=len(ended) / line.seconds,
        post=spread(took),
        ending=spread((finished - created).total_seconds() for created, finished in ended) if ended else None,
        refused=refused,
        failed=sum(status is Status.FAILED for _, _, status in found),
        left=len(found) - len(ended),
        lost=len(wanted) - len(found),
        line=line,
    )


def _line(created: Sequence[datetime], ended: Sequence[datetime]) -> Line:
    moments = [*created, *ended]
    began, last = (min(moments), max(moments)) if moments else (_NEVER, _NEVER)
    whole = max(last - began, timedelta(milliseconds=1))
    step = whole / POINTS

    def rates(moments: Sequence[datetime]) -> list[float]:
        counts = [0] * POINTS
        for moment in moments:
            counts[min(int((moment - began) / step), POINTS - 1)] += 1
        return [count / step.total_seconds() for count in counts]

    return Line(seconds=whole.total_seconds(), accepted=rates(created), ended=rates(ended))
