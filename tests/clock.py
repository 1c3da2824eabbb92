"""Clocks that go as they are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from acuse.adapters.clock import SystemClock


class StillClock:
    """It stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        """By less than zero: it was set back."""
        self.time += by


class SetClock(SystemClock):
    """The machine's own clock, which may be set."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead
