"""`acuse purge`, run every few seconds beside the service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.acceptance.service import acuse

if TYPE_CHECKING:
    import threading
    from pathlib import Path


class Purges:
    """How often it was run, and what it said when it failed."""

    def __init__(self, data: Path, *, keep: int, every: float) -> None:
        """`keep`: seconds that a record is kept after its end."""
        self.done = self.requests = 0
        self.faults: list[str] = []
        self._data, self._keep, self._every = data, keep, every

    def run(self, stopped: threading.Event) -> None:
        """It was run until it was stopped, and then once more."""
        while not stopped.wait(self._every):
            self._purge()
        self._purge()

    def _purge(self) -> None:
        ended = acuse("purge", "--older-than", f"{self._keep}s", data=self._data)
        self.done += 1
        if told := re.match("([0-9]+) request", ended.stdout):
            self.requests += int(told[1])
        if ended.returncode:
            self.faults.append(f"purge: {ended.returncode} {ended.stderr.strip()}")
