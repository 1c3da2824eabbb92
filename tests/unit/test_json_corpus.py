"""Odd JSON through parse(): what RFC 8259 takes, what it refuses, and what acuse decided."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from acuse.domain.errors import Invalid, Malformed
from acuse.domain.submission import parse
from tests.json_corpus.decided import DECIDED
from tests.json_corpus.refused import REFUSED
from tests.json_corpus.taken import TAKEN

ID = "0192f0c1-0000-7000-8000-00000000000a"
TAKEN_AT_LAST = TAKEN | {name: one.text for name, one in DECIDED.items() if one.taken}
REFUSED_AT_LAST = REFUSED | {name: one.text for name, one in DECIDED.items() if not one.taken}


def requests(text: bytes) -> list[bytes]:
    """Requests with that text as a member's value: last, first, and among white space."""
    id_ = ID.encode()
    return [
        b'{"id":"%b","action":"delay","x":%b}' % (id_, text),
        b'{"x":%b,"id":"%b","action":"delay"}' % (text, id_),
        b' \t\n\r{ "id":"%b","action":"delay","x":\t\n\r %b \t\n\r}\r\n' % (id_, text),
    ]


def taken_as(body: bytes) -> object:
    return json.loads(parse(body).body, parse_float=Decimal)


@pytest.mark.parametrize("name", TAKEN_AT_LAST)
def test_what_is_json_is_taken_as_a_member_and_kept_exactly(name: str) -> None:
    for body in requests(TAKEN_AT_LAST[name]):
        assert taken_as(body) == json.loads(body, parse_float=Decimal)

    assert len({parse(body).fingerprint for body in requests(TAKEN_AT_LAST[name])}) == 1


@pytest.mark.parametrize("name", REFUSED_AT_LAST)
def test_what_is_not_strict_json_is_malformed_as_a_member(name: str) -> None:
    for body in requests(REFUSED_AT_LAST[name]):
        with pytest.raises(Malformed):
            parse(body)


@pytest.mark.parametrize("name", TAKEN)
def test_json_that_is_no_request_is_invalid(name: str) -> None:
    for body in (TAKEN[name], b" \t\n\r" + TAKEN[name] + b" \t\n\r"):
        with pytest.raises(Invalid):
            parse(body)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_json_is_malformed(name: str) -> None:
    for body in (REFUSED[name], b" \t\n\r" + REFUSED[name] + b" \t\n\r"):
        with pytest.raises(Malformed):
            parse(body)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"])
def test_a_request_in_another_encoding_is_malformed(encoding: str) -> None:
    with pytest.raises(Malformed):
        parse(requests(b"1")[0].decode().encode(encoding))


def test_every_cut_of_a_request_is_malformed() -> None:
    body = requests(rb'[1.50e1,{"a":"\u00e9"},true]')[0]

    for length in range(len(body)):
        with pytest.raises(Malformed):
            parse(body[:length])
