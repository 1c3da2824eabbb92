"""The closed set of problem types (RFC 9457), and which error is which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from acuse.domain.errors import AcuseError, FieldError, Invalid, Malformed, Overloaded, Unavailable

MEDIA_TYPE = b"application/problem+json"


class Problem(NamedTuple):
    """One type of problem. The docs have a section for each `slug`."""

    slug: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The URI that names the type for programs."""
        return f"urn:acuse:problem:{self.slug}"


MALFORMED = Problem("malformed", 400, "The body is not strict JSON")
UNAUTHORIZED = Problem("unauthorized", 401, "A key is asked for")
NOT_FOUND = Problem("not-found", 404, "Nothing is served at this path")
METHOD_NOT_ALLOWED = Problem("method-not-allowed", 405, "Only POST is served")
BODY_TIMEOUT = Problem("body-timeout", 408, "The body took too long to arrive")
CONFLICT = Problem("conflict", 409, "The id belongs to a request with other content")
TOO_LARGE = Problem("too-large", 413, "The body is too large")
UNSUPPORTED = Problem("unsupported-media-type", 415, "The body is of a type or coding that is not taken")
INVALID = Problem("invalid", 422, "The request does not fit")
TOO_MANY = Problem("too-many-requests", 429, "The rate of the key is used up")
OVERLOADED = Problem("overloaded", 503, "The service has more to do than it may take on")
UNAVAILABLE = Problem("store-unavailable", 503, "The store cannot be reached")

PROBLEMS = (
    MALFORMED, UNAUTHORIZED, NOT_FOUND, METHOD_NOT_ALLOWED, BODY_TIMEOUT, CONFLICT, TOO_LARGE, UNSUPPORTED, INVALID,
    TOO_MANY, OVERLOADED, UNAVAILABLE,
)  # fmt: skip


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of an answer that reports a problem."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: Sequence[FieldError] = ()


def document(problem: Problem, detail: str, *, instance: str | None = None, errors: Sequence[FieldError] = ()) -> bytes:
    """The JSON of it."""
    return msgspec.json.encode(
        Document(
            type=problem.type,
            title=problem.title,
            status=problem.status,
            detail=detail,
            instance=instance,
            errors=errors,
        )
    )


def problem_of(error: AcuseError) -> Problem:
    """Which problem an error is to the client."""
    match error:
        case Malformed():
            return MALFORMED
        case Invalid():
            return INVALID
        case Overloaded():
            return OVERLOADED
        case Unavailable():
            return UNAVAILABLE
        case _:
            raise TypeError(f"no client should see {type(error).__name__}") from error
