from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.aws.items import item_of, record_from
from acuse.domain.submission import parse
from tests.requests import CREATED, new_id

if TYPE_CHECKING:
    from acuse.domain.record import Record

DEEP = "[" * 28 + "]" * 28


def sent(members: str) -> Record:
    return parse(f'{{"id":"{new_id()}","action":"delay",{members}}}'.encode()).accepted(CREATED)


@pytest.mark.parametrize(
    "members",
    [
        '"seconds":2',
        '"a":{"b":[1,-1,0,true,false,null,"",{},[]]}',
        '"n":[0.1,1e-130,9.9e125,-1E+5,123456789012345678901234567890123456.78]',
        '"whole":[1e38,1.0,10000000000000000000000000000000000000000000000,1e125]',
        f'"deep":{DEEP}',
        '"text":"\\u0000\\u2028\\"\\\\é😀"',
        '"with-dash":1,"with_underscore":2',
    ],
)
def test_members_are_attributes_and_come_back_equal(members: str) -> None:
    record = sent(members)

    item = item_of(record, b"write")

    assert "_body" not in item
    assert parse(record_from(item).body).fingerprint == record.fingerprint


@pytest.mark.parametrize(
    "members",
    [
        '"":1',
        '"inner":{"":1}',
        '"it\'s":1',
        '"a b":1',
        '"ñ":1',
        '"a.b":1',
        "\"'} {'x\":1",
        f'"{"n" * 65}":1',
        ",".join(f'"n{number}":1' for number in range(49)),
        f'"large":"{"x" * 65_536}"',
    ],
)
def test_what_does_not_make_plain_attributes_is_kept_as_text(members: str) -> None:
    record = sent(members)

    item = item_of(record, b"write")

    assert item["_body"] == {"S": record.body.decode()}
    assert {"id", "action"} < set(item)
    assert all(name.replace("_", "").isalnum() for name in item)
    assert record_from(item) == record


def test_numbers_are_sent_with_no_more_digits_than_they_need() -> None:
    record = sent('"n":[1.000000000000000000000000000000000000000000000,0.0,-0.0,1e100,12e-1]')

    numbers = [one["N"] for one in item_of(record, b"write")["n"]["L"]]

    assert numbers == ["1", "0", "0", "1E+100", "1.2"]


def test_id_and_action_come_first_and_the_others_by_name() -> None:
    record = parse(f'{{"z":1,"action":"delay","b":2,"id":"{new_id()}"}}'.encode()).accepted(CREATED)

    assert list(json.loads(record_from(item_of(record, b"write")).body)) == ["id", "action", "b", "z"]
