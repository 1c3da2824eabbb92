"""An observer that counts: every event becomes numbers in the cells of its process."""

from __future__ import annotations

from bisect import bisect_left
from threading import Lock
from typing import TYPE_CHECKING, assert_never

import msgspec

from acuse.adapters.metrics.metric import (
    ACCEPTED,
    ATTEMPTS,
    COMMIT_DURATION,
    COMMIT_REQUESTS,
    ENDED,
    LEASES_LOST,
    REFUSED,
    REPLAYED,
    REQUEST_DURATION,
    RUN_DURATION,
)
from acuse.domain.event import Committed, Ended, LeaseLost, Ran, Refused, Replayed, Started

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from acuse.adapters.metrics.cells import Cells
    from acuse.adapters.metrics.metric import Metric
    from acuse.domain.event import Event


class Counting:
    """Told of an event, it has counted it. May be told by several threads."""

    def __init__(self, cells: Cells) -> None:
        """It counts on from what the cells hold."""
        self._cells = cells
        self._places: dict[tuple[str, ...], int] = {}
        self._lock = Lock()

    def expect(self, metric: Metric, labels: Iterable[Sequence[str]]) -> None:
        """Those series are there, if only as zero: of one that begins at 1, nobody sees that it has risen."""
        with self._lock:
            for values in labels:
                self._place(metric, *values)

    def __call__(self, event: Event) -> None:
        """The event was counted."""
        with self._lock:
            match event:
                case Committed():
                    self._sample(COMMIT_REQUESTS, event.requests)
                    self._sample(COMMIT_DURATION, event.seconds)
                    self._count_all(ACCEPTED, event.accepted.items())
                    self._count_all(REPLAYED, event.replayed.items())
                case Started():
                    self._count(ATTEMPTS, event.action, event.step)
                case Ran():
                    self._sample(RUN_DURATION, event.seconds, event.action, event.step, event.outcome)
                case Ended():
                    self._count(ENDED, event.action, event.outcome)
                    self._sample(REQUEST_DURATION, event.seconds, event.action)
                case Refused():
                    self._count(REFUSED, event.problem, by=event.count)
                case Replayed():
                    self._count_all(REPLAYED, event.actions.items())
                case LeaseLost():
                    self._count(LEASES_LOST)
                case _:
                    assert_never(event)

    def _count_all(self, metric: Metric, counts: Iterable[tuple[str, int]]) -> None:
        for label, count in counts:
            self._count(metric, label, by=count)

    def _count(self, metric: Metric, *labels: str, by: int = 1) -> None:
        place = self._place(metric, *labels)
        self._cells.numbers[place] += by

    def _sample(self, metric: Metric, value: float, *labels: str) -> None:
        place = self._place(metric, *labels)
        numbers = self._cells.numbers
        numbers[place + bisect_left(metric.bounds, value)] += 1
        numbers[place + len(metric.bounds) + 1] += value

    def _place(self, metric: Metric, *labels: str) -> int:
        found = self._places.get((metric.name, *labels))
        if found is None:
            name = msgspec.json.encode((metric.name, *labels))
            found = self._places[metric.name, *labels] = self._cells.place(name, cells_of(metric))
        return found


def cells_of(metric: Metric) -> int:
    """How many numbers a series of it takes: of a histogram one for each bucket, then the sum."""
    return len(metric.bounds) + 2 if metric.bounds else 1
