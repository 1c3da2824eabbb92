"""A queue at its worst: what was delivered is delivered again, late, and out of order."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from acuse.domain.delivery import Delivery
    from acuse.ports import Queue

NOW = timedelta(0)
AGAIN = 0.3
"""How often what is kept is handed out when something is received."""


class Unruly:
    """See Queue. It is at least once, and no more.

    What it hands out again is the very same delivery, also when that was settled long ago, or is another's by now.
    """

    def __init__(self, queue: Queue, random: Random, luck: float) -> None:
        """`luck`: how often a delivery is kept, to be handed out later: another time, or for the first. 0: never."""
        self._queue = queue
        self._random = random
        self._luck = luck
        self._lock = threading.Lock()
        self._kept: list[Delivery] = []
        self.repeated = self.held_back = 0
        self.extend, self.release, self.ack = queue.extend, queue.release, queue.ack

    def calm(self) -> None:
        """From now on it hands out what it receives, and no more; what it still keeps falls due by itself."""
        with self._lock:
            self._luck = 0.0
            self._kept.clear()

    def receive(self, limit: int, wait: timedelta) -> list[Delivery]:
        with self._lock:
            kept = self._taken(limit)
        found = kept + self._queue.receive(limit - len(kept), NOW if kept else wait) if len(kept) < limit else kept
        with self._lock:
            return self._disordered(found) if self._luck else found

    def _taken(self, limit: int) -> list[Delivery]:
        taken = [one for one in self._kept if self._random.random() < AGAIN][:limit]
        for one in taken:
            self._kept.remove(one)
        return taken

    def _disordered(self, found: Sequence[Delivery]) -> list[Delivery]:
        handed_out: list[Delivery] = []
        for one in found:
            if self._random.random() < self._luck:
                self._kept.append(one)
                self.held_back += 1
                continue
            handed_out.append(one)
            if self._random.random() < self._luck:
                self._kept.append(one)
                self.repeated += 1
        self._random.shuffle(handed_out)
        return handed_out
