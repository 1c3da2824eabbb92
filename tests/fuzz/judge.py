"""A second opinion on what a request is, from the grammar of RFC 8259 and the limits in the design; slow and plain.

It shares no code with the parser; of a JSON decoder it uses no more than to resolve the escapes of one string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import NamedTuple

Value = Hashable
"""Equal if and only if the content is: members have no order, numbers are exact, and true is not 1."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_STRING = re.compile(r'"([^"\\\x00-\x1f]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_WORD = re.compile(r"true|false|null")
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_STAMPS = {"status", "created_at", "finished_at", "attempts", "result", "error"}


class Verdict(Enum):
    """What must come of a text."""

    TAKEN = "taken"
    INVALID = "invalid"
    MALFORMED = "malformed"


class _NotJson(Exception):
    pass


class Object(NamedTuple):
    """The members, in no order."""

    members: frozenset[tuple[str, Value]]


class Array(NamedTuple):
    """The elements, in their order."""

    elements: tuple[Value, ...]


class Word(NamedTuple):
    """A literal: true, false or null."""

    text: str


def judged(body: bytes) -> tuple[Verdict, Value]:
    """The verdict, and the content unless it is malformed."""
    try:
        value = content(body)
    except _NotJson:
        return Verdict.MALFORMED, None
    if not isinstance(value, Object):
        return Verdict.INVALID, value
    members = dict(value.members)
    reserved = any(name in _STAMPS or name.startswith("_") for name in members)
    if reserved or not _is_id(members.get("id")) or not isinstance(members.get("action"), str):
        return Verdict.INVALID, value
    return Verdict.TAKEN, value


def content(body: bytes) -> Value:
    """The content of a text that is JSON."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _NotJson from error
    value, end = _value(text, _past_space(text, 0), 0)
    if end != len(text):
        raise _NotJson
    return value


def _is_id(value: object) -> bool:
    if not isinstance(value, str) or [len(group) for group in value.split("-")] != [8, 4, 4, 4, 12]:
        return False
    digits = value.replace("-", "").lower()
    return _HEXADECIMAL.issuperset(digits) and digits not in {"0" * 32, "f" * 32}


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found
    return found.end()


def _value(text: str, at: int, depth: int) -> tuple[Value, int]:
    """The value that begins there, and where the next token begins."""
    match text[at : at + 1]:
        case "{":
            return _object(text, at, depth + 1)
        case "[":
            return _array(text, at, depth + 1)
        case '"':
            return _string(text, at)
    if found := _WORD.match(text, at):
        return Word(found[0]), _past_space(text, found.end())
    if found := _NUMBER.match(text, at):
        return _number(found), _past_space(text, found.end())
    raise _NotJson


def _object(text: str, at: int, depth: int) -> tuple[Value, int]:
    if depth > 30:
        raise _NotJson
    members: dict[str, Value] = {}
    at = _past_space(text, at + 1)
    if text[at : at + 1] == "}":
        return Object(frozenset()), _past_space(text, at + 1)
    while True:
        name, at = _string(text, at)
        if text[at : at + 1] != ":" or name in members or "\0" in name:
            raise _NotJson
        members[name], at = _value(text, _past_space(text, at + 1), depth)
        if text[at : at + 1] == "}":
            return Object(frozenset(members.items())), _past_space(text, at + 1)
        if text[at : at + 1] != ",":
            raise _NotJson
        at = _past_space(text, at + 1)


def _array(text: str, at: int, depth: int) -> tuple[Value, int]:
    if depth > 30:
        raise _NotJson
    elements: list[Value] = []
    at = _past_space(text, at + 1)
    if text[at : at + 1] == "]":
        return Array(()), _past_space(text, at + 1)
    while True:
        element, at = _value(text, at, depth)
        elements.append(element)
        if text[at : at + 1] == "]":
            return Array(tuple(elements)), _past_space(text, at + 1)
        if text[at : at + 1] != ",":
            raise _NotJson
        at = _past_space(text, at + 1)


def _string(text: str, at: int) -> tuple[str, int]:
    found = _STRING.match(text, at)
    if not found:
        raise _NotJson
    string: str = json.loads(found[0])
    try:
        string.encode()
    except UnicodeEncodeError as error:  # a lone surrogate
        raise _NotJson from error
    return string, _past_space(text, found.end())


def _number(found: re.Match[str]) -> Decimal:
    try:
        number = Decimal(found[0])
    except InvalidOperation as error:
        raise _NotJson from error
    if not number:
        return Decimal(0)
    significant = (found[1] + (found[2] or "")[1:]).strip("0")
    if len(significant) > 38 or not Decimal("1e-130") <= number.copy_abs() < Decimal("1e126"):
        raise _NotJson
    return number
