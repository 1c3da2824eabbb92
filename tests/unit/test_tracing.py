"""Where nothing is traced, everything is handed on as it came."""

from __future__ import annotations

from datetime import timedelta

import pytest

from acuse.application.tracing import UNTRACED, failure_of
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Failure, Reason
from acuse.domain.task import Step, Task
from tests.requests import new_id

NO = Failure(Reason.RAISED, "no")


def test_without_traces_a_task_goes_to_its_runner_as_it_is() -> None:
    task = Task(
        id=new_id(),
        part=0,
        attempt=1,
        step=Step.RUN,
        action="quick",
        body=b"{}",
        time_limit=timedelta(seconds=1),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )

    span = UNTRACED.attempt(task)

    assert span.inside(task) is task
    span.end("raised", NO)


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [(None, None), (Done(b"7"), None), (Planned(()), None), (Again(NO), NO), (Failed(NO), NO)],
)
def test_a_failure_is_that_of_an_attempt_that_did_not_succeed(outcome: Outcome | None, failure: Failure | None) -> None:
    assert failure_of(outcome) is failure
