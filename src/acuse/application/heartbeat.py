"""Keeps leases alive while their runs last."""

from __future__ import annotations

import logging
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from acuse.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from acuse.domain.delivery import Delivery
    from acuse.domain.record import Key
    from acuse.ports import Queue

log = logging.getLogger(__name__)

HASTE = 5
"""How many times sooner a beat is tried again after one that failed."""
SIGN_SECONDS = 1.0
"""How often it is shown that what is held is held, however seldom that has to be renewed."""


class Heartbeat:
    """Renews every lease that is held, once an interval, in a thread of its own."""

    def __init__(self, queue: Queue, interval: timedelta, beaten: Callable[[], None]) -> None:
        """Nothing beats before `start`. `beaten` is called again and again while something is held that was renewed."""
        self._queue = queue
        self._interval = interval
        self._beaten = beaten
        self.is_well = True
        """Whether the last beat renewed what is held. If not, nothing more should be received: it may be our own."""
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
            self._beaten()

    def _run(self) -> None:
        left = interval = self._interval.total_seconds()
        while not self._stopped.wait(step := min(left, SIGN_SECONDS)):
            left -= step
            if left > 0:
                self._show()
                continue
            try:
                self.beat()
            except Unavailable as error:
                self.is_well = False
                log.warning("leases not renewed", extra={"error": str(error)})
            except Exception:
                self.is_well = False
                log.exception("leases not renewed")
            else:
                self.is_well = True
            left = interval if self.is_well else interval / HASTE

    def _show(self) -> None:
        if self.is_well and self._held:
            self._beaten()
