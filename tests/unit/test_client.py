"""The decisions of the client: no socket, no clock."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acuse.client import Busy, Conflict, Item, Problem, Refused, Totals, Unreachable
from acuse.client.chunk import MAX_BYTES, MAX_LINES, Chunk, chunks, lines_of
from acuse.client.errors import error_of
from acuse.client.patience import Patience, pause, retry_after
from acuse.client.problem import problem_of
from acuse.client.request import line_of, uuid7
from acuse.delay import Delay

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BUSY = {"title": "Busy", "status": 503, "detail": "later"}


def answer(*lines: dict[str, Any]) -> list[bytes]:
    return [json.dumps(line).encode() for line in lines]


def stored(index: int, status: int = 201) -> dict[str, Any]:
    return {"index": index, "id": f"id-{index}", "status": status, "record": {"id": f"id-{index}"}}


def busy(index: int, status: int = 503) -> dict[str, Any]:
    return {"index": index, "id": None, "status": status, "problem": BUSY | {"status": status}}


TOTALS: dict[str, Any] = {"totals": {}}


def chunk(size: int) -> Chunk:
    return Chunk(0, [b'{"id":"sent-%d"}' % place for place in range(size)])


def test_an_id_is_a_uuid_of_version_7() -> None:
    """The example of RFC 9562, appendix A.6."""
    made = uuid7(0x017F22E279B0, bytes.fromhex("0cc318c4dc0c0c07398f"))

    assert str(made) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_every_id_has_its_time_its_version_and_its_variant(milliseconds: int, random: bytes) -> None:
    made = uuid7(milliseconds, random)

    assert (made.version, made.variant, made.int >> 80) == (7, uuid.RFC_4122, milliseconds)


def test_a_request_that_has_an_id_is_sent_as_it_was_written() -> None:
    text = '{"id": "A", "n": 1.50, "text": "é\u2028"}'.encode()

    assert line_of(b"\n " + text + b"\r\n", lambda: "new") == (text, False)


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (b"{}", b'{"id":"new"}'),
        (b'{\n"n":\r\n1.50}', b'{"id":"new", "n":  1.50}'),
        ({"action": "delay", "who": uuid.UUID(int=1)}, b'{"id":"new","action":"delay","who":"%b"}' % (b"%032x" % 1)),
        (Delay(seconds=2), b'{"id":"new","action":"delay","seconds":2}'),
    ],
)
def test_a_request_without_an_id_gets_one_and_becomes_one_line(request_: Any, line: bytes) -> None:
    made = line_of(request_, lambda: "new")

    assert made.has_new_id
    assert b"\n" not in made.text
    assert json.loads(made.text.replace(b"-", b"")) == json.loads(line)


@pytest.mark.parametrize("text", [b"", b"[1]", b"1", b'{"a":NaN}', b"{", b"\xff", b"{} {}", b'{"a":"b\nc"}'])
def test_what_is_not_an_object_is_no_request(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        line_of(text, lambda: "new")


@given(st.lists(st.sampled_from([b"x", b"y" * 1_000, b"z" * (MAX_BYTES // 2), b"w" * MAX_BYTES]), max_size=30))
def test_chunks_hold_every_line_once_in_order_within_their_bounds(lines: list[bytes]) -> None:
    made = list(chunks(lines))

    assert [line for one in made for line in one.rest] == lines
    assert all(len(b"\n".join(one.rest[:-1])) < MAX_BYTES for one in made)


def test_a_chunk_ends_without_a_look_at_what_follows() -> None:
    taken: list[None] = []

    def endless() -> Any:
        while True:
            taken.append(None)
            yield b"{}"

    first = next(chunks(endless()))

    assert len(first.rest) == len(taken) == MAX_LINES


@given(st.binary(), st.integers(1, 7))
def test_lines_are_the_same_in_whatever_pieces_they_come(text: bytes, size: int) -> None:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]

    assert list(lines_of(pieces)) == text.split(b"\n")[:-1]


def test_only_a_line_feed_ends_a_line() -> None:
    assert list(lines_of(['"\u2028\x85\x0c"\n'.encode()])) == ['"\u2028\x85\x0c"'.encode()]


def test_a_whole_answer_decides_a_whole_chunk() -> None:
    one = chunk(2)

    one.take(one.begin(), answer(stored(0), {**busy(1, 422), "new": "member"}, TOTALS))

    assert one.open == []
    assert [(item.index, item.id, item.status) for item in one.answers] == [(0, "id-0", 201), (1, "sent-1", 422)]


@pytest.mark.parametrize(
    "broken",
    [
        answer(stored(0)),
        answer(stored(0), TOTALS),
        [*answer(stored(0)), b'{"index":1,"id":"id-1","status":201,"rec'],
        [*answer(stored(0)), b"\xff"],
        answer(stored(0), {**stored(1), "record": None}),
        answer(stored(0), {"index": 1, "id": "x", "status": 503, "record": {}}),
        answer(stored(0), {"index": 1, "id": "x", "status": 201}),
        answer(stored(0), stored(7)),
        answer(stored(0), stored(-1)),
    ],
)
def test_of_a_broken_answer_the_whole_lines_count(broken: list[bytes]) -> None:
    one = chunk(2)

    with pytest.raises(Unreachable):
        one.take(one.begin(), broken)

    assert one.open == [1]
    assert [item.id for item in one.final_answers] == ["id-0"]
    assert one.rest == (b'{"id":"sent-1"}',)


def test_the_problem_that_ended_the_reading_is_told() -> None:
    one = chunk(2)

    with pytest.raises(Busy) as told:
        one.take(one.begin(), answer(stored(0), {**TOTALS, "problem": BUSY | {"status": 408}}))
    with pytest.raises(Refused):
        one.take(one.begin(), answer({**TOTALS, "problem": BUSY | {"status": 413}}))

    assert told.value.problem.status == 408


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_only_what_was_not_decided_is_sent_again(status: int) -> None:
    one = chunk(3)
    with pytest.raises(Busy):
        one.take(one.begin(), answer(stored(0), busy(1, status), stored(2, 200), TOTALS))

    places = one.begin()
    body = one.body(places)
    one.take(places, answer(stored(0), TOTALS))

    assert body == b'{"id":"sent-1"}\n'
    assert [(item.index, item.status) for item in one.answers] == [(0, 201), (1, 201), (2, 200)]


@pytest.mark.parametrize("status", [400, 401, 409, 413, 422, 501])
def test_what_is_refused_is_final(status: int) -> None:
    one = chunk(1)

    one.take(one.begin(), answer(busy(0, status), TOTALS))

    assert one.open == []


def test_it_never_waits_less_than_it_was_asked_to_nor_longer_than_patience_lasts() -> None:
    for attempt in range(1, 10):
        waited = pause(attempt, 7 * SECOND, 60 * SECOND, 0.0)
        assert waited is not None
        assert waited >= 7 * SECOND
    assert pause(1, 7 * SECOND, 7 * SECOND, 0.0) is None
    assert pause(1, None, timedelta(0), 0.0) is None


def test_it_waits_longer_and_longer_even_if_it_was_asked_for_no_time() -> None:
    waits = [pause(attempt, timedelta(0), 60 * SECOND, 0.5) for attempt in range(1, 6)]

    assert all(one and other and other > one for one, other in pairwise(waits))
    assert pause(1, -SECOND, 60 * SECOND, 0.0) == pause(1, None, 60 * SECOND, 0.0)


def test_failures_in_a_row_are_waited_for_longer_until_there_is_progress() -> None:
    patience = Patience(timedelta(hours=1))
    waits = [patience(Unreachable("gone")) for _ in range(10)]
    patience.renew()

    assert waits[0] <= 0.1
    assert waits[-1] >= 2.5
    assert patience(Unreachable("gone")) <= 0.1
    assert patience(Refused(Problem(status=422))) is False


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        (None, None),
        ("0", timedelta(0)),
        (" 120 ", 120 * SECOND),
        ("Thu, 01 Jan 2026 00:00:07 GMT", 7 * SECOND),
        ("Wed, 31 Dec 2025 23:59:00 GMT", timedelta(0)),
        ("soon", None),
        ("-1", None),
        ("1" * 20, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, asked: timedelta | None) -> None:
    assert retry_after(value, NOW) == asked


def test_a_problem_is_read_as_far_as_it_is_known() -> None:
    document = {
        "type": "urn:x",
        "title": "No",
        "detail": "d",
        "errors": [{"pointer": "#/a", "detail": "e", "x": 1}],
        "x": 1,
    }

    told = problem_of(json.dumps(document).encode(), 422)

    assert (told.type, told.status, str(told)) == ("urn:x", 422, "422 No: d: #/a: e")


@pytest.mark.parametrize("document", [b"", b"<html>", b"[]", b'{"title":7}', b"\xff", b'{"message":"x"}'])
def test_what_is_no_problem_document_is_told_by_its_status(document: bytes) -> None:
    assert str(problem_of(document, 502)) == "502 Bad Gateway"
    assert str(problem_of(document, 599)) == "599 not understood"


def test_errors_tell_what_is_to_be_done() -> None:
    assert isinstance(error_of(Problem(status=409, title="Other")), Conflict)
    assert isinstance(error_of(Problem(status=429, title="Slow"), SECOND), Busy)


def test_errors_come_whole_out_of_another_process() -> None:
    code = """
