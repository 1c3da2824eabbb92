"""Strikes the processes of a subject as the schedule says."""

from __future__ import annotations

import heapq
import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.record import Key
from tests.torture.schedule import Blow, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.torture.subject import Subject

LIFE_SECONDS = 20.0
LOOK_SECONDS = 0.05
SIGNALS = {Blow.KILL: signal.SIGKILL, Blow.STOP: signal.SIGSTOP, Blow.TERMINATE: signal.SIGTERM}


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that happened, at that time (seconds since 1970), to so many processes; and what they were at."""

    fault: Fault
    at: float
    processes: int
    leased: tuple[Key, ...]


class Gremlin(threading.Thread):
    """Runs to the end of its schedule; then every process that it stopped goes on.

    A blow waits for what it is to hit: one at the intake for an acknowledgement since the last one, one at a worker for
    something leased. So a slow machine is struck later, and not while nothing happens yet.
    """

    def __init__(self, subject: Subject, faults: Sequence[Fault], acknowledged: Callable[[], int]) -> None:
        """`acknowledged`: how many have been so far."""
        super().__init__(name="torture-gremlin", daemon=True)
        self._subject = subject
        self._faults = faults
        self._acknowledged = acknowledged
        self._before = 0
        self._stopped: list[tuple[float, int]] = []
        self._never = threading.Event()
        self.strikes: list[Strike] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        began = time.monotonic()
        try:
            for fault in self._faults:
                self._wait(began + fault.at)
                self._wait_for_life(fault)
                self._strike(fault)
            self._wait(max((until for until, _ in self._stopped), default=0.0))
        except BaseException as error:  # noqa: BLE001  (the one who started it looks at it)
            self.failure = error
        finally:
            for _, pid in self._stopped:
                _signal(pid, signal.SIGCONT)

    def _wait(self, until: float) -> None:
        """Until then; meanwhile those whose stop is over go on."""
        while True:
            now = time.monotonic()
            while self._stopped and self._stopped[0][0] <= now:
                _signal(heapq.heappop(self._stopped)[1], signal.SIGCONT)
            if now >= until:
                return
            self._never.wait(min([until - now, *(at - now for at, _ in self._stopped[:1])]))

    def _wait_for_life(self, fault: Fault) -> None:
        deadline = time.monotonic() + LIFE_SECONDS
        while time.monotonic() < deadline and not self._is_worth_it(fault):
            self._wait(time.monotonic() + LOOK_SECONDS)
        self._before = self._acknowledged() if _is_at_intake(fault) else self._before

    def _is_worth_it(self, fault: Fault) -> bool:
        if _is_at_intake(fault):
            return self._acknowledged() > self._before
        return bool(self._subject.leased())

    def _strike(self, fault: Fault) -> None:
        if fault.blow is Blow.RESTART:
            processes = sum(map(len, self._subject.targets().values()))
            leased = tuple(self._subject.leased())
            at = time.time()
            self._subject.restart()
            self.strikes.append(Strike(fault=fault, at=at, processes=processes, leased=leased))
            return
        there = self._subject.targets().get(fault.kind, [])
        if not there:
            return
        struck = there if fault.everyone else [there[int(fault.choice * len(there))]]
        leased = tuple(self._subject.leased())
        at = time.time()
        for pid in struck:
            _signal(pid, SIGNALS[fault.blow])
            if fault.blow is Blow.STOP:
                heapq.heappush(self._stopped, (time.monotonic() + fault.lasts, pid))
        self.strikes.append(Strike(fault=fault, at=at, processes=len(struck), leased=leased))


def _is_at_intake(fault: Fault) -> bool:
    return fault.kind in {"api", ""}


def _signal(pid: int, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)
