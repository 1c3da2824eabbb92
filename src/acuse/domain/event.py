"""What came to pass, for those who count it: a closed union of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

import msgspec

from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Reason, Status
from acuse.domain.task import Step

RETRY = "retry"
"""Of a run: it asked for another attempt."""
GIVEN_BACK = "given-back"
"""Of a run: its worker was to end, and stopped it."""


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The store took so many requests in one write, in so many seconds; how many of each action were new, or known."""

    requests: int
    seconds: float
    accepted: Mapping[str, int]
    replayed: Mapping[str, int]


class Replayed(msgspec.Struct, frozen=True, gc=False):
    """So many requests of each action were known before, and found without a write."""

    actions: Mapping[str, int]


class Refused(msgspec.Struct, frozen=True, gc=False):
    """So many requests, or items of a body with many, were answered with that problem."""

    problem: str
    count: int


class Started(msgspec.Struct, frozen=True, gc=False):
    """An attempt at a step of a request has begun."""

    action: str
    step: Step


class Ran(msgspec.Struct, frozen=True, gc=False):
    """That attempt is over, after so many seconds; see `outcome_of`."""

    action: str
    step: Step
    outcome: str
    seconds: float


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A request, not a part, has ended, so many seconds after its creation: finished, or the reason of its failure."""

    action: str
    outcome: str
    seconds: float


class LeaseLost(msgspec.Struct, frozen=True, gc=False):
    """What came of a run was not recorded: it had ended elsewhere, or was another worker's by then."""


Event = Committed | Replayed | Refused | Started | Ran | Ended | LeaseLost

Observe = Callable[[Event], None]
"""Called in the thread in which it came to pass, which waits for it; by several threads at once."""


def outcome_of(outcome: Outcome | None) -> str:
    """What came of a run, in a word: `finished`, `retry`, `given-back`, or the reason of its failure."""
    match outcome:
        case Done() | Planned():
            return Status.FINISHED.value
        case Again(failure=failure) if failure.reason is Reason.RETRIES_EXHAUSTED:
            return RETRY
        case Again(failure=failure) | Failed(failure=failure):
            return failure.reason.value
        case None:
            return GIVEN_BACK
        case _:
            assert_never(outcome)
