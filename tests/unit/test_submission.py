from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from acuse.domain import submission as module
from acuse.domain.errors import FieldError, Invalid, Malformed
from acuse.domain.record import STAMPS
from acuse.domain.submission import parse, pointer

ID = "0192f0c1-0000-7000-8000-00000000000a"


def body(members: str = "", id_: str = ID) -> bytes:
    return f'{{"id":"{id_}","action":"delay"{"," + members if members else ""}}}'.encode()


def errors(text: bytes | str) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        parse(text if isinstance(text, bytes) else text.encode())
    return [(error.pointer, error.detail) for error in caught.value.errors]


def test_a_request_is_its_id_its_action_and_what_was_sent() -> None:
    submission = parse(b' {"id" : "%b", "action":"delay",\n "seconds": 2.50, "note": "a\\u00e9"} ' % ID.encode())

    assert (submission.id, submission.action) == (ID, "delay")
    assert submission.body == b'{"id":"%b","action":"delay","seconds":2.50,"note":"a\\u00e9"}' % ID.encode()


@pytest.mark.parametrize(
    "member", ['"seconds":1.50', '"a":[1e125,0.1234567890123456789012]', '"a":{"id":"ABC"}', '"a":"\\u00e9"']
)
def test_the_id_is_kept_in_lower_case_and_the_rest_as_it_was_written(member: str) -> None:
    submission = parse(body(member, ID.upper()))

    assert submission == parse(body(member))
    assert submission.id == ID


@pytest.mark.parametrize(
    "text",
    [
        '{"action":"delay","id":"ID","a":1,"b":[1,2.0]}',
        '{ "id": "ID",\n\t"b": [1.0, 2], "a": 1e0, "action": "\\u0064elay" }',
        '{"id":"ID","action":"delay","a":10e-1,"b":[1,20E-1]}',
        '{"id":"ID","action":"delay","a":1.0000000000000000000000,"b":[1.000000000000000000,0.2E1]}',
    ],
)
def test_spacing_order_and_notation_do_not_change_the_content(text: str) -> None:
    same = parse(body('"a":1,"b":[1,2]'))

    assert parse(text.replace("ID", ID).encode()).fingerprint == same.fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"a":1', '"a":2'),
        ('"a":1', '"a":"1"'),
        ('"a":1', '"a":1.5'),
        ('"a":1', '"a":0e9'),
        ('"a":1.25', '"a":1.5'),
        ('"a":1.0E+1', '"a":1.0E-1'),
        ('"a":null', ""),
        ('"a":[1,2]', '"a":[2,1]'),
        ('"a":0.1234567890123456789012345678901234567', '"a":0.1234567890123456789012345678901234568'),
        ('"a":true', '"a":1'),
        ('"a":"é"', '"a":"e\u0301"'),
    ],
)
def test_other_content_has_another_fingerprint(one: str, other: str) -> None:
    assert parse(body(one)).fingerprint != parse(body(other)).fingerprint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"{}x", "Extra data"),
        (b"\xef\xbb\xbf{}", "Expecting value at line 1 column 1"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"a":1,"b":2,"a":1}', 'the name "a" occurs twice'),
        (b'{"x":[{"b":1,"\\u0062":2}]}', 'the name "b" occurs twice'),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":"\\ud800"}', "lone surrogate"),
        (b'{"\\udfff":1}', "lone surrogate"),
        (b'{"_\\ud800":1}', "lone surrogate"),
        (b'{"a\\u0000":1}', "NUL"),
        (b'{"a":"\x01"}', "Invalid control character"),
        (b"{'a':1}", "Expecting property name"),
        (b'{"a":01}', "delimiter"),
        (b'{"a":1.}', "delimiter"),
        (b'{"a":+1}', "Expecting value"),
        (b'{"a":[1,]}', "at line 1 column"),
        (b'{"a":1e126}', "outside the magnitudes"),
        (b'{"a":-1e126}', "outside the magnitudes"),
        (b'{"a":1e-131}', "outside the magnitudes"),
        (b'{"a":1E126}', "outside the magnitudes"),
        (b'{"a":1.5E-131}', "outside the magnitudes"),
        (b'{"a":1%b}' % (b"0" * 126), "outside the magnitudes"),
        (b'{"a":1e99999999999999999999999}', "exponent beyond any use"),
        (b'{"a":%b}' % (b"1" * 39), "more than 38 significant digits"),
        (b'{"a":0.%b}' % (b"1" * 39), "more than 38 significant digits"),
        (b'{"a":%b}' % (b"1" * 5000), "outside the magnitudes"),
        (b'{"a":%b%b}' % (b"[" * 30, b"]" * 30), "deeper than 30"),
        (b'{"a":%b1%b}' % (b'{"b":' * 30, b"}" * 30), "deeper than 30"),
        (b"[" * 200_000, "deeper than 30"),
        (b"[" * 31 + b"]" * 31, "deeper than 30"),
    ],
)
def test_what_is_not_strict_json_is_malformed(text: bytes, says: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(text)

    assert says in str(caught.value)


@pytest.mark.parametrize(
    "member",
    [
        '"a":' + "[" * 29 + "]" * 29,
        '"a":[' + ",".join(["[]"] * 40) + "]",
        '"a":' + "9" * 38,
        '"a":1' + "0" * 125,
        '"a":9.9e125',
        '"a":1e-130',
        '"a":0e999',
        '"a":-0.0',
        '"a":0.' + "0" * 100 + "1" * 30,
        '"a":"\\ud83d\\ude00"',
        '"a":"\\u0000"',
        '"":1',
        '"a":"\u2028\uffff"',
        '"Status":1,"parts":2,"created":3,"a_b":4',
    ],
)
def test_what_is_strict_json_is_taken(member: str) -> None:
    assert json.loads(parse(body(member)).body) == json.loads(body(member))


@pytest.mark.parametrize("text", ["[]", "1", "null", '"x"', "true"])
def test_only_an_object_is_a_request(text: str) -> None:
    assert errors(text) == [("#", "expected an object")]


@pytest.mark.parametrize(
    "id_",
    [
        "",
        "x",
        "0192f0c100007000800000000000000a",
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID + "0",
        ID[:-1] + "g",
        " " + ID,
        ID + "\\n",
        ID[:-1] + "\u0661",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
    ],
)
def test_the_id_must_be_a_uuid_in_its_text_form(id_: str) -> None:
    [(where, detail)] = errors(body(id_=id_))

    assert where == "#/id"
    assert "UUID" in detail


@pytest.mark.parametrize("version", "0123456789abcdef")
def test_a_uuid_of_any_version_is_taken(version: str) -> None:
    id_ = ID[:14] + version + ID[15:]

    assert parse(body(id_=id_)).id == id_


def test_every_complaint_is_made_at_once() -> None:
    assert errors('{"id":7,"status":"finished","_x":1,"created_at":null}') == [
        ("#/id", "expected a string"),
        ("#/action", "required"),
        ("#/status", "this name belongs to the service"),
        ("#/_x", "this name belongs to the service"),
        ("#/created_at", "this name belongs to the service"),
    ]


def test_nothing_is_complained_of_as_required_twice() -> None:
    assert errors('{"action":[]}') == [("#/id", "required"), ("#/action", "expected a string")]


def test_a_pointer_is_escaped_as_a_uri_fragment() -> None:
    assert pointer("a/b~c", 0, "é \n%") == "#/a~1b~0c/0/%C3%A9%20%0A%25"


def test_an_invalid_request_says_the_first_complaint_in_its_message() -> None:
    assert str(Invalid([FieldError("#/a", "one")])) == "#/a: one"
    assert str(Invalid([FieldError("#/a", "one"), FieldError("#/b", "two")])) == "#/a: one (and 1 more)"


def test_complaints_do_not_grow_with_the_body() -> None:
    names = ",".join(f'"_{number}":1' for number in range(10_000))

    assert len(errors(body(names))) == module.MAX_ERRORS


def test_it_becomes_an_accepted_record() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    submission = parse(body(), traceparent="t")

    record = submission.accepted(at)

    assert (record.id, record.action, record.body, record.fingerprint, record.created_at, record.traceparent) == (
        ID, "delay", submission.body, submission.fingerprint, at, "t",
    )  # fmt: skip


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_numbers = st.integers(-(10**38) + 1, 10**38 - 1) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal("-1e30"), max_value=Decimal("1e30"), places=7
)
_values = st.recursive(
    st.none() | st.booleans() | _texts | _numbers,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_texts.filter(lambda name: "\0" not in name), inner, max_size=3)
    ),
    max_leaves=8,
)
_names: st.SearchStrategy[str] = _texts.filter(
    lambda name: not name.startswith("_") and "\0" not in name and name not in STAMPS
)


