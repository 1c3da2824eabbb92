from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from acuse.domain.record import Status
from acuse.domain.tally import BOUNDS, SPAN, Tally, bound_of, span_of, tally_of
from tests.requests import CREATED, record

TICK = timedelta(microseconds=1)


def test_a_span_begins_at_a_whole_multiple_and_ends_before_the_next() -> None:
    assert span_of(CREATED) == span_of(CREATED + SPAN - TICK) == CREATED
    assert span_of(CREATED - TICK) == CREATED - SPAN


@pytest.mark.parametrize("place", range(len(BOUNDS)))
def test_a_duration_counts_under_the_first_bound_that_it_does_not_pass(place: int) -> None:
    bound = timedelta(seconds=BOUNDS[place])

    assert bound_of(bound) == place
    assert bound_of(bound + TICK) == place + 1


def test_no_time_at_all_counts_under_the_first_bound() -> None:
    assert bound_of(timedelta(0)) == 0


def test_what_was_accepted_counts_when_it_was_created() -> None:
    tally = Tally(at=CREATED, action="delay", status=Status.ACCEPTED, bound=0, count=1)

    assert tally_of(record(CREATED + SPAN - TICK)) == tally


@pytest.mark.parametrize("status", [Status.FINISHED, Status.FAILED])
def test_what_has_ended_counts_when_it_ended_by_how_long_it_took(status: Status) -> None:
    ended = msgspec.structs.replace(record(CREATED), status=status, finished_at=CREATED + 2 * SPAN + TICK)

    assert tally_of(ended) == Tally(
        at=CREATED + 2 * SPAN, action="delay", status=status, bound=bound_of(2 * SPAN + TICK), count=1
    )
