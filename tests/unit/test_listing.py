from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from acuse.domain.listing import Filter, size_of
from acuse.domain.record import Status
from tests.requests import CREATED, record

TICK = timedelta(microseconds=1)
FAILED = msgspec.structs.replace(record(action="a"), status=Status.FAILED, finished_at=CREATED)


def test_whatever_it_is_is_taken_where_nothing_is_said() -> None:
    assert Filter().takes(record())
    assert Filter().takes(FAILED)


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Filter(status=Status.FAILED), True),
        (Filter(status=Status.ACCEPTED), False),
        (Filter(action="a"), True),
        (Filter(action="A"), False),
        (Filter(since=CREATED), True),
        (Filter(since=CREATED + TICK), False),
        (Filter(until=CREATED), False),
        (Filter(until=CREATED + TICK), True),
        (Filter(status=Status.FAILED, action="a", since=CREATED, until=CREATED + TICK), True),
        (Filter(status=Status.FAILED, action="b", since=CREATED, until=CREATED + TICK), False),
    ],
    ids=str,
)
def test_all_that_is_said_must_hold(wanted: Filter, takes: bool) -> None:  # noqa: FBT001
    assert wanted.takes(FAILED) is takes


def test_a_page_is_as_large_as_what_was_received_and_what_came_of_it() -> None:
    plain = record()

    assert size_of(plain) == len(plain.body)
    assert size_of(msgspec.structs.replace(plain, result=b"1234")) == len(plain.body) + 4
