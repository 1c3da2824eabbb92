"""Bytes → Submission: strict JSON, limits, the id, and the canonical fingerprint."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, NoReturn, cast
from urllib.parse import quote

import msgspec

from acuse.domain.errors import FieldError, Invalid, Malformed
from acuse.domain.record import Record, is_reserved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

MAX_DEPTH = 30
MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_NIL = "00000000-0000-0000-0000-000000000000"
_MAX = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is well formed and not yet stored: `body` is the received object as compact JSON."""

    id: str
    action: str
    body: bytes
    fingerprint: bytes
    traceparent: str | None = None

    def accepted(self, at: datetime) -> Record:
        """The record it becomes when it is stored at that time."""
        return Record(
            id=self.id,
            action=self.action,
            body=self.body,
            fingerprint=self.fingerprint,
            traceparent=self.traceparent,
            created_at=at,
        )


def parse(body: bytes, *, traceparent: str | None = None) -> Submission:
    """A submission, well formed in itself; whether its action exists and its fields fit is not looked at.

    Raises Malformed if the body is not strict JSON, and Invalid with every complaint about id, action and names.
    """
    members = _decode(body)
    if not isinstance(members, dict):
        raise Invalid([FieldError("#", "expected an object")])
    errors = list(_complaints(members))
    if errors:
        raise Invalid(errors)
    received_id, action = cast("str", members["id"]), cast("str", members["action"])
    members["id"] = received_id.lower()
    return Submission(
        id=members["id"],
        action=action,
        body=msgspec.json.format(body, indent=-1) if received_id == members["id"] else _plain.encode(members),
        fingerprint=hashlib.sha256(_canonical.encode(members)).digest(),
        traceparent=traceparent,
    )


def pointer(*names: str | int) -> str:
    """A JSON Pointer to that member, as a URI fragment (RFC 6901 section 6)."""
    return "#" + "".join("/" + quote(str(name).replace("~", "~0").replace("/", "~1"), safe="~") for name in names)


def _complaints(members: Mapping[str, object]) -> Iterator[FieldError]:
    for name in ("id", "action"):
        if name not in members:
            yield FieldError(pointer(name), "required")
        elif not isinstance(members[name], str):
            yield FieldError(pointer(name), "expected a string")
    received_id = members.get("id")
    if isinstance(received_id, str):
        if not _UUID.fullmatch(received_id):
            yield FieldError(
                pointer("id"), "expected a UUID in its text form (RFC 9562): 8-4-4-4-12 hexadecimal digits"
            )
        elif received_id.lower() in (_NIL, _MAX):
            yield FieldError(pointer("id"), "the nil and the max UUID name no request")
    for name in members:
        if is_reserved(name):
            yield FieldError(pointer(name), "this name belongs to the service")


def _decode(body: bytes) -> object:
    try:
        value = _strict.decode(body.decode("utf-8"))
        if b"\\u" in body:
            _plain.encode(value)
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from error
    except UnicodeEncodeError as error:
        raise Malformed("a string holds a lone surrogate") from error
    except json.JSONDecodeError as error:
        raise Malformed(f"{error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels") from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
    return value


def _is_deeper(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(inner, dict | list) for inner in level)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise Malformed(f"the name {json.dumps(twice)} occurs twice in one object")
    for name in members:
        if "\0" in name:
            raise Malformed("a name holds the character NUL")
    return members


def _integer(text: str) -> int:
    return int(text) if len(text) <= MAX_DIGITS else int(_number(text))


def _number(text: str) -> int | Decimal:
    """The exact value, in one form for equal numbers: 1.0 and 1 are the same content."""
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise Malformed("a number has an exponent beyond any use") from error
    if not number:
        return 0
    if not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise Malformed(f"a number is outside the magnitudes 1e{MIN_EXPONENT} to 1e{MAX_EXPONENT + 1}")
    digits = len("".join(map(str, number.as_tuple().digits)).strip("0"))
    if digits > MAX_DIGITS:
        raise Malformed(f"a number has more than {MAX_DIGITS} significant digits")
    number = number.normalize(_EXACT)
    return int(number) if number == number.to_integral_value() else number


def _not_a_number(text: str) -> NoReturn:
    raise Malformed(f"{text} is not JSON")


_EXACT = Context(prec=MAX_DIGITS)
_strict = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_not_a_number
)
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="number")
_plain = msgspec.json.Encoder(decimal_format="number")