import pickle, sys
from datetime import timedelta
from acuse.client.errors import Unreachable, error_of
from acuse.client.problem import Problem
conflict = error_of(Problem(status=409, title="Other"))
waiting = error_of(Problem(status=429, title="Slow"), timedelta(seconds=1))
sys.stdout.buffer.write(pickle.dumps([conflict, waiting, Unreachable("gone")]))
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    conflict, waiting, gone = pickle.loads(run.stdout)  # noqa: S301

    assert [type(one) for one in (conflict, waiting, gone)] == [Conflict, Busy, Unreachable]
    assert [str(one) for one in (conflict, gone)] == [str(error_of(Problem(status=409, title="Other"))), "gone"]
    assert waiting.retry_after == SECOND


def test_an_item_has_a_record_or_a_problem() -> None:
    taken = Item(index=0, id="a", status=200, document=b'{"id":"a"}')
    refused = Item(index=0, id="a", status=422, document=b'{"title":"No"}')

    assert (taken.record, taken.problem) == ({"id": "a"}, None)
    assert (refused.record, refused.problem) == (None, Problem(status=422, title="No"))


def test_totals_count_each_answer_once() -> None:
    totals = Totals()
    for status in (201, 201, 200, 422, 409, 429, 503, 500):
        totals = totals.plus(Item(index=0, id=None, status=status, document=b"{}"))

    assert totals == Totals(items=8, accepted=2, replayed=1, refused=2, unavailable=3)
