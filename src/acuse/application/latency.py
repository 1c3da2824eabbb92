"""How long requests took, from their creation to their end, as far as tallies know."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.record import Status
from acuse.domain.tally import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from acuse.domain.tally import Tally

MEDIAN, MOST = 0.5, 0.95


class Quantile(msgspec.Struct, frozen=True, kw_only=True):
    """About how many seconds it is; for certain no more than `at_most`. None: more than is told apart."""

    seconds: float
    at_most: float | None


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long half of the finished requests took at most, and how long 95 of a hundred."""

    median: Quantile
    most: Quantile


def latency(tallies: Iterable[Tally]) -> Latency | None:
    """That of the finished ones among them; None if there is none."""
    counts: Counter[int] = Counter()
    for tally in tallies:
        if tally.status is Status.FINISHED:
            counts[tally.bound] += tally.count
    if not counts.total():
        return None
    return Latency(median=_quantile(counts, MEDIAN), most=_quantile(counts, MOST))


def _quantile(counts: Counter[int], share: float) -> Quantile:
    """As if the durations between two bounds were spread evenly."""
    bounds = sorted(counts)
    sums = list(accumulate(counts[bound] for bound in bounds))
    rank = sums[-1] * share
    place = bisect_left(sums, rank)
    bound, above = bounds[place], sums[place] - rank
    if bound == len(BOUNDS):
        return Quantile(seconds=BOUNDS[-1], at_most=None)
    low, high = BOUNDS[bound - 1] if bound else 0, BOUNDS[bound]
    return Quantile(seconds=high - (high - low) * above / counts[bound], at_most=high)
