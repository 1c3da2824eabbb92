"""A worker: its slots, its heartbeat and its end, with runners that do what they are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from acuse.adapters.clock import SystemClock
from acuse.adapters.memory import Memory, MemoryQueue, MemoryStore
from acuse.application.worker import Worker
from acuse.domain.record import Record, Status
from tests.requests import record
from tests.unit.place import CATALOGUE, DONE, Scripted

if TYPE_CHECKING:
    from collections.abc import Callable

    from acuse.application import slot as slot_module
    from acuse.domain.delivery import Delivery
    from acuse.domain.outcome import Outcome

LEASE = timedelta(seconds=60)
LONG = timedelta(seconds=30)


class Waiting(Scripted):
    """Its runs last until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.running = threading.Event()
        self.go = threading.Event()

    def outcome(self, wait: timedelta, /) -> Outcome | None:
        self.running.set()
        return DONE if self.go.wait(min(0.01, wait.total_seconds())) else None


class Extended(MemoryQueue):
    """Notes the renewals."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, lease=LEASE, bounds=CATALOGUE.bounds())
        self.renewed = threading.Semaphore(0)

    def extend(self, deliveries: Sequence[Delivery]) -> None:
        super().extend(deliveries)
        self.renewed.release()


class Plant:
    def __init__(self) -> None:
        self.clock = SystemClock()
        memory = Memory(self.clock)
        self.store = MemoryStore(memory)
        self.queue = Extended(memory)
        self.polled = threading.Semaphore(0)

    def add(self, count: int = 1) -> list[str]:
        records = [record(self.clock.now(), action="quick") for _ in range(count)]
        self.store.add(records)
        return [one.id for one in records]

    def record(self, id_: str) -> Record:
        return self.store.get([id_])[id_]

    @contextmanager
    def working(
        self, *runners: Scripted, drain: timedelta = LONG, beat: timedelta = LONG
    ) -> Iterator[tuple[Worker, Callable[[], None]]]:
        """The worker, and what returns when it has ended."""
        worker = Worker(
            self.store,
            self.queue,
            self.clock,
            CATALOGUE,
            runners,
            beat=beat,
            drain=drain,
            random=Random(1),
            polled=self.polled.release,
        )
        thread = threading.Thread(target=worker.run)
        thread.start()

        def ended() -> None:
            thread.join(30)
            assert not thread.is_alive()

        try:
            yield worker, ended
        finally:
            worker.stop()
            for one in runners:
                if isinstance(one, Waiting):
                    one.go.set()
            thread.join()


def test_each_runner_runs_something_at_the_same_time() -> None:
    plant = Plant()
    runners = [Waiting(), Waiting(), Waiting()]
    ids = plant.add(3)

    with plant.working(*runners) as (worker, ended):
        for one in runners:
            assert one.running.wait(30)
        assert {one.name for one in threading.enumerate()} >= {f"acuse-slot-{number}" for number in (1, 2, 3)}
        for one in runners:
            one.go.set()
        worker.stop()
        ended()

    assert {plant.record(id_).status for id_ in ids} == {Status.FINISHED}
    assert [one.kills for one in runners] == [1, 1, 1]
    assert not [one for one in threading.enumerate() if one.name.startswith(("acuse-slot", "acuse-heartbeat"))]


def test_leases_are_renewed_while_runs_last_and_each_renewal_is_told() -> None:
    plant = Plant()
    runner = Waiting()
    plant.add()

    with plant.working(runner, beat=timedelta(milliseconds=1)):
        assert runner.running.wait(30)
        while plant.polled.acquire(blocking=False):
            pass

        for _ in range(3):
            assert plant.queue.renewed.acquire(timeout=30)
            assert plant.polled.acquire(timeout=30)


def test_each_answer_of_the_queue_is_told() -> None:
    plant = Plant()

    with plant.working(Scripted()):
        assert plant.polled.acquire(timeout=30)


def test_when_it_is_stopped_what_is_under_way_may_end() -> None:
    plant = Plant()
    runner = Waiting()
    [id_] = plant.add()

    with plant.working(runner) as (worker, ended):
        assert runner.running.wait(30)
        [later] = plant.add()
        worker.stop()
        worker.stop()
        threading.Timer(0.2, runner.go.set).start()
        ended()

    assert plant.record(id_).status is Status.FINISHED
    assert plant.record(later).attempts == 0


def test_when_it_is_stopped_what_outlasts_the_drain_is_given_back() -> None:
    plant = Plant()
    runner = Waiting()
    [id_] = plant.add()

    with plant.working(runner, drain=timedelta(seconds=0.1)) as (worker, ended):
        assert runner.running.wait(30)
        worker.stop()
        ended()

    assert runner.kills == 2, "for the run, and with the slot"
    assert (plant.record(id_).status, plant.record(id_).attempts) == (Status.ACCEPTED, 0)
    assert [one.key.id for one in plant.queue.receive(1, timedelta(0))] == [id_]


def spreads(plant: Plant) -> list[float]:
    """The first by which each of two slots would spread its retries."""
    worker = Worker(
        plant.store,
        plant.queue,
        plant.clock,
        CATALOGUE,
        [Scripted(), Scripted()],
        beat=LONG,
        drain=LONG,
        random=Random(1),
        polled=lambda: None,
    )

    slots: list[slot_module.Slot] = [thread._target.__self__ for thread in worker._threads]  # type: ignore[attr-defined]
    return [one._random.random() for one in slots]


def test_no_two_slots_spread_their_retries_alike_but_by_a_seed_they_can_be_repeated() -> None:
    plant = Plant()

    first, second = spreads(plant)

    assert first != second
    assert spreads(plant) == [first, second]


def test_what_comes_while_it_waits_is_run() -> None:
    plant = Plant()
    runner = Waiting()

    with plant.working(runner):
        for _ in range(2):
            assert plant.polled.acquire(timeout=30)
        plant.add()

        assert runner.running.wait(30)
