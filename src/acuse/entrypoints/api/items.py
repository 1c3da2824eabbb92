"""A body that is here as a whole → its items."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.errors import Malformed
from acuse.entrypoints.api.answers import too_large
from acuse.entrypoints.api.lines import Lines, TooLong

if TYPE_CHECKING:
    from acuse.entrypoints.api.lines import Line

PIECE = 65_536

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[][{},]', re.DOTALL)
"""A string, to its end or that of the body; or what makes and parts arrays and objects."""


def items_of_array(body: bytes, *, longest: int, most: int) -> list[Line]:
    """The items of a JSON array. Raises Malformed if it is none as a whole, Refused if it has too many items."""
    if body.count(b",") >= most and _has_more(body, most):  # Nothing is made of them that could fill the memory.
        raise _too_many(most)
    try:
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not a JSON array: {error}") from error
    return [TooLong() if len(item) > longest else bytes(item) for item in items]


def items_of_lines(body: bytes, *, longest: int, most: int) -> list[Line]:
    """The lines. Raises Refused if there are too many."""
    lines = Lines(longest)
    items: list[Line] = []
    for start in range(0, len(body), PIECE):
        items += lines.feed(body[start : start + PIECE])
        if len(items) > most:
            break
    items += lines.end()
    if len(items) > most:
        raise _too_many(most)
    return items


def _has_more(body: bytes, most: int) -> bool:
    depth, items = 0, 1
    for token in _TOKEN.finditer(body):
        match token[0]:
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
            case b"," if depth == 1:
                items += 1
                if items > most:
                    return True
    return False


def _too_many(most: int) -> Exception:
    return too_large(f"at most {most} requests are taken in this way", closing=False)
