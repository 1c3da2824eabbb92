"""A worker: several slots over one queue, one heartbeat, and an orderly end."""

from __future__ import annotations

import logging
from random import Random
from threading import Event, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

from acuse.application.heartbeat import Heartbeat
from acuse.application.observing import guarded, ignore
from acuse.application.slot import Slot
from acuse.application.tracing import UNTRACED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from acuse.application.actions import Catalogue
    from acuse.application.tracing import Tracer
    from acuse.domain.event import Observe
    from acuse.ports import Clock, Queue, Runner, Store

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.05


class Worker:
    """Runs what is due, in as many runners as it is given, until stopped. Runs no action in its own process."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        catalogue: Catalogue,
        runners: Sequence[Runner],
        *,
        beat: timedelta,
        drain: timedelta,
        random: Random,
        polled: Callable[[], None],
        observe: Observe = ignore,
        tracer: Tracer = UNTRACED,
    ) -> None:
        """`beat`: between renewals of leases; `drain`: how long runs under way may go on after `stop`."""
        self._drain = drain
        self._stopped = False
        self._draining = Event()
        self._killing = Event()
        self._heartbeat = Heartbeat(queue, beat, polled)
        observe = guarded(observe)
        self._threads = [
            Thread(
                name=f"acuse-slot-{number}",
                target=Slot(
                    store,
                    queue,
                    clock,
                    runner,
                    catalogue,
                    self._heartbeat,
                    random=Random(random.random()),  # noqa: S311  (spreads retries; no secret)
                    draining=self._draining,
                    killing=self._killing,
                    polled=polled,
                    observe=observe,
                    tracer=tracer,
                ).run,
            )
            for number, runner in enumerate(runners, 1)
        ]

    def stop(self) -> None:
        """`run` takes nothing new and returns soon. Safe in a signal handler, and to repeat."""
        # A plain flag: a handler that runs inside Event.wait could not take the event's lock.
        self._stopped = True

    def run(self) -> None:
        """Stopped: every run under way has ended and is settled, or was cut off after `drain` and given back."""
        self._heartbeat.start()
        for thread in self._threads:
            thread.start()
        while not self._stopped:
            sleep(LOOK_SECONDS)
        log.info("draining")
        self._draining.set()
        deadline = monotonic() + self._drain.total_seconds()
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        self._killing.set()
        for thread in self._threads:
            thread.join()
        self._heartbeat.stop()
        log.info("drained")
