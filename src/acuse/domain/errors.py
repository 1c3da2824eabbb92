"""Every error acuse raises on purpose.

AcuseError
├── SubmissionError         the client sent something that cannot be taken
│   ├── Malformed           not strict JSON
│   └── Invalid             JSON, but not a request this service knows
├── Unavailable             nothing is wrong with the request; try again later
│   ├── Overloaded          too much is waiting to be stored
│   ├── StoreUnavailable    the store did not take or give the data
│   └── RunnerUnavailable   no process could be had to run actions in
├── Misconfigured           settings, actions or data that the service cannot start with
└── RunError                raised by an action to say how its run ended
    ├── Retry               run it again, later
    └── Fail                it cannot succeed
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_DELAY = timedelta(days=366)


class AcuseError(Exception):
    """Root of the errors that acuse raises on purpose."""


class SubmissionError(AcuseError):
    """The client sent something that cannot be taken."""


class Malformed(SubmissionError):
    """The body is not strict JSON (RFC 8259, I-JSON)."""


class FieldError(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request, and where: a JSON Pointer (RFC 6901) as a URI fragment."""

    pointer: str
    detail: str


class Invalid(SubmissionError):
    """The body is JSON, but not a request that this service knows."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        """Keep every complaint, so that the client can mend them all at once."""
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0].pointer}: {errors[0].detail}{more}")
        self.errors = tuple(errors)


class Unavailable(AcuseError):
    """Nothing is wrong with the request; the service cannot take it now."""


class Overloaded(Unavailable):
    """More is waiting to be stored than the service may hold."""


class StoreUnavailable(Unavailable):
    """The store did not take or give the data; whether a write landed is not known."""


class RunnerUnavailable(Unavailable):
    """No process could be had to run actions in; nothing was started."""


class Misconfigured(AcuseError):
    """The service cannot start with these settings, actions or data."""


class RunError(AcuseError):
    """Raised by an action to say how its run ended, other than by returning."""


class Retry(RunError):
    """Run it again: after the given time, or after the action's back-off. It counts as an attempt."""

    def __init__(self, reason: str = "the action asked to be run again", *, after: timedelta | None = None) -> None:
        """`after` is the delay before the next attempt, at most a year; without it the back-off decides."""
        super().__init__(reason)
        if after is not None and not isinstance(after, timedelta):
            raise TypeError(f"after must be a timedelta, not {type(after).__name__}")
        self.after = None if after is None else min(max(after, timedelta(0)), LONGEST_DELAY)


class Fail(RunError):
    """It cannot succeed: the request ends as failed now, with this reason."""
