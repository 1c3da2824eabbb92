"""Traces: what the core asks of whoever keeps them, and what it has where nobody does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from acuse.domain.outcome import Again, Failed
from acuse.domain.record import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acuse.domain.outcome import Outcome
    from acuse.domain.task import Task


class Span(Protocol):
    """One attempt in its trace, under way until it is ended."""

    def inside(self, task: Task, /) -> Task:
        """The task as its runner gets it: what the run causes is below this span."""

    def end(self, outcome: str, failure: Failure | None, /) -> None:
        """The span is over, with what came of the attempt in a word; and if that is a failure, with which."""


class Tracer(Protocol):
    """Keeps spans, or does not; never raises, never waits."""

    def attempt(self, task: Task, /) -> Span:
        """The span of this attempt has begun, below the one that the task's traceparent names."""


class Untraced:
    """The tracer that keeps nothing, and its only span: every traceparent is handed on as it came."""

    def attempt(self, _: Task, /) -> Span:
        """See Tracer."""
        return self

    def inside(self, task: Task, /) -> Task:
        """See Span."""
        return task

    def end(self, _: str, __: Failure | None, /) -> None:
        """See Span."""


UNTRACED = Untraced()


def failure_of(outcome: Outcome | None) -> Failure | None:
    """Why the attempt did not succeed; None where it did, or was stopped."""
    return outcome.failure if isinstance(outcome, Again | Failed) else None


@contextmanager
def ended_if_cut_off(span: Span) -> Iterator[None]:
    """An attempt that an error cuts off in this block has its end, too."""
    try:
        yield
    except BaseException as error:
        span.end(Reason.ABANDONED, Failure(Reason.ABANDONED, f"cut off: {error}"))
        raise
