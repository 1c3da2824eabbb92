"""What every Queue does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from acuse.domain.delivery import Delivery, Ending
from acuse.domain.record import Failure, Key, Reason
from tests.contract.backend import LEASE
from tests.requests import record

if TYPE_CHECKING:
    from tests.contract.backend import Backend

NOW = timedelta(0)
SOON = timedelta(seconds=30)
HOUR = timedelta(hours=1)
BOUND = 2
"""Of the action `limited`."""


def added(backend: Backend, count: int = 1, **members: str) -> list[Key]:
    records = [record(backend.clock.now(), **members) for _ in range(count)]
    backend.store.add(records)
    return [Key(one.id) for one in records]


def end(backend: Backend, delivery: Delivery, *, failed: bool = False) -> None:
    error = Failure(Reason.RAISED, "no") if failed else None
    ending = Ending(delivery=delivery, at=backend.clock.now(), result=None if failed else b"1", error=error)
    assert backend.store.settle([ending]) == [True]
    backend.queue.ack([delivery])


def receive(backend: Backend, limit: int = 100) -> list[Delivery]:
    return backend.queue.receive(limit, NOW)


def test_an_empty_queue_gives_nothing(backend: Backend) -> None:
    assert receive(backend) == []


def test_what_is_added_is_delivered(backend: Backend) -> None:
    keys = added(backend, 3)

    deliveries = receive(backend)

    assert sorted(one.key for one in deliveries) == keys
    assert {one.attempt for one in deliveries} == {1}


def test_no_more_than_the_limit_is_delivered(backend: Backend) -> None:
    keys = added(backend, 5)

    first, second = receive(backend, 2), receive(backend, 10)

    assert len(first) == 2
    assert sorted(one.key for one in first + second) == keys


def test_what_is_leased_is_delivered_to_nobody_else(backend: Backend) -> None:
    added(backend)
    receive(backend)

    backend.pass_time(LEASE - timedelta(milliseconds=1))

    assert receive(backend) == []


def test_what_a_silent_worker_held_is_delivered_again_as_the_next_attempt(backend: Backend) -> None:
    added(backend)
    [first] = receive(backend)

    backend.lapse([first])

    [second] = receive(backend)
    assert (second.key, second.attempt) == (first.key, 2)
    assert second.token != first.token
    assert second.was_cut_off
    assert not first.was_cut_off


def test_of_many_receiving_at_once_each_delivery_reaches_one(backend: Backend) -> None:
    keys = added(backend, 60)
    barrier = threading.Barrier(6)

    def drain(_: int) -> list[Key]:
        barrier.wait()
        found: list[Key] = []
        while deliveries := receive(backend, 7):
            found += [one.key for one in deliveries]
        return found

    with ThreadPoolExecutor(6) as pool:
        received = [key for found in pool.map(drain, range(6)) for key in found]

    assert sorted(received) == keys


def test_a_renewed_lease_lasts_from_the_renewal(backend: Backend) -> None:
    added(backend)
    [delivery] = receive(backend)
    backend.pass_time(LEASE * 0.8)

    backend.queue.extend([delivery])

    backend.pass_time(LEASE * 0.8)
    assert receive(backend) == []
    backend.lapse([delivery])
    assert len(receive(backend)) == 1


def test_a_lost_lease_cannot_be_renewed(backend: Backend) -> None:
    added(backend)
    [late] = receive(backend)
    backend.lapse([late])
    [current] = receive(backend)
    backend.pass_time(LEASE * 0.8)

    backend.queue.extend([late])

    backend.pass_time(LEASE * 0.8)
    assert [one.key for one in receive(backend)] == [current.key]


def test_what_is_released_is_delivered_after_the_delay(backend: Backend) -> None:
    added(backend)
    [first] = receive(backend)

    backend.queue.release([first], SOON, charged=True)

    backend.pass_time(SOON - timedelta(milliseconds=1))
    assert receive(backend) == []
    backend.pass_time(timedelta(milliseconds=1))
    assert [one.attempt for one in receive(backend)] == [2]


def test_an_attempt_that_was_not_made_is_not_charged(backend: Backend) -> None:
    added(backend)
    [first] = receive(backend)

    backend.queue.release([first], NOW, charged=False)

    assert [one.attempt for one in receive(backend)] == [1]


def test_what_another_holds_cannot_be_released(backend: Backend) -> None:
    added(backend)
    [late] = receive(backend)
    backend.lapse([late])
    receive(backend)

    backend.queue.release([late], NOW, charged=False)

    assert receive(backend) == []


def test_what_is_settled_is_never_delivered_again(backend: Backend) -> None:
    added(backend)
    [delivery] = receive(backend)
    backend.store.settle([Ending(delivery=delivery, at=backend.clock.now(), result=b"1")])

    backend.queue.ack([delivery])
    backend.queue.release([delivery], NOW, charged=True)
    backend.queue.extend([delivery])

    backend.lapse([delivery])
    assert receive(backend) == []


def test_a_receiver_that_waits_is_woken_by_what_is_added(backend: Backend) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(backend.queue.receive, 10, timedelta(seconds=60))
        keys = added(backend)

        assert [one.key for one in waiting.result(timeout=30)] == keys


def test_a_receiver_that_waits_is_woken_by_what_is_released(backend: Backend) -> None:
    keys = added(backend)
    held = receive(backend)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(backend.queue.receive, 10, timedelta(seconds=60))
        backend.queue.release(held, NOW, charged=False)

        assert [one.key for one in waiting.result(timeout=30)] == keys


def test_no_action_is_under_way_more_often_than_its_bound(backend: Backend) -> None:
    added(backend, 5, action="limited")
    [free] = added(backend)

    first = receive(backend)

    assert len(first) == BOUND + 1
    assert free in {one.key for one in first}
    assert receive(backend) == []
    limited = [one for one in first if one.key != free]
    backend.store.settle([Ending(delivery=limited[0], at=backend.clock.now(), result=b"1")])
    backend.queue.ack(limited[:1])
    assert len(receive(backend)) == 1
    backend.lapse(limited[1:])
    assert len(receive(backend)) == BOUND + 1


def test_what_waits_for_a_retry_does_not_count_as_under_way(backend: Backend) -> None:
    added(backend, 4, action="limited")
    first = receive(backend)

    backend.queue.release(first, SOON, charged=True)

    assert len(receive(backend)) == BOUND


def test_what_was_given_back_in_order_was_not_cut_off(backend: Backend) -> None:
    added(backend)

    backend.queue.release(receive(backend), NOW, charged=True)

    assert [one.was_cut_off for one in receive(backend)] == [False]


def test_what_is_due_at_once_is_so_although_the_clock_was_set_back(backend: Backend) -> None:
    [new] = added(backend)
    backend.set_clock(-HOUR)
    [delivery] = receive(backend)
    assert delivery.key == new

    backend.queue.release([delivery], NOW, charged=False)
    backend.set_clock(-HOUR)
    [delivery] = receive(backend)
    assert backend.store.plan(delivery, [b"1"])
    backend.queue.ack([delivery])
    backend.set_clock(-HOUR)
    [part] = receive(backend)
    assert part.key == Key(new.id, 1)

    end(backend, part, failed=True)
    backend.set_clock(-HOUR)
    [merge] = receive(backend)
    assert merge.key == new

    end(backend, merge, failed=True)
    backend.store.reopen([new.id])
    backend.set_clock(-HOUR)
    assert [one.key for one in receive(backend)] == [part.key]


def test_a_request_without_parts_is_merged_although_the_clock_was_set_back(backend: Backend) -> None:
    [new] = added(backend)
    [delivery] = receive(backend)
    assert backend.store.plan(delivery, [])
    backend.queue.ack([delivery])
    backend.set_clock(-HOUR)

    [merge] = receive(backend)
    end(backend, merge, failed=True)
    backend.store.reopen([new.id])
    backend.set_clock(-HOUR)

    assert [one.key for one in receive(backend)] == [new]


def test_what_a_silent_worker_held_is_delivered_again_although_the_clock_was_set_back(backend: Backend) -> None:
    added(backend)
    [first] = receive(backend)
    backend.set_clock(-HOUR)

    backend.lapse([first])

    [second] = receive(backend)
    assert (second.key, second.attempt, second.was_cut_off) == (first.key, 2, True)


def test_a_lease_holds_after_the_clock_was_set_back_once_it_is_renewed(backend: Backend) -> None:
    added(backend)
    [delivery] = receive(backend)
    backend.set_clock(-HOUR)

    backend.queue.extend([delivery])

    assert receive(backend) == []
    backend.lapse([delivery])
    assert len(receive(backend)) == 1


def test_a_lease_holds_when_the_clock_is_set_back_a_little(backend: Backend) -> None:
    added(backend)
    [delivery] = receive(backend)

    backend.set_clock(-LEASE)

    assert receive(backend) == []
    backend.pass_time(LEASE * 2)
    assert [one.key for one in receive(backend)] == [delivery.key]


def test_what_is_delayed_waits_longer_by_no_more_than_the_clock_was_set_back(backend: Backend) -> None:
    keys = added(backend)
    backend.queue.release(receive(backend), SOON, charged=True)
    backend.set_clock(-HOUR)

    backend.pass_time(HOUR + SOON)

    assert [one.key for one in receive(backend)] == keys


def test_what_ends_by_a_clock_that_was_set_back_ends_no_sooner_than_it_was_created(backend: Backend) -> None:
    [whole, split] = added(backend, 2)
    deliveries = {one.key: one for one in receive(backend)}
    assert backend.store.plan(deliveries[split], [b"1"])
    backend.queue.ack([deliveries[split]])
    [part] = receive(backend)
    backend.set_clock(-HOUR)

    end(backend, deliveries[whole])
    end(backend, part)
    end(backend, *receive(backend))

    for one in backend.store.get([whole.id, split.id]).values():
        assert one.finished_at == one.created_at
    ended = backend.store.parts([part.key])[part.key]
    assert ended.finished_at == ended.created_at


def test_an_action_that_is_not_known_here_is_left_to_others(backend: Backend) -> None:
    added(backend, action="unknown-here")
    keys = added(backend)

    assert [one.key for one in receive(backend)] == keys
