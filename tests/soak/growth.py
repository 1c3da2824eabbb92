"""Whether a measure grows without bound. Pure.

Two estimates of how much it grew from the end of the warm-up to the end of the run: the median slope (Theil-Sen) of all
that time, and that of its last third, each times the time. A leak shows in both; a peak, a dip, a step, or a level that
is reached late shows in one at most, so the smaller one counts.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    Series = Sequence[tuple[float, float]]
    """Seconds and values, in order of time."""

BUCKETS = 60
FEWEST = 6
LONGEST_WARM_UP = 300.0


class Verdict(StrEnum):
    """What is said of one measure."""

    STEADY = "steady"
    GROWS = "GROWS"
    TOO_SHORT = "too short to say"


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """How much a measure may grow: so much, or this share of its median. Below the floor it may do as it likes.

    `least`: seconds that it must have been measured for; what other work on the machine does to it lasts a while.
    """

    absolute: float
    share: float = 0.0
    floor: float = 0.0
    least: float = 0.0


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """The medians of the first and the last fifth, and how much it grew in all."""

    first: float
    last: float
    grown: float
    allowed: float
    verdict: Verdict


def warm_up(seconds: float, kept: float) -> float:
    """How much of the start is not judged. `kept`: how long it takes until as much is purged as comes."""
    return min(max(min(0.2 * seconds, LONGEST_WARM_UP), kept), 0.4 * seconds)


def growth(series: Series, allowance: Allowance) -> Growth:
    """The verdict on what was measured after the warm-up."""
    if len(series) < FEWEST or series[-1][0] - series[0][0] < allowance.least:
        value = median(value for _, value in series) if series else 0.0
        return Growth(first=value, last=value, grown=0.0, allowed=allowance.absolute, verdict=Verdict.TOO_SHORT)
    raised = [(at, max(value, allowance.floor)) for at, value in series]
    allowed = max(allowance.absolute, allowance.share * median(value for _, value in raised))
    grown = min(_slope(raised), _slope(raised[len(raised) * 2 // 3 :])) * (raised[-1][0] - raised[0][0])
    return Growth(
        first=_level(series, 0, 5),
        last=_level(series, 4, 5),
        grown=grown,
        allowed=allowed,
        verdict=Verdict.GROWS if grown > allowed else Verdict.STEADY,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]


def buckets(series: Series, most: int) -> list[tuple[float, float]]:
    """The medians of at most so many stretches of equal length."""
    (begin, _), (end, _) = series[0], series[-1]
    width = (end - begin) / most or 1.0
    stretches: dict[int, list[tuple[float, float]]] = {}
    for at, value in series:
        stretches.setdefault(min(int((at - begin) / width), most - 1), []).append((at, value))
    return [(median(at for at, _ in few), median(value for _, value in few)) for few in stretches.values()]


def _slope(series: Series) -> float:
    pairs = combinations(buckets(series, BUCKETS), 2)
    return median((value - before) / (at - earlier) for (earlier, before), (at, value) in pairs)


def _level(series: Series, place: int, stretches: int) -> float:
    """The median of one of so many stretches with as many values each."""
    first, last = (len(series) * border // stretches for border in (place, place + 1))
    return median(value for _, value in series[first:last])
