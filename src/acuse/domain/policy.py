"""How long, how often and how many at once an action may run."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from acuse.domain.backoff import Backoff
from acuse.domain.errors import LONGEST_DELAY, Misconfigured


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What one action may take. Each bound is for one run: of the request, of its split, of a part or of the merge.

    `concurrency`: how many runs of the action are under way at once, over every worker of the store; None: no bound.
    """

    time_limit: timedelta = timedelta(minutes=5)
    attempts: int = 5
    backoff: Backoff = Backoff()
    concurrency: int | None = None

    def __post_init__(self) -> None:
        """Refuse bounds under which nothing could ever run."""
        if self.time_limit <= timedelta(0):
            raise Misconfigured("time_limit must be more than zero")
        if self.attempts < 1:
            raise Misconfigured("attempts must be at least 1")
        if self.concurrency is not None and self.concurrency < 1:
            raise Misconfigured("concurrency must be at least 1, or None for no bound")
        backoff = self.backoff
        if not (timedelta(0) <= backoff.first <= backoff.most <= LONGEST_DELAY and backoff.factor >= 1):
            raise Misconfigured("a back-off grows: 0 <= first <= most <= 366 days and factor >= 1")
