"""What is taken comes back equal from every store. Equal content has one fingerprint, and other content another."""

from __future__ import annotations

import json
import re
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

from acuse.domain.outcome import Added, Existing
from acuse.domain.record import STAMPS, Record
from acuse.domain.submission import parse
from tests.fuzz.judge import Object, Value, content
from tests.fuzz.oracle import respelt
from tests.requests import CREATED, new_id

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from tests.contract.backend import Backend

NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""It would take minutes over AWS."""
ODD_NAMES = [
    "", " ", "a.b", "a b", "#a", ":a", "a_", "-", "1", "ID", "Action", "Status", "S", "N", "M", "_PART", "\u2028",
    "é", "e\u0301", "😀", "\U0010ffff", "\uffff", '"', "\\", "/", "~0", "a\nb", "size", "null", "x" * 300,
]  # fmt: skip
ODD_STRINGS = ["", "\0", "\x7f", '"\\/', "\u2028\u2029", "😀", "\uffff\ufdd0", "1", "true"]
BOUNDS = [
    "0", "-0", "0.0", "-0.0e5", "0e999", "1.0", "1.50", "10e-1", "1E+2", "1e125", "-1e125", "9." + "9" * 37 + "e125",
    "1e-130", "-1e-130", "9." + "9" * 37 + "e-130", "9" * 38, "-" + "9" * 38, "9" * 38 + "0" * 88, "0." + "1" * 38,
    "9007199254740993", "18446744073709551616", "-9223372036854775809", "1" + "0" * 125, "0." + "0" * 129 + "1",
]  # fmt: skip


@st.composite
def numbers(draw: DrawFn) -> str:
    """Of any digits and magnitude that are allowed, in any notation."""
    digits = draw(st.from_regex(re.compile("[1-9][0-9]{0,37}"), fullmatch=True))
    magnitude = draw(st.integers(-130, 125))
    point = draw(st.integers(0, len(digits) - 1)) if len(digits) > 1 else 0
    fraction = digits[point + 1 :] + "0" * draw(st.integers(0, 3))
    exponent = f"{draw(st.sampled_from('eE'))}{magnitude - point:{draw(st.sampled_from(['', '+', '04']))}}"
    return draw(st.sampled_from(["", "-"])) + digits[: point + 1] + ("." + fraction if fraction else "") + exponent


def text_of(string: str, *, escaped: bool) -> str:
    return json.dumps(string, ensure_ascii=escaped)


def object_of(members: dict[str, str], space: str, *, escaped: bool = False) -> str:
    inner = (f"{space}{text_of(name, escaped=escaped)}{space}:{space}{value}" for name, value in members.items())
    return "{" + ",".join(inner) + space + "}"


def array_of(elements: list[str], space: str) -> str:
    return "[" + f"{space},".join(space + element for element in elements) + space + "]"


spaces = st.sampled_from(["", " ", "\r\n\t"])
characters = st.characters(exclude_categories=["Cs"])
plain_names = st.from_regex(re.compile("[a-z][A-Za-z0-9_-]{0,9}"), fullmatch=True)
odd_names = st.sampled_from(ODD_NAMES) | st.text(characters, max_size=8).filter(lambda name: "\0" not in name)
strings = st.builds(text_of, st.sampled_from(ODD_STRINGS) | st.text(characters, max_size=20), escaped=st.booleans())
leaves = (
    st.sampled_from(["null", "true", "false", *BOUNDS])
    | strings
    | numbers()
    | st.integers(-(10**38) + 1, 10**38 - 1).map(str)
)
values: SearchStrategy[str] = st.recursive(
    leaves,
    lambda inner: (
        st.builds(array_of, st.lists(inner, max_size=5), spaces)
        | st.builds(
            object_of, st.dictionaries(plain_names | odd_names, inner, max_size=5), spaces, escaped=st.booleans()
        )
    ),
    max_leaves=12,
)
many = st.integers(45, 60).map(lambda count: {f"n{number}": str(number) for number in range(count)})
large = st.integers(32_000, 40_000).map(lambda length: {"a": text_of("é" * length, escaped=False)})
members = (
    st.dictionaries(plain_names, values, max_size=6) | st.dictionaries(odd_names, values, max_size=6) | many | large
)


@st.composite
def requests(draw: DrawFn) -> bytes:
    """The text of a request that is taken; its id is new."""
    own = draw(members)
    assume(not any(name in STAMPS or name[:1] == "_" for name in own))
    sent = {**own, "id": f'"{new_id()}"', "action": '"delay"'}
    order = draw(st.permutations(list(sent))) if len(sent) < 10 else list(sent)
    return object_of({name: sent[name] for name in order}, draw(spaces), escaped=draw(st.booleans())).encode()


def accepted(body: bytes) -> Record:
    return parse(body).accepted(CREATED)


def sent_in(record: Record) -> Value:
    """What the client is shown, without the stamps."""
    shown = content(record.to_json())
    assert isinstance(shown, Object)
    assert dict(shown.members).keys() >= STAMPS
    return Object(frozenset(member for member in shown.members if member[0] not in STAMPS))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=NO_SHRINKING)
@given(st.lists(requests(), min_size=1, max_size=8))
def test_what_is_taken_comes_back_equal(backend: Backend, bodies: list[bytes]) -> None:
    records = [accepted(body) for body in bodies]

    added = backend.store.add(records)
    kept = backend.store.get([record.id for record in records])
    again = backend.store.add([accepted(respelt(content(body))) for body in bodies])

    assert added == [Added(record) for record in records]
    for body, record, existing in zip(bodies, records, again, strict=True):
        assert isinstance(existing, Existing)
        for found in (record, kept[record.id], existing.record):
            assert sent_in(found) == content(body)
            assert (found.fingerprint, found.action) == (record.fingerprint, record.action)
            assert parse(found.body).fingerprint == record.fingerprint


@given(requests())
@example(b'{"id":"0192f0c1-0000-7000-8000-00000000000A","action":"delay","a":[-0,1e2,{"b":"\\u00e9"}]}')
def test_equal_content_has_the_same_fingerprint_however_it_is_spelt(body: bytes) -> None:
    again = respelt(content(body))

    assert again != body
    assert parse(again).fingerprint == parse(body).fingerprint


@given(requests(), st.data())
def test_other_content_has_another_fingerprint(body: bytes, data: st.DataObject) -> None:
    value = content(body)
    assert isinstance(value, Object)
    own = dict(value.members)
    name = data.draw(st.sampled_from(sorted(own)) if len(own) > 2 else plain_names)
    assume(name not in {"id", "action"})
    other = Object(frozenset((own | {name: content(data.draw(values).encode())}).items()))
    assume(other != value)

    assert parse(respelt(other)).fingerprint != parse(body).fingerprint


ALIKE = [
    "0", "-0", "0.0", "0e5", "1", "1.0", "10e-1", "-1", "1.5", "15e-1", '"1"', '"1.5"', "true", '"true"', "false",
    "null", '"null"', '""', "[]", "{}", "[[]]", "[{}]", "[1]", "[1,1]", "[1.0]", '[""]', "[null]", '{"":1}',
    '{"a":1}', '{"a":1.0}', '{"a":"1"}', '{"A":1}', '{"a":[1]}', '{"a":{"b":1}}', '{"a":1,"b":2}', '{"b":2,"a":1}',
    '{"a":2,"b":1}', '"é"', '"e\u0301"', '"\\u00e9"', '"\\\\u00e9"', "100", "1e2", "1E+2", "1" + "0" * 22, "1e22",
    "9007199254740992", "9007199254740993", "9007199254740993.0", "0.1", "0.10", "0.1000000000000000000000001",
]  # fmt: skip


def test_what_looks_alike_has_the_same_fingerprint_only_if_it_is_the_same() -> None:
    id_ = new_id()
    found = []
    for text in ALIKE:
        body = f'{{"id":"{id_}","action":"delay","x":{text}}}'.encode()
        found.append((content(body), parse(body).fingerprint, text))

    for (value, fingerprint, text), (other, its, its_text) in combinations_with_replacement(found, 2):
        assert (fingerprint == its) == (value == other), (text, its_text)
