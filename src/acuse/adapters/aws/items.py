"""Items ↔ records. What the client sent are attributes of their own; what the service adds stands beside them.

No name can be both: the client may not use those of the stamps, nor any that begins with an underscore.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from acuse.domain.record import STAMPS, Failure, Key, Part, Progress, Reason, Record, Status, rfc3339
from acuse.domain.submission import MAX_DIGITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    Attribute = dict[str, Any]
    Item = Mapping[str, Attribute]

MAX_NATIVE = 65_536
MAX_MEMBERS = 50

# Only such names are written into a statement; 50 of them fit in its 8,192 characters.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_EXACT = Context(prec=MAX_DIGITS)
_encoder = msgspec.json.Encoder(decimal_format="number")


def item_of(record: Record, write: bytes) -> dict[str, Attribute]:
    """The item of a new request; `write` marks it as added by this call."""
    item = _members(record.body) or {
        "id": text(record.id),
        "action": text(record.action),
        "_body": text(record.body.decode()),
    }
    item |= {
        "_part": number(0),
        "status": text(record.status),
        "created_at": text(rfc3339(record.created_at)),
        "_fingerprint": {"B": record.fingerprint},
        "_plan": number(0),
        "_turn": number(0),
        "_write": {"B": write},
    }
    if record.traceparent is not None:
        item["_traceparent"] = text(record.traceparent)
    return item


def record_from(item: Item) -> Record:
    """The record that the item holds."""
    return Record(
        id=item["id"]["S"],
        action=item["action"]["S"],
        body=_body(item),
        fingerprint=bytes(item["_fingerprint"]["B"]),
        created_at=moment(item["created_at"]),
        traceparent=item["_traceparent"]["S"] if "_traceparent" in item else None,
        progress=_progress(item),
        **_ending(item),
    )


def part_from(item: Item) -> Part:
    """The part that the item holds."""
    return Part(
        key=key_of(item), value=item["_value"]["S"].encode(), created_at=moment(item["created_at"]), **_ending(item)
    )


def key_of(item: Item) -> Key:
    """What the item is of."""
    return Key(item["id"]["S"], integer(item, "_part"))


def native_key(key: Key) -> dict[str, Attribute]:
    """The primary key."""
    return {"id": text(key.id), "_part": number(key.part)}


def integer(item: Item, name: str) -> int:
    """The number that the attribute holds; 0 if it is not there."""
    return int(item[name]["N"]) if name in item else 0


def moment(attribute: Attribute) -> datetime:
    """The time that the attribute holds."""
    return datetime.fromisoformat(attribute["S"])


def text(value: str) -> Attribute:
    """A string as an attribute."""
    return {"S": value}


def number(value: int) -> Attribute:
    """An integer as an attribute."""
    return {"N": str(value)}


def error_of(failure: Failure) -> Attribute:
    """Why it failed, as an attribute."""
    return {"M": {"reason": text(failure.reason), "detail": text(failure.detail)}}


def _ending(item: Item) -> dict[str, Any]:
    error = item["error"]["M"] if "error" in item else None
    return {
        "status": Status(item["status"]["S"]),
        "finished_at": moment(item["finished_at"]) if "finished_at" in item else None,
        "attempts": integer(item, "attempts"),
        "result": item["result"]["S"].encode() if "result" in item else None,
        "error": error and Failure(Reason(error["reason"]["S"]), error["detail"]["S"]),
    }


def _progress(item: Item) -> Progress | None:
    if "_parts" not in item:
        return None
    parts = integer(item, "_parts")
    return Progress(parts=parts, left=parts - integer(item, "_parts_ended"), failed=integer(item, "_parts_failed"))


def _members(body: bytes) -> dict[str, Attribute] | None:
    """Each member as an attribute; None if it is to be kept as text: too large, or with names of another kind."""
    if len(body) > MAX_NATIVE or b'"":' in body:
        return None
    members = json.loads(body, parse_float=Decimal)
    if len(members) > MAX_MEMBERS or not all(map(_PLAIN.fullmatch, members)):
        return None
    return {name: _attribute(value) for name, value in members.items()}


def _body(item: Item) -> bytes:
    """The received object. Items keep no order of members: `id` and `action` come first, then the others by name."""
    if "_body" in item:
        kept: str = item["_body"]["S"]
        return kept.encode()
    others = sorted(name for name in item if name[0] != "_" and name not in STAMPS)
    members = {name: _value(item[name]) for name in ("id", "action", *others)}
    return _encoder.encode(members)


def _attribute(value: Any) -> Attribute:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": _number(value)}
        case None:
            return {"NULL": True}
        case dict():
            return {"M": {name: _attribute(inner) for name, inner in value.items()}}
        case _:
            return {"L": [_attribute(inner) for inner in value]}


def _number(value: int | Decimal) -> str:
    """DynamoDB's 38 digits are counted without zeros at either end, so none are sent."""
    if isinstance(value, int) and abs(value) < 10**MAX_DIGITS:
        return str(value)
    return str(Decimal(value).normalize(_EXACT)) if value else "0"


def _value(attribute: Attribute) -> Any:
    [(kind, value)] = attribute.items()
    match kind:
        case "N":
            return Decimal(value)
        case "NULL":
            return None
        case "M":
            return {name: _value(inner) for name, inner in value.items()}
        case "L":
            return [_value(inner) for inner in value]
        case _:
            return value
