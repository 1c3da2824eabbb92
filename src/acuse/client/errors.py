"""What a client raises.

AcuseError
├── Refused             the service will not take it, however often it is sent
│   └── Conflict        the id belongs to a request with other content
└── Unavailable
    ├── Busy            until patience was over, the service said to try again later
    └── Unreachable     until patience was over, there was no answer, or none that can be understood
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from acuse.domain.errors import AcuseError, Unavailable

if TYPE_CHECKING:
    from datetime import timedelta

    from acuse.client.problem import Problem


class Refused(AcuseError):
    """The service will not take it, however often it is sent; `problem` says why."""

    unanswered: tuple[bytes, ...] = ()
    """The requests that have no answer of their own, each as it was sent, with its id."""

    def __init__(self, problem: Problem) -> None:
        """Keep what the service said."""
        super().__init__(problem)
        self.problem = problem


class Conflict(Refused):
    """The id belongs to a request with other content."""


class Busy(Unavailable):
    """Until patience was over, the service said to try again later; `problem` is what it said last."""

    unanswered: tuple[bytes, ...] = ()
    """The requests that are not known to be stored, each as it was sent: send these again, and none starts twice."""

    def __init__(self, problem: Problem, retry_after: timedelta | None = None) -> None:
        """Keep what the service said, and how long it asked to wait."""
        super().__init__(problem, retry_after)
        self.problem = problem
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.problem)


class Unreachable(Unavailable):
    """Until patience was over, there was no answer, or none that can be understood."""

    unanswered: tuple[bytes, ...] = ()
    """See Busy."""


def error_of(problem: Problem, retry_after: timedelta | None = None) -> Refused | Busy:
    """What is to be raised for it."""
    if problem.is_passing:
        return Busy(problem, retry_after)
    return Conflict(problem) if problem.status == HTTPStatus.CONFLICT else Refused(problem)
