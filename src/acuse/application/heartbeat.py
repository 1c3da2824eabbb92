"""Keeps leases alive while their runs last."""

from __future__ import annotations

import logging
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from acuse.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from acuse.domain.delivery import Delivery
    from acuse.domain.record import Key
    from acuse.ports import Queue

log = logging.getLogger(__name__)


class Heartbeat:
    """Renews every lease that is held, once an interval, in a thread of its own."""

    def __init__(self, queue: Queue, interval: timedelta) -> None:
        """Nothing beats before `start`."""
        self._queue = queue
        self._interval = interval
        self._held: dict[tuple[Key, bytes], Delivery] = {}
        self._lock = Lock()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="acuse-heartbeat", daemon=True)

    def start(self) -> None:
        """What is held is renewed from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Nothing is renewed any more."""
        self._stopped.set()
        self._thread.join()

    def hold(self, deliveries: Sequence[Delivery]) -> None:
        """They are renewed until dropped."""
        with self._lock:
            self._held.update({(one.key, one.token): one for one in deliveries})

    def drop(self, deliveries: Sequence[Delivery]) -> None:
        """They are no longer renewed."""
        with self._lock:
            for one in deliveries:
                self._held.pop((one.key, one.token), None)

    def beat(self) -> None:
        """What is held now is leased for the whole time from now."""
        with self._lock:
            held = list(self._held.values())
        if held:
            self._queue.extend(held)

    def _run(self) -> None:
        while not self._stopped.wait(self._interval.total_seconds()):
            try:
                self.beat()
            except Unavailable as error:
                log.warning("leases not renewed", extra={"error": str(error)})
