"""When to try again, and when to give up."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from acuse.client.errors import Busy, Unreachable
from acuse.domain.backoff import Backoff

BACKOFF = Backoff(first=timedelta(seconds=0.1), most=timedelta(seconds=5))


def pause(attempt: int, asked: timedelta | None, left: timedelta, jitter: float) -> timedelta | None:
    """How long to wait after this attempt, never less than was asked for; None: patience does not last that long."""
    wait = BACKOFF.delay(attempt, jitter) + max(asked or timedelta(0), timedelta(0))
    return wait if wait <= left else None


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What the field Retry-After asks for, in seconds or as a date (RFC 9110 section 10.2.3); None: nothing."""
    if value is None:
        return None
    try:
        if value.strip().isdecimal():
            return timedelta(seconds=int(value))
        return max(parsedate_to_datetime(value).replace(tzinfo=UTC) - now, timedelta(0))
    except (ValueError, OverflowError):
        return None


class Patience:
    """Says for stamina how long to wait after each failure that passes, until its time is over."""

    def __init__(self, limit: timedelta) -> None:
        """It begins now."""
        self._limit = limit
        self.renew()

    def renew(self) -> None:
        """It begins anew, since there was progress."""
        self._attempt = 0
        self._deadline = time.monotonic() + self._limit.total_seconds()

    def __call__(self, error: Exception) -> float | bool:
        """The seconds to wait after that error; False: it is final, or time is over."""
        if not isinstance(error, Busy | Unreachable):
            return False
        self._attempt += 1
        asked = error.retry_after if isinstance(error, Busy) else None
        left = timedelta(seconds=self._deadline - time.monotonic())
        wait = pause(self._attempt, asked, left, random.random())  # noqa: S311  (no secret)
        return False if wait is None else wait.total_seconds()
