"""Work handed to a worker for a while, and how that worker says it ended."""

from __future__ import annotations

from datetime import datetime

import msgspec

from acuse.domain.record import Failure, Key, Status

LEASES = 2
"""A lease that ends after more than so many of its kind is none of ours: the clock has gone back since it was given."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A request or part leased to one worker. `attempt` counts this start; `token` names this lease alone.

    `was_cut_off`: the one that held it before fell silent, perhaps because of it.
    """

    key: Key
    attempt: int
    token: bytes
    was_cut_off: bool = False


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How what was delivered ended: finished with a result, or failed with an error."""

    delivery: Delivery
    at: datetime
    result: bytes | None = None
    error: Failure | None = None

    @property
    def status(self) -> Status:
        """Finished, unless there is an error."""
        return Status.FINISHED if self.error is None else Status.FAILED
