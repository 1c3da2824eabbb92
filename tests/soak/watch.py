"""The look at everything, every second or so."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tests.soak.growth import percentile
from tests.soak.measures import Sample
from tests.soak.processes import processes, values

if TYPE_CHECKING:
    from pathlib import Path

    from tests.soak.ledger import Ledger
    from tests.soak.load import Load
    from tests.soak.store import Reader

DRAIN_SECONDS = 60.0
MEGABYTE = 1e6


class Watch:
    """Takes samples, and keeps the ledger."""

    def __init__(
        self, supervisor: int, data: Path, load: Load, reader: Reader, ledger: Ledger, *, every: float
    ) -> None:
        """Nothing was measured yet."""
        self.samples: list[Sample] = []
        self._supervisor, self._data = supervisor, data
        self._load, self._reader, self._ledger, self._every = load, reader, ledger, every
        self._begun = time.monotonic()
        self._last = self._begun

    def run(self, stopped: threading.Event) -> None:
        """There is a sample of each time."""
        while not stopped.wait(max(0.0, self._last + self._every - time.monotonic())):
            now = time.monotonic()
            self.samples.append(Sample(now - self._begun, self._flow(now - self._last) | self._sizes()))
            self._last = now

    def drain(self) -> float:
        """Everything acknowledged has ended, and was looked at once more; or time is up. Returns how long it took."""
        begun = time.monotonic()
        self._flow()
        while (self._ledger.open or self._reader.under_way()) and time.monotonic() < begun + DRAIN_SECONDS:
            threading.Event().wait(0.1)
            self._flow()
        took = time.monotonic() - begun
        self._flow(until=float("inf"))
        return took

    def _flow(self, passed: float = 1.0, until: float = 0.0) -> dict[str, float]:
        """What came and went in the seconds that passed; what is due until then, at least by now, is looked at."""
        before = self._ledger.counts["accepted"]
        posts = self._ledger.take(self._load.answers(), time.time())
        found = self._reader.rows(self._ledger.due(max(until, time.time())))
        ends = self._ledger.look(found, time.time())
        measured = {
            "accepted": (self._ledger.counts["accepted"] - before) / passed,
            "ended": len(ends) / passed,
            "backlog": float(self._reader.under_way()),
        }
        for name, seconds in (("post", posts), ("end", ends)):
            if seconds:
                measured[f"{name}_p50"] = 1e3 * percentile(seconds, 0.5)
                measured[f"{name}_p99"] = 1e3 * percentile(seconds, 0.99)
        return measured

    def _sizes(self) -> dict[str, float]:
        size, pages, free = self._reader.pages()
        wal = self._data / "acuse.db-wal"
        return {
            "database": size * pages / MEGABYTE,
            "used": size * (pages - free) / MEGABYTE,
            "wal": wal.stat().st_size / MEGABYTE if wal.exists() else 0.0,
            **values(processes(self._supervisor), self._data),
        }
