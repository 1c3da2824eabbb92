"""What every Overview shows: the requests that are looked for, and how much waits."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from acuse.domain.backlog import Load
from acuse.domain.errors import Misconfigured
from acuse.domain.listing import MAX_PAGE_BYTES, Filter, Order
from acuse.domain.record import Status
from tests.contract.backend import BACKENDS, LEASE
from tests.contract.test_purge import end, ended, merged, purge, received, split
from tests.requests import new_id, record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from acuse.domain.backlog import Backlog
    from acuse.domain.delivery import Delivery
    from acuse.domain.listing import Page
    from acuse.domain.record import Record
    from tests.contract.backend import Backend

NOW = timedelta(0)
A_WHILE = timedelta(seconds=60)
TICK = timedelta(microseconds=1)
ALL = Filter()
MOST_PAGES = 1_000


def pages(backend: Backend, wanted: Filter = ALL, limit: int = 10) -> Iterator[Page]:
    after: str | None = None
    for _ in range(MOST_PAGES):
        page = backend.overview.find(wanted, limit, after)
        assert len(page.records) <= limit
        yield page
        after = page.next
        if after is None:
            return
    raise AssertionError("there is no last page")


def found(backend: Backend, wanted: Filter = ALL, limit: int = 10) -> list[Record]:
    return [one for page in pages(backend, wanted, limit) for one in page.records]


def ids(records: Sequence[Record]) -> list[str]:
    return sorted(one.id for one in records)


def added(backend: Backend, number: int, action: str = "delay") -> list[Record]:
    """They came one after the other."""
    records = [record(backend.clock.now() + place * TICK, action=action) for place in range(number)]
    backend.store.add(records)
    backend.pass_time(number * TICK)
    return records


def test_where_there_is_nothing_nothing_is_found(backend: Backend) -> None:
    assert found(backend) == []
    assert found(backend, Filter(action="delay", status=Status.FAILED)) == []


def test_what_is_found_is_the_record_as_it_is_now(backend: Backend) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    waiting = msgspec.structs.replace(record(backend.clock.now(), note="é\n😀"), traceparent=trace)
    there = [ended(backend), ended(backend, failed=True), merged(backend, 2), waiting.id]
    backend.store.add([waiting])

    assert {one.id: one for one in found(backend)} == backend.store.get(there)


def test_requests_are_listed_and_their_parts_are_not(backend: Backend) -> None:
    there = [merged(backend, 2), split(backend, 3)]

    assert ids(found(backend, limit=1)) == sorted(there)


def test_what_came_last_comes_first(backend: Backend) -> None:
    for action in ("a", "z", "a", "delay", "z"):
        end(backend, received(backend, record(backend.clock.now(), action=action)), failed=action == "z")
        backend.pass_time(TICK)
    for action in ("a", "z", "a", "delay", "z"):
        added(backend, 2, action)
    if backend.orders:
        listed = found(backend, limit=4)

        assert [one.created_at for one in listed] == sorted((one.created_at for one in listed), reverse=True)
        assert {page.order for page in pages(backend, limit=4)} == {Order.NEWEST}
    assert len(found(backend)) == 15


def test_of_what_failed_the_last_that_did_comes_first(backend: Backend) -> None:
    began = backend.clock.now()
    there: list[Delivery] = []
    for action in ("delay", "delay", "delay", "a", "a"):
        there.append(received(backend, record(backend.clock.now(), action=action)))
        backend.pass_time(TICK)
    for place in (4, 2, 0, 3, 1):
        end(backend, there[place], failed=True)
        backend.pass_time(TICK)

    def listed(wanted: Filter) -> list[int]:
        assert {page.order for page in pages(backend, wanted, limit=2)} == {Order.LAST_FAILED}
        keys = [one.key.id for one in there]
        return [keys.index(one.id) for one in found(backend, wanted, limit=2)]

    assert listed(Filter(status=Status.FAILED)) == [1, 3, 0, 2, 4]
    assert listed(Filter(status=Status.FAILED, action="delay")) == [1, 0, 2]
    assert listed(Filter(status=Status.FAILED, since=began + TICK)) == [1, 3, 2, 4]
    assert listed(Filter(status=Status.FAILED, until=began + 2 * TICK)) == [1, 0]


def test_where_a_page_of_what_failed_ended_is_nothing_to_another_list(backend: Backend) -> None:
    for _ in range(2):
        ended(backend, failed=True)
    last_failed = Filter(status=Status.FAILED)
    after = backend.overview.find(last_failed, 1, None).next
    assert after is not None

    with pytest.raises(Misconfigured):
        backend.overview.find(ALL, 1, after)
    if backend.orders:
        with pytest.raises(Misconfigured):
            backend.overview.find(last_failed, 1, backend.overview.find(ALL, 1, None).next)


def test_a_request_is_found_by_what_it_is(backend: Backend) -> None:
    began = backend.clock.now()
    for action in ("a", "delay", "a"):
        deliveries = [received(backend, record(backend.clock.now(), action=action)) for _ in range(2)]
        end(backend, deliveries[0])
        end(backend, deliveries[1], failed=True)
        backend.pass_time(A_WHILE)
    there = [*found(backend), *added(backend, 3, "a"), *added(backend, 3, "delay")]
    moments = (None, began, began + A_WHILE, began + A_WHILE + TICK, backend.clock.now())
    wanted = [
        Filter(status=status, action=action, since=since, until=until)
        for status, action, since, until in itertools.product([None, *Status], (None, "a", "b"), moments, moments)
    ]

    for each in wanted:
        assert ids(found(backend, each, limit=5)) == ids([one for one in there if each.takes(one)]), each


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
@pytest.mark.parametrize("wanted", [ALL, Filter(action="delay"), Filter(status=Status.ACCEPTED)], ids=str)
def test_each_comes_once_while_others_are_added(backend: Backend, wanted: Filter, limit: int) -> None:
    there = added(backend, 6) + [record(backend.clock.now()) for _ in range(6)]
    backend.store.add(there[6:])

    listed: list[str] = []
    for number, page in enumerate(pages(backend, wanted, limit)):
        listed += ids(page.records)
        if number < len(there):
            backend.store.add([record(backend.clock.now()), record(backend.clock.now() - A_WHILE)])
            added(backend, 1, "a")

    assert len(set(listed)) == len(listed)
    assert set(ids(there)) <= set(listed)


def test_what_is_opened_again_is_found_as_failed_no_more(backend: Backend) -> None:
    failed = [ended(backend, failed=True) for _ in range(3)]
    assert ids(found(backend, Filter(status=Status.FAILED), limit=2)) == sorted(failed)

    assert backend.store.reopen(failed[:1]) == [True]

    assert ids(found(backend, Filter(status=Status.FAILED), limit=2)) == sorted(failed[1:])
    assert ids(found(backend, Filter(status=Status.ACCEPTED))) == failed[:1]


def test_those_of_one_moment_come_once_each(backend: Backend) -> None:
    there = [record(backend.clock.now(), action=action) for action in ("a", "z") for _ in range(9)]
    backend.store.add(there)

    assert ids(found(backend, limit=4)) == ids(there)


def test_it_goes_on_where_it_was_when_what_was_listed_is_gone(backend: Backend) -> None:
    there = [ended(backend) for _ in range(5)]
    backend.pass_time(A_WHILE)
    listing = pages(backend, limit=2)
    listed = [one.id for page in itertools.islice(listing, 2) for one in page.records]
    assert purge(backend, backend.clock.now())[0] == 5
    added(backend, 1)

    assert not {one.id for page in listing for one in page.records} & {*listed, *there}


def test_a_page_ends_when_it_is_large(backend: Backend) -> None:
    there = [record(backend.clock.now(), note="x" * 250_000) for _ in range(20)]
    backend.store.add(there)

    listed = list(pages(backend, limit=100))

    assert ids([one for page in listed for one in page.records]) == ids(there)
    assert all(sum(len(one.body) for one in page.records[:-1]) < MAX_PAGE_BYTES for page in listed)
    assert len(listed) > 1


@pytest.mark.parametrize("after", ["", "x", "1", "1.", "1.x", "-1.-1", "1.2.3", "٣.٣", f"{10**30}.{10**30}", "{}"])
def test_where_no_page_ended_none_begins(backend: Backend, after: str) -> None:
    added(backend, 2)

    with pytest.raises(Misconfigured):
        backend.overview.find(ALL, 1, after)


@pytest.mark.parametrize("name", ["memory", "sqlite"])
def test_where_a_page_of_another_store_ended_none_begins(backend: Backend, name: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with BACKENDS[name](tmp_path / "other") as other:
        added(other, 2)
        after = other.overview.find(ALL, 1, None).next
        if type(other.overview) is not type(backend.overview):
            with pytest.raises(Misconfigured):
                backend.overview.find(ALL, 1, after)


def told(backlog: Backlog) -> tuple[int, int]:
    """Those that wait, and those that are held or delayed."""
    return backlog.total.waiting, backlog.total.running + backlog.total.delayed


def load(backend: Backend, action: str = "delay") -> Load:
    actions = backend.overview.backlog().actions
    assert actions is not None
    return actions[action]


def test_where_there_is_nothing_nothing_waits(backend: Backend) -> None:
    backlog = backend.overview.backlog()

    assert backlog.total == Load()
    assert backlog.actions == ({} if backend.tells_actions else None)


def test_what_waits_and_what_is_held_is_counted(backend: Backend) -> None:
    added(backend, 5)

    deliveries = backend.queue.receive(3, NOW)
    assert told(backend.overview.backlog()) == (2, 3)

    end(backend, *deliveries)
    assert told(backend.overview.backlog()) == (2, 0)


def test_what_is_to_be_tried_later_is_not_due_yet(backend: Backend) -> None:
    began = backend.clock.now()
    deliveries = [received(backend, record(began)) for _ in range(3)]
    backend.queue.release(deliveries[:2], A_WHILE, charged=True)
    assert told(backend.overview.backlog()) == (0, 3)
    if backend.tells_actions:
        assert load(backend) == Load(delayed=2, running=1)

    backend.pass_time(A_WHILE)

    assert told(backend.overview.backlog()) == (3, 0)
    if backend.tells_actions:
        assert load(backend) == Load(waiting=3, oldest=began + LEASE)


def test_what_is_held_by_one_who_fell_silent_waits(backend: Backend) -> None:
    deliveries = [received(backend, record(backend.clock.now())) for _ in range(2)]
    backend.lapse(deliveries)

    assert told(backend.overview.backlog()) == (2, 0)


def test_what_is_held_for_long_because_the_clock_went_back_waits(backend: Backend) -> None:
    received(backend, record(backend.clock.now()))
    backend.set_clock(-LEASE)
    assert told(backend.overview.backlog()) == (0, 1)

    backend.set_clock(-2 * LEASE)

    if backend.tells_actions:
        assert load(backend) == Load(waiting=1, oldest=backend.clock.now())


def test_parts_are_counted_as_the_queue_has_them(backend: Backend) -> None:
    split(backend, 5)
    assert told(backend.overview.backlog()) == (5, 0)

    end(backend, *backend.queue.receive(2, NOW))
    deliveries = backend.queue.receive(2, NOW)
    assert told(backend.overview.backlog()) == (1, 2)

    end(backend, *deliveries, *backend.queue.receive(1, NOW))
    assert told(backend.overview.backlog()) == (1, 0)


def test_each_action_that_there_is_is_told_by_itself(backend: Backend) -> None:
    """Also one that this queue does not receive, and one of which all has ended."""
    end(backend, received(backend, record(backend.clock.now())))
    began = backend.clock.now()
    added(backend, 2, "unheard-of")
    added(backend, 3, "a")
    added(backend, 1, "z")
    if not backend.tells_actions:
        assert backend.overview.backlog().actions is None
        return
    [delivery] = backend.queue.receive(1, NOW)

    backlog = backend.overview.backlog()

    held = backend.store.get([delivery.key.id])[delivery.key.id].action
    loads = {
        "a": Load(waiting=3, oldest=began + 2 * TICK),
        "delay": Load(),
        "unheard-of": Load(waiting=2, oldest=began),
        "z": Load(waiting=1, oldest=began + 5 * TICK),
    }
    assert backlog.actions == loads | {held: load(backend, held)}
    assert load(backend, held).running == 1
    assert backlog.total == Load(waiting=5, running=1, oldest=began)


def oldest(backend: Backend) -> datetime | None:
    return backend.overview.backlog().total.oldest


def test_the_oldest_is_the_one_that_has_waited_longest(backend: Backend) -> None:
    if not backend.tells_actions:
        return
    began = backend.clock.now()
    added(backend, 1)
    backend.pass_time(A_WHILE)
    [second] = added(backend, 1, "z")
    assert oldest(backend) == began

    [first] = backend.queue.receive(1, NOW)
    assert oldest(backend) == second.created_at

    backend.queue.release([first, *backend.queue.receive(1, NOW)], A_WHILE, charged=True)
    due = backend.clock.now() + A_WHILE
    assert oldest(backend) is None

    backend.pass_time(2 * A_WHILE)
    assert oldest(backend) == due


def test_to_look_changes_nothing(backend: Backend) -> None:
    delivery = received(backend, record(backend.clock.now()))
    there = [one.id for one in added(backend, 2)] + [delivery.key.id]
    before = backend.store.get(there)

    found(backend)
    backend.overview.backlog()
    backend.overview.tallies(backend.clock.now())

    assert backend.store.get([*there, new_id()]) == before
    assert [one.attempt for one in backend.queue.receive(3, NOW)] == [1, 1]
