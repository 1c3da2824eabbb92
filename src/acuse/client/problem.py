"""What the service says of a request that it did not take (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from acuse.domain.errors import FieldError

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""With these the same request may be taken later; as its id is the key, sending it again is safe."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why it was not taken. Programs look at `type` and `status`; members that are not known here are ignored."""

    status: int = 0
    type: str = "about:blank"
    title: str = ""
    detail: str = ""
    instance: str | None = None
    errors: tuple[FieldError, ...] = ()

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be taken later."""
        return self.status in PASSING

    def __str__(self) -> str:
        complaints = "; ".join(f"{one.pointer}: {one.detail}" for one in self.errors)
        told = ": ".join(filter(None, (self.title, self.detail, complaints)))
        return f"{self.status} {told}"


def problem_of(document: bytes, status: int | None = None) -> Problem:
    """The problem that a document tells, with the given status; the status alone if the document tells none."""
    try:
        told = msgspec.json.decode(document, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = Problem()
    actual = told.status if status is None else status
    return msgspec.structs.replace(told, status=actual, title=told.title or _PHRASES.get(actual, "not understood"))


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
