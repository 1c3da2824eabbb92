"""What a caller gives → one line of JSON that has an id."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from acuse.application.actions import Action

Request = Action | Mapping[str, Any] | bytes
"""An action, the members of a request, or its JSON as it is to be sent."""

_encoder = msgspec.json.Encoder(decimal_format="number")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class _WithId(msgspec.Struct, frozen=True):
    id: str


class Line(NamedTuple):
    """A request as it is sent, however often it is sent."""

    text: bytes
    has_new_id: bool


def line_of(request: Request, new_id: Callable[[], str]) -> Line:
    """The request in one line, as it was written; without an id it gets a new one.

    Raises ValueError if it is not a JSON object.
    """
    text = request if isinstance(request, bytes) else _encoded(request)
    try:
        members = _members.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"not a JSON object: {error}") from error
    text = text.strip().translate(_ONE_LINE)
    if "id" in members:
        return Line(text, has_new_id=False)
    comma = b"," if members else b""
    return Line(b'{"id":%b%b%b' % (_encoder.encode(new_id()), comma, text[1:]), has_new_id=True)


def id_in(line: bytes) -> str | None:
    """The id that stands in a line; None if what stands there is no text."""
    try:
        return _with_id.decode(line).id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def uuid7(milliseconds: int, random: bytes) -> uuid.UUID:
    """The UUID of version 7 (RFC 9562 section 5.7) for that Unix time and ten random bytes."""
    value = milliseconds << 80 | int.from_bytes(random, "big")
    version, variant = 7 << 76, 0b10 << 62
    return uuid.UUID(int=value & ~(0xF << 76) & ~(0b11 << 62) | version | variant)


def _encoded(request: Action | Mapping[str, Any]) -> bytes:
    return _encoder.encode(request if isinstance(request, Action) else dict(request))


_with_id = msgspec.json.Decoder(_WithId)
