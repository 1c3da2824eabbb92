"""A request, changed: what JSON is made of is put in, taken out, moved and repeated."""

from __future__ import annotations

import re
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

from tests.fuzz.seeds import ID, REQUESTS, request

if TYPE_CHECKING:
    from collections.abc import Callable

TOKENS = (
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b" ", b"\n", b"\t", b"\r", b"\0", b"\x0b", b"\x7f"),
    *(b"true", b"false", b"null", b"NaN", b"Infinity", b"-", b"+", b".", b"e", b"E", b"0", b"-0", b"1", b"9"),
    *(b"1.0", b"1e2", b"100", b"1e125", b"1e126", b"1e-130", b"1e-131", b"0e999", b"9007199254740992", b"0" * 19),
    *(b"9" * 37, b"18446744073709551616", b"1e99999999999999999999", b"0." + b"0" * 90),
    *(rb"\u0000", rb"\u0061", rb"\ud83d", rb"\ude00", rb"\u005f", rb"\u0022", rb"\n", rb"\/", rb"\\"),
    *(b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xff", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\xe2\x80\xa8"),
    *(b'"id"', b'"action"', b'"delay"', b'"status"', b'"_x"', b'"a"', b'""', b'"a":1,', b',"a":1', b"[]", b"{}"),
    *(b'{"a":', b"[[", b"]]", b'{"a":1,"a":2}', ID.encode(), ID.upper().encode(), b'"id":"%b",' % ID.encode()),
)

_NAMES = (
    b'"a"',
    b'"b"',
    b'"A"',
    b'""',
    rb'"\u0061"',
    b'"\xc3\xa9"',
    b'"id"',
    b'"action"',
    b'"_a"',
    b'"error"',
    b'"x_"',
)
_VALUES = (
    *(
        b"0",
        b"-0",
        b"1",
        b"1.0",
        b"10e-1",
        b"-1",
        b"1.5",
        b"0.10",
        b"100",
        b"1E2",
        b"9007199254740993",
        b"1" + b"0" * 40,
    ),
    *(b"9" * 38, b"9" * 39, b"1e125", b"9.99e125", b"1e126", b"1e-130", b"0e-200", b"0." + b"1" * 38, b"-" + b"9" * 19),
    *(b"true", b"false", b"null", b"[]", b"{}", b"[1,[2]]", b'{"a":1,"b":[]}', b'{"":{}}', b"[" * 28 + b"]" * 28),
    *(
        b'""',
        b'"a"',
        b'"1"',
        b'"true"',
        rb'"\u0000"',
        rb'"\ud83d\ude00"',
        b'"\xf0\x9f\x98\x80"',
        rb'"\/\\\""',
        b'"\x7f"',
    ),
    *(b'"%b"' % ID.encode(), b'"%b"' % ID.upper().encode(), b'"delay"'),
)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|\[\]|\{\}')


def mutated(data: bytes, most: int, seed: int, otherwise: Callable[[bytes, int], bytes]) -> bytes:
    """Changed once or a few times, at most that long; now and then `otherwise` does it, which knows no JSON.

    Most of what coverage picks is not JSON, so it often begins anew with a request that is.
    """
    random = Random(seed)
    chance = random.random()
    if chance < 0.3:
        return otherwise(data, most)
    if chance < 0.6:
        data = (random.choice(REQUESTS) % ID).encode()
    for _ in range(random.choice((1, 1, 2, 4))):
        data = random.choice(_CHANGES)(data, random)
    return data[:most]


def _put(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    return data[:at] + random.choice(TOKENS) + data[at:]


def _replace(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + random.choice(TOKENS) + data[end:]


def _take(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[end:]


def _copy(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    at = _place(data, random)
    return data[:at] + data[start:end] + data[at:]


def _repeat(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[start:end] * random.choice((2, 3, 31, 40)) + data[end:]


def _grow(data: bytes, random: Random) -> bytes:
    """Rarely as large as a body may be."""
    piece = random.choice((b"[", b"1,", b'{"a":', b"0", b" ", b'"', rb"\u0061", b"[],", b'"a":1,'))
    at = _place(data, random)
    return (
        data[:at] + piece * (random.randrange(1, 262_144 // len(piece)) if random.random() < 0.01 else 30) + data[at:]
    )


def _frame(data: bytes, random: Random) -> bytes:
    """As the member of a request, so that what is odd reaches beyond the decoder."""
    start, end = _span(data, random)
    return request(data[start:end])


def _member(data: bytes, random: Random) -> bytes:
    """One more member after the first brace."""
    at = data.find(b"{") + 1
    return data[:at] + b"%b:%b," % (random.choice(_NAMES), random.choice(_VALUES)) + data[at:]


def _swap(data: bytes, random: Random) -> bytes:
    """A name for a name, or a value for a value: most often it stays JSON."""
    found = [*islice(_TOKEN.finditer(data), 200)]
    if not found:
        return random.choice(_VALUES)
    old = random.choice(found)
    is_name = data[old.end() : old.end() + 1] == b":"
    return data[: old.start()] + random.choice(_NAMES if is_name else _VALUES) + data[old.end() :]


def _span(data: bytes, random: Random) -> tuple[int, int]:
    start = _place(data, random)
    return start, min(len(data), start + random.choice((1, 2, 4, 8, 40)))


def _place(data: bytes, random: Random) -> int:
    """Mostly where a token ends."""
    at = random.randint(0, len(data))
    if random.random() < 0.6:
        while 0 < at < len(data) and data[at : at + 1] not in b'{}[]:,"':
            at += 1
    return at


_CHANGES = (_put, _put, _replace, _replace, _take, _copy, _repeat, _grow, _frame, _member, _member, *(_swap,) * 8)
