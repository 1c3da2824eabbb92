from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from acuse import Action, Backoff, Policy
from acuse.application.actions import Catalogue
from acuse.application.execute import Drop, Plan, Release, decide, forgone, policy_of, task_for
from acuse.delay import Delay
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Failure, Key, Part, Progress, Reason, Record, Status
from acuse.domain.task import Step, Task
from tests.requests import CREATED, record

FAILURE = Failure(Reason.RAISED, "no")
POLICY = Policy(attempts=3, backoff=Backoff(first=timedelta(seconds=8)))


class Sums(Action, tag="sums"):
    def split(self) -> list[int]:
        return []

    def process(self, part: int) -> int:
        return part

    def merge(self, results: list[int]) -> int:
        return sum(results)


CATALOGUE = Catalogue([Delay, Sums])


def delivered(id_: str, part: int = 0, attempt: int = 1) -> Delivery:
    return Delivery(key=Key(id_, part), attempt=attempt, token=b"t")


def task(one: Record, part: Part | None = None) -> Task | Drop:
    delivery = delivered(one.id, part.key.part if part else 0)
    return task_for(delivery, {one.id: one}, {part.key: part} if part else {}, CATALOGUE)


def step(one: Record, part: Part | None = None) -> Step:
    found = task(one, part)
    assert isinstance(found, Task)
    return found.step


def split_record(**progress: int) -> Record:
    return msgspec.structs.replace(
        record(action="sums"), progress=Progress(**{"parts": 2, "left": 0, "failed": 0} | progress)
    )


def part_of(one: Record, status: Status = Status.ACCEPTED) -> Part:
    return Part(key=Key(one.id, 1), value=b"7", created_at=CREATED, status=status)


def test_each_delivery_asks_for_its_step() -> None:
    planned = split_record()

    assert step(record()) is Step.RUN
    assert step(record(action="sums")) is Step.SPLIT
    assert step(planned, part_of(planned)) is Step.PROCESS
    assert step(planned) is Step.MERGE
    assert step(record(action="unknown")) is Step.RUN


def test_a_task_carries_what_its_step_needs() -> None:
    planned = split_record()

    process, merge = task(planned, part_of(planned)), task(planned)

    assert isinstance(process, Task)
    assert (process.body, process.value, process.part) == (planned.body, b"7", 1)
    assert isinstance(merge, Task)
    assert (merge.parts, merge.value, merge.part) == (2, None, 0)


@pytest.mark.parametrize("status", [Status.FINISHED, Status.FAILED])
def test_what_has_ended_is_dropped(status: Status) -> None:
    ended = msgspec.structs.replace(record(), status=status)
    planned = split_record()

    assert isinstance(task(ended), Drop)
    assert isinstance(task(planned, part_of(planned, status)), Drop)


def test_what_waits_for_its_parts_is_dropped() -> None:
    assert isinstance(task(split_record(left=1)), Drop)
    assert step(split_record(left=0)) is Step.MERGE


def test_what_is_not_there_is_dropped() -> None:
    one = record()

    assert task_for(delivered(one.id), {}, {}, CATALOGUE) == Drop(delivery=delivered(one.id))
    assert task_for(delivered(one.id, 1), {one.id: one}, {}, CATALOGUE) == Drop(delivery=delivered(one.id, 1))


def test_an_unknown_action_has_the_default_policy() -> None:
    assert policy_of("unknown", CATALOGUE) == Policy()
    assert policy_of("delay", CATALOGUE) == Delay.policy


def _forgone(one: Record, attempt: int) -> Failed | None:
    found = task(one)
    assert isinstance(found, Task)
    return forgone(delivered(one.id, attempt=attempt), found, one, POLICY)


def test_what_was_cut_off_at_every_attempt_is_abandoned() -> None:
    assert _forgone(record(), 3) is None
    failed = _forgone(record(), 4)
    assert failed is not None
    assert failed.failure.reason is Reason.ABANDONED


def test_a_merge_over_failed_parts_is_forgone() -> None:
    assert _forgone(split_record(), 1) is None
    assert _forgone(split_record(failed=2), 1) == Failed(Failure(Reason.PARTS_FAILED, "2 of 2 parts failed"))


def _decide(outcome: Outcome, attempt: int = 1) -> object:
    return decide(delivered("x", attempt=attempt), outcome, POLICY, CREATED, 1.0)


def test_every_outcome_has_its_decision() -> None:
    delivery = delivered("x")

    assert _decide(Done(b"1")) == Ending(delivery=delivery, at=CREATED, result=b"1")
    assert _decide(Failed(FAILURE)) == Ending(delivery=delivery, at=CREATED, error=FAILURE)
    assert _decide(Planned((b"1", b"2"))) == Plan(delivery=delivery, parts=(b"1", b"2"))
    assert _decide(Again(FAILURE)) == Release(delivery=delivery, delay=timedelta(seconds=8))
    assert _decide(Again(FAILURE, timedelta(hours=1))) == Release(delivery=delivery, delay=timedelta(hours=1))


def test_the_last_attempt_that_does_not_succeed_is_the_end() -> None:
    assert isinstance(_decide(Again(FAILURE), 2), Release)
    assert _decide(Again(FAILURE), 3) == Ending(delivery=delivered("x", attempt=3), at=CREATED, error=FAILURE)


def test_a_task_carries_what_its_run_may_see() -> None:
    one = msgspec.structs.replace(record(), traceparent="t")

    found = task_for(delivered(one.id, attempt=4), {one.id: one}, {}, CATALOGUE)

    assert found == Task(
        id=one.id,
        part=0,
        attempt=4,
        step=Step.RUN,
        action="delay",
        body=one.body,
        time_limit=Delay.policy.time_limit,
        value=None,
        parts=0,
        traceparent="t",
    )


def test_what_is_dropped_is_what_was_delivered() -> None:
    waiting = split_record(left=1)

    assert task(waiting) == Drop(delivery=delivered(waiting.id))


def test_what_is_given_up_says_after_how_many_attempts() -> None:
    assert _forgone(record(), 4) == Failed(
        Failure(Reason.ABANDONED, "every one of 3 attempts was cut off: its worker stopped without a word")
    )
