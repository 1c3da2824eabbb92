"""The head of a request: what is served, and how its body is to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from acuse.domain.traceparent import valid_traceparent
from acuse.entrypoints.api import problems
from acuse.entrypoints.api.answers import CODINGS, JSON, NDJSON, TAKEN, Refused
from acuse.entrypoints.api.preferences import NONE, Preferences, parse_prefer
from acuse.entrypoints.api.target import PATH, is_served
from acuse.entrypoints.api.traced import NOBODY, SPAN, Told

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class Head(NamedTuple):
    """What matters of the fields."""

    is_lines: bool
    is_gzip: bool
    length: int | None
    trace: str | None
    prefer: Preferences
    span: Told


def read_head(scope: MutableMapping[str, Any]) -> tuple[Head | Refused, str | None]:
    """How the body is to be read, or why it cannot be; and what the client says of who it is.

    Raises Refused for what is not served, whoever asks.
    """
    if not is_served(scope.get("raw_path") or scope["path"].encode()):
        raise Refused(problems.NOT_FOUND, f"POST to {PATH}")
    if scope["method"] != "POST":
        headers = [(b"allow", b"POST"), (b"cache-control", b"no-store")]
        raise Refused(problems.METHOD_NOT_ALLOWED, "use POST", headers=headers)
    media_type = coding = trace = prefer = authorization = length = None
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = _joined(media_type, value)
        elif name == b"content-length":
            length = int(value)
        elif name == b"content-encoding":
            coding = _joined(coding, value)
        elif name == b"traceparent":
            trace = _joined(trace, value)
        elif name == b"prefer":
            prefer = _joined(prefer, value)
        elif name == b"authorization":
            authorization = _joined(authorization, value)
    return (
        _head(media_type, coding, length, trace, prefer, scope.get(SPAN, NOBODY)),
        None if authorization is None else authorization.decode("latin-1"),
    )


def _head(
    media_type: bytes | None,
    coding: bytes | None,
    length: int | None,
    trace: bytes | None,
    prefer: bytes | None,
    span: Told,
) -> Head | Refused:
    essence = JSON if media_type == JSON else _essence(media_type or b"")
    if essence not in (JSON, NDJSON):
        return Refused(problems.UNSUPPORTED, f"send {TAKEN.decode()}", headers=[(b"accept", TAKEN)])
    codings = [] if coding is None else [one.strip() for one in coding.lower().split(b",")]
    codings = [one for one in codings if one not in (b"", b"identity")]
    if codings not in ([], [b"gzip"], [b"x-gzip"]):
        detail = "send the body in gzip, or without a content coding"
        return Refused(problems.UNSUPPORTED, detail, headers=[(b"accept-encoding", CODINGS)])
    return Head(
        is_lines=essence == NDJSON,
        is_gzip=bool(codings),
        length=length,
        trace=None if trace is None else valid_traceparent(trace.decode("latin-1")),
        prefer=NONE if prefer is None else parse_prefer(prefer.decode("latin-1")),
        span=span,
    )


def _joined(before: bytes | None, value: bytes) -> bytes:
    """Of a field that is repeated every value counts (RFC 9110 section 5.3)."""
    return value if before is None else before + b", " + value


def _essence(media_type: bytes) -> bytes | None:
    """The media type without its parameters; None if they say that it is not UTF-8."""
    essence, *parameters = media_type.lower().split(b";")
    charsets = [
        value.strip(b' "')
        for name, _, value in (one.partition(b"=") for one in parameters)
        if name.strip() == b"charset"
    ]
    return essence.strip() if all(charset == b"utf-8" for charset in charsets) else None
