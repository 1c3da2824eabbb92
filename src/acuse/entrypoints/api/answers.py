"""Answers as ASGI messages: records, and refusals as problem documents."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from acuse.domain.errors import AcuseError, Invalid, StoreUnavailable
from acuse.domain.record import rfc3339
from acuse.entrypoints.api import problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acuse.domain.errors import FieldError
    from acuse.domain.outcome import Conflict

JSON = b"application/json"
NDJSON = b"application/x-ndjson"
TAKEN = b"application/json, application/x-ndjson"
CODINGS = b"gzip, identity"
CLOSE = (b"connection", b"close")

Header = tuple[bytes, bytes]
Headers = list[Header]


class Answer(NamedTuple):
    """A status, the fields of its head, and the body."""

    status: int
    headers: Headers
    body: bytes

    def messages(self, more: Sequence[Header] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ASGI wants it."""
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body)), *more]
        return {"type": "http.response.start", "status": self.status, "headers": headers}, {
            "type": "http.response.body",
            "body": self.body,
        }


class Refused(Exception):
    """The request, or one item of it, is answered with a problem."""

    def __init__(
        self,
        problem: problems.Problem,
        detail: str,
        *,
        headers: Sequence[Header] = (),
        errors: Sequence[FieldError] = (),
        instance: str | None = None,
    ) -> None:
        """`headers` are those that this problem asks for."""
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.headers = headers
        self.errors = errors
        self.instance = instance

    def document(self) -> bytes:
        """The problem as JSON."""
        return problems.document(self.problem, self.detail, instance=self.instance, errors=self.errors)

    def answer(self) -> Answer:
        """To the whole request."""
        headers = [(b"content-type", problems.MEDIA_TYPE), *self.headers]
        return Answer(self.problem.status, headers, self.document())


class Gone(Exception):
    """The client has left: nobody is there to be answered."""


def refused_for(error: AcuseError, retry_after: bytes) -> Refused:
    """What the client hears of an error."""
    problem = problems.problem_of(error)
    headers = [(b"retry-after", retry_after)] if problem.status == 503 else []  # noqa: PLR2004
    # What the store says of itself is for the log, not for the client.
    detail = "try again later" if isinstance(error, StoreUnavailable) else str(error)
    return Refused(problem, detail, headers=headers, errors=error.errors if isinstance(error, Invalid) else ())


def refused_as_conflict(conflict: Conflict) -> Refused:
    """The client hears when the other request was created, and nothing of what is in it."""
    record = conflict.record
    detail = f"the request {record.id} was created at {rfc3339(record.created_at)} with other content"
    return Refused(problems.CONFLICT, detail, instance=f"urn:uuid:{record.id}")


def too_large(detail: str, *, closing: bool) -> Refused:
    """Of more bytes or items than are taken."""
    return Refused(problems.TOO_LARGE, detail, headers=[CLOSE] if closing else [])


def whole_seconds(seconds: float) -> bytes:
    """As Retry-After wants them: never too few."""
    return b"%d" % math.ceil(seconds)
