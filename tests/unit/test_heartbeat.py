from __future__ import annotations

import threading
from datetime import timedelta
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.memory import Memory, MemoryQueue, MemoryStore
from acuse.application.heartbeat import HASTE, SIGN_SECONDS, Heartbeat
from acuse.domain.delivery import Delivery
from acuse.domain.errors import StoreUnavailable
from acuse.domain.record import Key
from tests.clock import StillClock
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Sequence

OFTEN = timedelta(milliseconds=1)
LEASE = timedelta(seconds=10)
SIGN = timedelta(seconds=SIGN_SECONDS)


class Noted(MemoryQueue):
    """Notes what is extended; the first time it raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        super().__init__(Memory(StillClock()), lease=timedelta(seconds=1), bounds={})
        self.extended: SimpleQueue[set[int]] = SimpleQueue()

    def extend(self, deliveries: Sequence[Delivery]) -> None:
        self.extended.put({one.key.part for one in deliveries})
        if self.error is not None:
            error, self.error = self.error, None
            raise error


def delivery(part: int) -> Delivery:
    return Delivery(key=Key("x", part), attempt=1, token=b"t")


@pytest.mark.parametrize("error", [StoreUnavailable("not now"), ValueError("a bug")])
def test_what_is_held_is_renewed_until_it_is_dropped_even_after_a_failure(error: Exception) -> None:
    queue = Noted(error)
    beaten: SimpleQueue[None] = SimpleQueue()
    heartbeat = Heartbeat(queue, OFTEN, lambda: beaten.put(None))
    heartbeat.hold([delivery(1), delivery(2)])
    heartbeat.start()

    assert queue.extended.get(timeout=30) == {1, 2}
    assert queue.extended.get(timeout=30) == {1, 2}
    beaten.get(timeout=30)
    heartbeat.drop([delivery(1), delivery(3)])
    while queue.extended.get(timeout=30) != {2}:
        pass

    heartbeat.stop()


def test_nothing_is_renewed_when_nothing_is_held_and_so_nothing_is_shown_to_work() -> None:
    queue = Noted()
    beaten: SimpleQueue[None] = SimpleQueue()

    Heartbeat(queue, OFTEN, lambda: beaten.put(None)).beat()

    assert queue.extended.empty()
    assert beaten.empty()


def test_what_is_held_is_delivered_to_nobody_else_while_the_heart_beats() -> None:
    clock = StillClock()
    memory = Memory(clock)
    queue = MemoryQueue(memory, lease=LEASE, bounds={"delay": None})
    MemoryStore(memory).add([record(clock.now())])
    heartbeat = Heartbeat(queue, LEASE, lambda: None)
    heartbeat.hold(queue.receive(1, timedelta(0)))

    for _ in range(5):
        clock.advance(LEASE * 0.8)
        heartbeat.beat()
        assert queue.receive(1, timedelta(0)) == []

    clock.advance(LEASE)
    assert [one.attempt for one in queue.receive(1, timedelta(0))] == [2]


class Awaited:
    """An event that is set at the last of so many waits, and notes how long each was to be."""

    def __init__(self, waits: int) -> None:
        self.left = waits
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("error", [StoreUnavailable("not now"), ValueError("a bug")])
def test_a_beat_that_failed_is_known_and_is_tried_again_sooner(error: Exception) -> None:
    queue = Noted(error)
    heartbeat = Heartbeat(queue, SIGN, lambda: health.append(heartbeat.is_well))
    health = [heartbeat.is_well]
    heartbeat.hold([delivery(1)])
    heartbeat._stopped = stopped = Awaited(3)  # type: ignore[assignment]

    heartbeat._run()

    assert stopped.waits == [SIGN_SECONDS, SIGN_SECONDS / HASTE, SIGN_SECONDS, SIGN_SECONDS]
    assert health == [True, False, True]
    assert heartbeat.is_well


def test_what_is_held_shows_itself_however_seldom_it_is_renewed_but_not_after_that_has_failed() -> None:
    queue = Noted(StoreUnavailable("not now"))
    shown: list[bool] = []
    heartbeat = Heartbeat(queue, 10 * SIGN, lambda: shown.append(heartbeat.is_well))
    heartbeat.hold([delivery(1)])
    heartbeat._stopped = stopped = Awaited(9 + 1 + 10 // HASTE + 3)  # type: ignore[assignment]

    heartbeat._run()

    assert queue.extended.qsize() == 2
    assert shown == [True] * 9 + [False] + [True] * 3, "the one between is told by the renewal itself"
    assert set(stopped.waits) == {SIGN_SECONDS}


def test_a_heart_that_holds_nothing_shows_nothing() -> None:
    shown: list[None] = []
    heartbeat = Heartbeat(Noted(), 10 * SIGN, lambda: shown.append(None))
    heartbeat._stopped = Awaited(25)  # type: ignore[assignment]

    heartbeat._run()

    assert shown == []


def test_a_heart_that_nobody_stops_keeps_no_process_alive() -> None:
    before = set(threading.enumerate())
    heartbeat = Heartbeat(Noted(), LEASE, lambda: None)
    heartbeat.start()

    [thread] = set(threading.enumerate()) - before

    assert (thread.name, thread.daemon) == ("acuse-heartbeat", True)
    heartbeat.stop()
    assert not thread.is_alive()
