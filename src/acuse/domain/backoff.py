"""Attempt → delay."""

from __future__ import annotations

from datetime import timedelta

import msgspec


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Exponential: `first`, then `factor` times as long each time, never more than `most`."""

    first: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    most: timedelta = timedelta(minutes=5)

    def delay(self, attempt: int, jitter: float) -> timedelta:
        """The wait after this attempt (1 is the first): between half and all of the step, by `jitter` in [0, 1)."""
        seconds = self.first.total_seconds()
        most = self.most.total_seconds()
        for _ in range(attempt - 1):
            if seconds >= most:
                break
            seconds *= self.factor
        return timedelta(seconds=min(seconds, most) * (0.5 + jitter / 2))
