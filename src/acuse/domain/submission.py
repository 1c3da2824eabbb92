"""Bytes → Submission: strict JSON, limits, the id, and the canonical fingerprint."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from urllib.parse import quote

import msgspec

from acuse.domain.errors import FieldError, Invalid, Malformed
from acuse.domain.record import STAMPS, Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAX_DEPTH = 30
MAX_ERRORS = 20
"""Complaints about names in one answer; one answer must not be much larger than its request."""
MAX_DIGITS = 38
SHORT = 20
"""Characters of a number that keeps within these bounds if it has no exponent."""
MAX_EXPONENT = 125
MIN_EXPONENT = -130

UUID = re.compile(
    r"(?!0{8}(-0{4}){3}-0{12}|[fF]{8}(-[fF]{4}){3}-[fF]{12})"
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
"""The text form (RFC 9562) of any but the nil and the max."""


class Submission(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
    members, compact = _quickly_decoded(body) or _decoded(body)
    if not isinstance(members, dict):
        raise Invalid([FieldError("#", "expected an object")])
    errors = _complaints(members)
    if errors:
        raise Invalid(errors)
    received_id = members["id"]
    lower_id = received_id.lower()
    if received_id != lower_id:
        members["id"] = lower_id
        compact = _with_id(compact, lower_id)
    return Submission(
        id=lower_id,
        action=members["action"],
        body=compact,
        fingerprint=hashlib.sha256(_canonical.encode(members)).digest(),
        traceparent=traceparent,
    )


def _with_id(compact: bytes, id_: str) -> bytes:
    """The same text, but for the id."""
    texts = msgspec.json.decode(compact, type=dict[str, msgspec.Raw])
    return msgspec.json.encode(texts | {"id": msgspec.Raw(b'"%b"' % id_.encode())})


def pointer(*names: str | int) -> str:
    """A JSON Pointer to that member, as a URI fragment (RFC 6901 section 6)."""
    return "#" + "".join("/" + quote(str(name).replace("~", "~0").replace("/", "~1"), safe="~") for name in names)


def _complaints(members: Mapping[str, object]) -> list[FieldError]:
    errors: list[FieldError] = []
    received_id, action = members.get("id"), members.get("action")
    if not isinstance(received_id, str):
        errors.append(FieldError("#/id", "expected a string" if "id" in members else "required"))
    elif not UUID.fullmatch(received_id):
        errors.append(
            FieldError("#/id", "expected a UUID as 8-4-4-4-12 hexadecimal digits, neither the nil nor the max")
        )
    if not isinstance(action, str):
        errors.append(FieldError("#/action", "expected a string" if "action" in members else "required"))
    for name in members:
        if (name[:1] == "_" or name in STAMPS) and len(errors) < MAX_ERRORS:
            errors.append(FieldError(pointer(name), "this name belongs to the service"))
    return errors


def _quickly_decoded(body: bytes) -> tuple[dict[str, Any], bytes] | None:
    """The members and the compact text, of a flat object without floats or escapes; None: use the strict decoder.

    The decoder of msgspec is several times faster, but keeps the last of two equal names. Where the members written out
    are the very text that was read, nothing was lost.
    """
    try:
        members = _flat.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    compact = _plain.encode(members)
    if b"\\" in compact or (compact != body and compact != msgspec.json.format(body, indent=-1)):
        return None
    return members, compact


def _decoded(body: bytes) -> tuple[Any, bytes]:
    """The value and the compact text; raises Malformed for what is not strict JSON."""
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
    return value, msgspec.json.format(body, indent=-1)


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
    if len(text) <= SHORT and "e" not in text and "E" not in text:
        number = Decimal(text)  # It cannot be out of bounds.
        integer = int(number)
        return integer if integer == number else number.normalize(_EXACT)
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


_flat = msgspec.json.Decoder(dict[str, str | Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)] | bool | None])
_EXACT = Context(prec=MAX_DIGITS)
_strict = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_not_a_number
)
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="number")
_plain = msgspec.json.Encoder()
