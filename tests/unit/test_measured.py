"""What `acuse bench` makes of what it saw."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from rich.console import Console

from acuse.domain.errors import Misconfigured
from acuse.domain.record import Status
from acuse.entrypoints.bench.connection import Answer
from acuse.entrypoints.bench.figures import POINTS, Figures, Spread, figures, spread
from acuse.entrypoints.bench.load import Taken
from acuse.entrypoints.bench.report import bars, chart, table
from tests.requests import CREATED, new_id, record

if TYPE_CHECKING:
    from acuse.domain.record import Record

A_SECOND = timedelta(seconds=1)
SYNC = Spread(0.001, 0.002, 0.01)


def ended(created: float, finished: float, *, failed: bool = False) -> Record:
    return msgspec.structs.replace(
        record(CREATED + created * A_SECOND),
        status=Status.FAILED if failed else Status.FINISHED,
        finished_at=CREATED + finished * A_SECOND,
    )


def of(records: list[Record], *more: str) -> Figures:
    return figures([*(one.id for one in records), *more], [0.25], 2.0, 0, records)


def answer(status: int, *lines: dict[str, Any]) -> Answer:
    return Answer(status, b"\n".join(json.dumps(line).encode() for line in lines) + b"\n")


def test_a_spread_is_of_what_was_seen() -> None:
    assert spread(range(100, 0, -1)) == Spread(50, 90, 99)
    assert spread([7.0]) == Spread(7, 7, 7)


def test_rates_are_by_the_time_that_each_took() -> None:
    found = of([ended(0, 1), ended(1, 2), ended(2, 4)])

    assert (found.accepted, found.accepted_a_second, found.ended_a_second) == (3, 1.5, 0.75)
    assert found.ending == Spread(1, 2, 2)
    assert sum(found.line.accepted) * 4 / POINTS == pytest.approx(3)
    assert sum(found.line.ended) * 4 / POINTS == pytest.approx(3)
    assert (found.failed, found.left, found.lost) == (0, 0, 0)


def test_what_failed_what_is_left_and_what_is_lost_are_told_apart() -> None:
    found = of([ended(0, 1, failed=True), record(CREATED)], new_id(), new_id())

    assert (found.failed, found.left, found.lost) == (1, 1, 2)


def test_what_was_not_counted_as_accepted_is_left_out() -> None:
    found = figures([], [0.25], 2.0, 0, [ended(0, 1)])

    assert (found.accepted, found.ending, found.lost) == (0, None, 0)


def test_of_many_those_that_were_accepted_count() -> None:
    taken = Taken()

    lines = [{"index": 0, "status": 201}, {"index": 1, "status": 503}, {"index": 2, "status": 201}]
    assert not taken.add(["a", "b", "c"], answer(207, *lines, {"totals": {}}))
    assert not taken.add(["d", "e"], answer(503, {"detail": "overloaded"}))
    assert taken.add(["f"], answer(201, {}))

    assert (taken.accepted, taken.refused) == (["a", "c", "f"], 3)


@pytest.mark.parametrize(
    "refusal",
    [
        answer(422, {"detail": "it does not fit"}),
        answer(207, {"status": 422, "problem": {"detail": "it does not fit"}}, {"totals": {}}),
    ],
    ids=["one", "many"],
)
def test_what_is_never_taken_is_an_error_that_says_why(refusal: Answer) -> None:
    with pytest.raises(Misconfigured, match="422 it does not fit"):
        Taken().add(["a"], refusal)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_is_told_in_any_encoding(encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    console = Console(file=out, width=100)
    found = of([ended(0, 1), ended(1, 2500, failed=True)], new_id())

    console.print(table({"singly": found}, SYNC))
    console.print(bars("singly", found, console))

    out.seek(0)
    said = out.read()
    assert "1 / 2,499 / 2,499 s" in said
    assert all(row in said for row in ("failed", "lost", "singly, accepted", "singly, ended"))
    assert "refused" not in said


def test_a_chart_says_what_it_shows() -> None:
    drawn = chart({"singly": of([ended(0, 1)]), "in <bulk>": of([ended(0, 1)])})

    assert "singly: 1 in 1.0 s" in drawn
    assert "in &lt;bulk&gt;: 0 accepted" in drawn