def _text(value: Any, indent: str) -> str:
    """JSON with exact numbers and the given white space."""
    match value:
        case dict():
            inner = f",{indent}".join(f"{json.dumps(name)}{indent}:{_text(one, indent)}" for name, one in value.items())
            return f"{{{indent}{inner}}}"
        case list():
            return "[" + f",{indent}".join(_text(one, indent) for one in value) + "]"
        case Decimal() | bool() | None | str() | int():
            return str(value) if isinstance(value, Decimal) else json.dumps(value)
    raise AssertionError(value)


def _loads(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


@given(st.dictionaries(_names, _values, max_size=4), st.sampled_from(["", " ", "\n\t"]))
@example({"a": Decimal("1E+20")}, "")
def test_whatever_is_accepted_is_kept_member_for_member(members: dict[str, Any], indent: str) -> None:
    sent = {**members, "id": ID, "action": "delay"}

    assert _loads(parse(_text(sent, indent).encode()).body) == _loads(_text(sent, ""))


@given(st.binary(max_size=12) | _texts.map(str.encode), st.integers(0, 70), st.integers(0, 10))
def test_any_bytes_are_taken_or_refused_and_nothing_else(noise: bytes, at: int, instead_of: int) -> None:
    sent = body('"a":[1.5,{"b":"\\u00e9"}]')

    with suppress(Malformed, Invalid):
        parse(sent[:at] + noise + sent[at + instead_of :])


_flat = st.dictionaries(_names, _texts | st.integers(-(2**60), 2**60) | st.none() | st.booleans(), max_size=3)


@given(_flat, st.sampled_from(["", " "]), st.lists(st.sampled_from(['"a":1', '"a":"\\u0061"', '"b":1.0'])))
def test_the_quick_decoder_agrees_with_the_strict_one(members: dict[str, Any], indent: str, more: list[str]) -> None:
    text = _text({**members, "id": ID}, indent)[:-1] + "".join("," + one for one in more) + "}"

    quick = module._quickly_decoded(text.encode())

    if quick is not None:
        assert quick == module._decoded(text.encode())
