"""What every Overview says came to pass."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.domain.delivery import Ending
from acuse.domain.outcome import Added, Existing
from acuse.domain.record import Status
from acuse.domain.tally import BOUNDS, KEPT, SPAN, bound_of, tally_of
from tests.contract.test_purge import FAILURE, end, ended, merged, purge, received
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from acuse.domain.record import Record
    from acuse.domain.tally import Tally
    from tests.contract.backend import Backend

NOW = timedelta(0)
TICK = timedelta(microseconds=1)


def together(tallies: Iterable[Tally]) -> Counter[tuple[datetime, str, Status, int]]:
    counted: Counter[tuple[datetime, str, Status, int]] = Counter()
    for one in tallies:
        counted[one.at, one.action, one.status, one.bound] += one.count
    return counted


def tallied(backend: Backend, since: datetime | None = None) -> Counter[tuple[datetime, str, Status, int]]:
    return together(backend.overview.tallies(since or backend.clock.now() - KEPT))


def statuses(backend: Backend) -> Counter[Status]:
    """How many requests came to each."""
    counted: Counter[Status] = Counter()
    for (_, _, status, _), count in tallied(backend).items():
        counted[status] += count
    return counted


def test_where_nothing_came_to_pass_nothing_is_told(backend: Backend) -> None:
    assert tallied(backend) == {}


def test_what_is_accepted_is_counted_by_action_and_span(backend: Backend) -> None:
    began = backend.clock.now()
    backend.store.add([record(began, action="a"), record(began, action="a"), record(began + SPAN - TICK, action="a")])
    backend.store.add_together([record(began, action="z"), record(began + SPAN, action="a")])

    assert tallied(backend) == {
        (began, "a", Status.ACCEPTED, 0): 3,
        (began, "z", Status.ACCEPTED, 0): 1,
        (began + SPAN, "a", Status.ACCEPTED, 0): 1,
    }


def test_what_is_there_already_is_not_counted_again(backend: Backend) -> None:
    one, other = record(backend.clock.now()), record(backend.clock.now(), note="first")
    differing = record(backend.clock.now(), id=other.id, note="second")
    backend.store.add([one])

    assert [type(each) for each in backend.store.add([one, other, one])] == [Existing, Added, Existing]
    backend.store.add_together([one, other])
    backend.store.add_together([record(backend.clock.now()), differing])

    assert statuses(backend) == {Status.ACCEPTED: 2}


@pytest.mark.parametrize("failed", [False, True])
def test_what_ends_is_counted_by_how_long_it_took(backend: Backend, *, failed: bool) -> None:
    began = backend.clock.now()
    deliveries = [received(backend, record(began)) for _ in range(3)]
    steps = [timedelta(seconds=BOUNDS[3]), TICK, SPAN]
    for delivery, step in zip(deliveries, steps, strict=True):
        backend.set_clock(step)
        end(backend, delivery, failed=failed)

    ending = Status.FAILED if failed else Status.FINISHED
    assert tallied(backend) == {
        (began, "delay", Status.ACCEPTED, 0): 3,
        (began, "delay", ending, 3): 1,
        (began, "delay", ending, 4): 1,
        (began + SPAN, "delay", ending, bound_of(SPAN + steps[0])): 1,
    }


def test_what_ends_before_it_was_created_took_no_time(backend: Backend) -> None:
    delivery = received(backend, record(backend.clock.now() + SPAN))
    end(backend, delivery)

    began = backend.clock.now() + SPAN
    assert tallied(backend) == {(began, "delay", status, 0): 1 for status in (Status.ACCEPTED, Status.FINISHED)}


def test_it_is_as_if_each_record_were_counted(backend: Backend) -> None:
    before: list[Record] = []
    for number in range(12):
        delivery = received(backend, record(backend.clock.now(), action="az"[number % 2]))
        before += backend.store.get([delivery.key.id]).values()
        backend.set_clock(SPAN * 0.23)
        end(backend, delivery, failed=number % 3 == 0)
    ended_now = backend.store.get([one.id for one in before]).values()

    assert tallied(backend) == together(map(tally_of, [*before, *ended_now]))


def test_what_is_settled_twice_counts_once(backend: Backend) -> None:
    delivery = received(backend, record(backend.clock.now()))
    end(backend, delivery)
    at = backend.clock.now()

    for error in (None, FAILURE):
        assert backend.store.settle([Ending(delivery=delivery, at=at, error=error)] * 2) == [False, False]
    assert statuses(backend) == {Status.ACCEPTED: 1, Status.FINISHED: 1}


def test_a_split_request_counts_once_and_its_parts_do_not(backend: Backend) -> None:
    merged(backend, 4)
    merged(backend, 3, failed=True)

    assert statuses(backend) == {Status.ACCEPTED: 2, Status.FINISHED: 1, Status.FAILED: 1}


def test_what_is_opened_again_is_not_accepted_anew_and_ends_once_more(backend: Backend) -> None:
    id_ = ended(backend, failed=True)
    assert backend.store.reopen([id_]) == [True]
    assert statuses(backend) == {Status.ACCEPTED: 1, Status.FAILED: 1}

    end(backend, *backend.queue.receive(1, NOW))

    assert statuses(backend) == {Status.ACCEPTED: 1, Status.FAILED: 1, Status.FINISHED: 1}


def test_what_is_purged_came_to_pass_all_the_same(backend: Backend) -> None:
    ended(backend)
    merged(backend, 2)
    before = tallied(backend)
    backend.set_clock(TICK)

    assert purge(backend, backend.clock.now()) == (2, 2)

    assert tallied(backend) == before


def test_only_the_spans_that_are_asked_for_are_told(backend: Backend) -> None:
    began = backend.clock.now()
    backend.store.add([record(began + place * SPAN) for place in range(4)])

    for place in range(5):
        spans = [at for at, _, _, _ in tallied(backend, began + place * SPAN)]
        assert sorted(spans) == [began + number * SPAN for number in range(place, 4)]
    assert len(tallied(backend, began + TICK)) == 3


def test_what_came_to_pass_is_told_for_as_long_as_it_is_kept(backend: Backend) -> None:
    began = backend.clock.now()
    backend.store.add([record(began)])
    backend.set_clock(KEPT)
    ended(backend)

    assert {at for at, _, _, _ in tallied(backend, began)} == {began, began + KEPT}
