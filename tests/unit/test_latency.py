"""How long requests took, as far as tallies know."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from acuse.application.latency import Latency, Quantile, latency
from acuse.domain.record import Status
from acuse.domain.tally import BOUNDS, Tally

AT = datetime(2026, 1, 1, tzinfo=UTC)


def tally(bound: int, count: int, status: Status = Status.FINISHED) -> Tally:
    return Tally(at=AT, action="delay", status=status, bound=bound, count=count)


def took(*tallies: Tally) -> Latency:
    found = latency(tallies)
    assert found is not None
    return found


@pytest.mark.parametrize("tallies", [[], [tally(0, 5, Status.ACCEPTED)], [tally(3, 5, Status.FAILED)]])
def test_where_nothing_finished_there_is_none(tallies: list[Tally]) -> None:
    assert latency(tallies) is None


def test_it_lies_between_the_bounds_as_if_spread_evenly_and_is_no_more_than_the_upper_one() -> None:
    found = took(tally(BOUNDS.index(2), 100))

    assert [found.median.seconds, found.most.seconds] == pytest.approx([1.5, 1.95])
    assert found.median.at_most == found.most.at_most == 2


def test_the_lowest_bound_begins_at_nothing() -> None:
    median = took(tally(0, 10)).median

    assert median.seconds == pytest.approx(0.005)
    assert median.at_most == 0.01


def test_what_is_counted_in_several_tallies_counts_together() -> None:
    quick, slow = BOUNDS.index(0.1), BOUNDS.index(10)

    found = took(tally(slow, 5), tally(quick, 40), tally(quick, 55), tally(slow, 99, Status.FAILED))
    assert (found.median.at_most, found.most.at_most) == (0.1, 0.1)

    found = took(tally(slow, 6), tally(quick, 40), tally(quick, 54))
    assert (found.median.at_most, found.most.at_most) == (0.1, 10)
    assert found.most.seconds == pytest.approx(5 + 5 / 6)


def test_above_the_last_bound_it_is_only_known_to_be_more() -> None:
    found = took(tally(len(BOUNDS), 10), tally(0, 10))

    assert found.median == Quantile(seconds=0.01, at_most=0.01)
    assert found.most == Quantile(seconds=BOUNDS[-1], at_most=None)
