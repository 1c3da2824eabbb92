"""How much a run may give back, to the byte; and what the runner is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from acuse import Action, this_run
from acuse.application.actions import Catalogue
from acuse.application.perform import Limits, perform
from acuse.domain.outcome import Done, Failed, Outcome, Planned
from acuse.domain.record import Reason
from acuse.domain.submission import MAX_DEPTH
from acuse.domain.task import Step, Task
from tests.requests import submission

VALUE = "x" * 8


class Sums(Action, tag="sums"):
    upto: int = 0

    def split(self) -> list[str]:
        return [VALUE] * self.upto

    def process(self, part: int | None) -> str:
        return f"{this_run().id} {part}"

    def merge(self, results: Iterable[int]) -> int:
        return sum(results)


class Deep(Action, tag="deep"):
    levels: int
    as_object: bool

    def run(self) -> Any:
        value: Any = {"a": 1} if self.as_object else [1]
        for _ in range(self.levels - 1):
            value = {"a": value, "b": []} if self.as_object else [value, {}]
        return value


ASKED: list[tuple[str, int]] = []


def results(id_: str, parts: int) -> Iterator[bytes]:
    ASKED.append((id_, parts))
    return iter([b"1", b"2"])


def run(step: Step, *, limits: Limits | None = None, action: str = "sums", **members: Any) -> tuple[Task, Outcome]:
    sent = submission(action=action, **members)
    task = Task(
        id=sent.id,
        part=0,
        attempt=1,
        step=step,
        action=action,
        body=sent.body,
        time_limit=timedelta(seconds=1),
        parts=2,
    )
    return task, perform(task, Catalogue([Sums, Deep]), results, limits or Limits())


def test_the_results_of_all_parts_of_the_request_are_asked_for() -> None:
    task, outcome = run(Step.MERGE)

    assert outcome == Done(b"3")
    assert ASKED[-1] == (task.id, 2)


def test_a_run_knows_its_request_and_a_part_without_a_value_is_null() -> None:
    task, outcome = run(Step.PROCESS)

    assert outcome == Done(f'"{task.id} None"'.encode())


@pytest.mark.parametrize("upto", [3, 4])
def test_as_many_parts_as_may_be_are_planned(upto: int) -> None:
    _, outcome = run(Step.SPLIT, upto=upto, limits=Limits(max_parts=3))

    assert isinstance(outcome, Planned if upto == 3 else Failed)


@pytest.mark.parametrize("most", [30, 29])
def test_as_many_bytes_of_parts_as_may_be_are_planned(most: int) -> None:
    _, outcome = run(Step.SPLIT, upto=3, limits=Limits(max_plan=most))

    assert isinstance(outcome, Planned if most == 30 else Failed)


def test_what_is_too_large_says_the_bound() -> None:
    _, outcome = run(Step.PROCESS, limits=Limits(max_result=20))

    assert isinstance(outcome, Failed)
    assert outcome.failure.reason is Reason.BAD_RESULT
    assert "bytes of JSON" in outcome.failure.detail
    assert "20" in outcome.failure.detail


@pytest.mark.parametrize("levels", [1, 2, 29, 30, 31, 32])
@pytest.mark.parametrize("as_object", [True, False])
def test_a_result_may_be_as_deep_as_a_request(levels: int, *, as_object: bool) -> None:
    _, outcome = run(Step.RUN, action="deep", levels=levels, as_object=as_object)

    assert isinstance(outcome, Done if levels <= MAX_DEPTH else Failed)
