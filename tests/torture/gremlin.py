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
    from collections.abc import Sequence

    from tests.torture.subject import Subject

SIGNALS = {Blow.KILL: signal.SIGKILL, Blow.STOP: signal.SIGSTOP, Blow.TERMINATE: signal.SIGTERM}


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that happened, at that time (seconds since 1970), to so many processes; and what they were at."""

    fault: Fault
    at: float
    processes: int
    leased: tuple[Key, ...]


class Gremlin(threading.Thread):
    """Runs to the end of its schedule; then every process that it stopped goes on."""

    def __init__(self, subject: Subject, faults: Sequence[Fault]) -> None:
        super().__init__(name="torture-gremlin", daemon=True)
        self._subject = subject
        self._faults = faults
        self._stopped: list[tuple[float, int]] = []
        self._never = threading.Event()
        self.strikes: list[Strike] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        began = time.monotonic()
        try:
            for fault in self._faults:
                self._wait(began + fault.at)
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


def _signal(pid: int, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)
