"""A slot over memory, with a runner that does what it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, ClassVar

import msgspec

from acuse import Action, Policy
from acuse.adapters.memory import Memory, MemoryQueue, MemoryStore
from acuse.application.actions import Catalogue
from acuse.application.heartbeat import Heartbeat
from acuse.application.slot import Slot
from acuse.domain.errors import RunnerUnavailable, StoreUnavailable
from acuse.domain.outcome import Done, Outcome
from acuse.domain.record import Failure, Key, Part, Reason, Record
from tests.clock import StillClock
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from acuse.domain.delivery import Delivery, Ending
    from acuse.domain.event import Event
    from acuse.domain.task import Task

NOW = timedelta(0)
LEASE = timedelta(seconds=10)
DONE = Done(b"7")
NO = Failure(Reason.RAISED, "no")


class Quick(Action, tag="quick"):
    policy: ClassVar[Policy] = Policy(attempts=3)

    def run(self) -> int:
        return 7


class Once(Action, tag="once"):
    policy: ClassVar[Policy] = Policy(attempts=1)

    def run(self) -> int:
        return 7


class Brief(Action, tag="brief"):
    policy: ClassVar[Policy] = Policy(time_limit=timedelta(milliseconds=30), attempts=2)

    def run(self) -> int:
        return 7


class Sums(Action, tag="sums"):
    def split(self) -> list[int]:
        return []

    def process(self, part: int) -> int:
        return part

    def merge(self, results: Iterable[int]) -> int:
        return sum(results)


CATALOGUE = Catalogue([Quick, Once, Brief, Sums])


class Scripted:
    """What came of each task is what the script says next, or DONE; None: it is still under way, at that look."""

    def __init__(self) -> None:
        self.script: list[Outcome | None] = []
        self.begun: list[Task] = []
        self.waits: list[timedelta] = []
        self.kills = 0
        self.refusals = 0
        self.beginning: Callable[[], None] = lambda: None

    def ready(self) -> None:
        pass

    def begin(self, task: Task, /) -> None:
        self.beginning()
        if self.refusals:
            self.refusals -= 1
            raise RunnerUnavailable("no process")
        self.begun.append(task)

    def outcome(self, wait: timedelta, /) -> Outcome | None:
        self.waits.append(wait)
        found = self.script.pop(0) if self.script else DONE
        if found is None:
            time.sleep(min(wait.total_seconds(), 0.005))
        return found

    def kill(self) -> None:
        self.kills += 1

    def end(self) -> None:
        self.kill()


class Moody(MemoryStore):
    """Fails so many settlings or readings."""

    refuses = 0
    breaks = 0
    tries = 0

    def settle(self, endings: Sequence[Ending]) -> list[bool]:
        self.tries += 1
        if self.refuses:
            self.refuses -= 1
            raise StoreUnavailable("not now")
        return super().settle(endings)

    def parts(self, keys: Sequence[Key]) -> dict[Key, Part]:
        if self.breaks:
            self.breaks -= 1
            raise ZeroDivisionError
        return dict(super().parts(keys))


class Noting(MemoryQueue):
    """Notes what is put away for good, and how the rest is given back."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, lease=LEASE, bounds=CATALOGUE.bounds())
        self.acked: list[Key] = []
        self.released: list[tuple[timedelta, bool]] = []

    def release(self, deliveries: Sequence[Delivery], delay: timedelta, *, charged: bool) -> None:
        self.released.append((delay, charged))
        super().release(deliveries, delay, charged=charged)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self.acked += [one.key for one in deliveries]


class Attempt:
    """The span of an attempt: what it hands on names it, and how it ended is noted."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.ends: list[tuple[str, Failure | None]] = []

    def inside(self, task: Task, /) -> Task:
        return msgspec.structs.replace(task, traceparent=f"{task.step} {task.part}, attempt {task.attempt}")

    def end(self, outcome: str, failure: Failure | None, /) -> None:
        self.ends.append((outcome, failure))


class Attempts:
    """Begins spans, and knows them all."""

    def __init__(self) -> None:
        self.begun: list[Attempt] = []

    def attempt(self, task: Task, /) -> Attempt:
        self.begun.append(Attempt(task))
        return self.begun[-1]


class Place:
    def __init__(self) -> None:
        self.tracer = Attempts()
        self.events: list[Event] = []
        self.clock = StillClock()
        memory = Memory(self.clock)
        self.store = Moody(memory)
        self.queue = Noting(memory)
        self.runner = Scripted()
        self.heartbeat = Heartbeat(self.queue, timedelta(days=1), lambda: None)
        self.draining, self.killing = threading.Event(), threading.Event()
        self.polls = 0
        self.slot = Slot(
            self.store,
            self.queue,
            self.clock,
            self.runner,
            CATALOGUE,
            self.heartbeat,
            random=Random(1),
            draining=self.draining,
            killing=self.killing,
            polled=self._polled,
            observe=self.events.append,
            tracer=self.tracer,
        )

    def add(self, count: int, action: str = "quick") -> list[str]:
        records = [record(self.clock.now(), action=action) for _ in range(count)]
        self.store.add(records)
        return [one.id for one in records]

    def receive(self, limit: int = 100) -> list[Delivery]:
        return self.queue.receive(limit, NOW)

    def record(self, id_: str) -> Record:
        return self.store.get([id_])[id_]

    def attempts(self, ids: Iterable[str]) -> list[int]:
        return [self.record(id_).attempts for id_ in ids]

    def held(self) -> list[Delivery]:
        return list(self.heartbeat._held.values())

    def learn(self, count: int = 20) -> None:
        """The slot knows that the action is quick."""
        for _ in range(count):
            self.add(1)
            self.slot.take(self.receive(1))

    def _polled(self) -> None:
        self.polls += 1
        if self.polls > 2:
            self.draining.set()
