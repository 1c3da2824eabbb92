"""An intake over a store whose commits wait at a gate."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from acuse.adapters.memory import Memory, MemoryStore
from acuse.application import intake as module
from acuse.application.intake import Intake, Reply
from acuse.domain.errors import StoreUnavailable
from tests.clock import StillClock
from tests.requests import submission

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from acuse.domain.event import Event
    from acuse.domain.outcome import Addition
    from acuse.domain.record import Record
    from acuse.domain.submission import Submission


class GatedStore(MemoryStore):
    """Every add waits at the gate, and can be made to fail."""

    def __init__(self) -> None:
        super().__init__(Memory(StillClock()))
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.batches: list[int] = []
        self.error: Exception | None = None
        self.refused: set[str] = set()

    def add(self, records: Sequence[Record]) -> list[Addition]:
        if not records:
            return []
        self.entered.release()
        assert self.gate.acquire(timeout=30)
        self.batches.append(len(records))
        if self.error is not None:
            raise self.error
        stored = iter(super().add([record for record in records if record.id not in self.refused]))
        return [StoreUnavailable("throttled") if record.id in self.refused else next(stored) for record in records]


class Desk:
    """An intake over a gated store; waiters are numbers."""

    def __init__(self, **bounds: int) -> None:
        self.store = GatedStore()
        self.replies: SimpleQueue[tuple[int, Reply]] = SimpleQueue()
        self.commits: SimpleQueue[None] = SimpleQueue()
        self.events: list[Event] = []
        limits = {"max_waiting": 100, "max_waiting_bytes": 10_000, "max_batch": 10} | bounds
        self.intake: Intake[int] = Intake(
            self.store,
            StillClock(),
            self._deliver,
            committed=lambda: self.commits.put(None),
            observe=self.events.append,
            **limits,
        )
        self.intake.start()

    def _deliver(self, replies: Sequence[tuple[int, Sequence[Reply]]]) -> None:
        for waiter, found in replies:
            for reply in found:
                self.replies.put((waiter, reply))

    def offer(self, waiter: int, sent: Submission | None = None) -> None:
        self.intake.offer([sent or submission()], waiter)

    def reply(self) -> tuple[int, Reply]:
        return self.replies.get(timeout=30)

    def close(self) -> None:
        self.store.gate.release(1_000)
        self.intake.close()

    def gather(self, monkeypatch: pytest.MonkeyPatch, waiters: Iterable[int], *, then: Iterable[int]) -> list[float]:
        """Waiter 0 is being stored and these wait; `then` come when the next batch waits for more. Each wait of it."""
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 1:
                for waiter in then:
                    self.offer(waiter)

        monkeypatch.setattr(module, "sleep", sleep)
        self.offer(0)
        assert self.store.entered.acquire(timeout=30)
        for waiter in waiters:
            self.offer(waiter)
        self.store.gate.release(100)
        return waits
