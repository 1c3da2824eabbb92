"""A slot says of each attempt when it begins, where what it causes belongs, and how it ended."""

from __future__ import annotations

import pytest

from acuse.application import slot as module
from acuse.domain.errors import RunnerUnavailable, StoreUnavailable
from acuse.domain.outcome import Again, Failed, Planned
from acuse.domain.record import Failure, Reason
from acuse.domain.task import Step
from tests.unit.place import DONE, NO, NOW, Place


@pytest.fixture
def place() -> Place:
    return Place()


def test_each_step_is_an_attempt_and_its_runner_gets_the_task_inside_of_it(place: Place) -> None:
    place.add(1, "sums")
    place.runner.script = [Planned((b"1",))]
    for _ in range(3):
        place.slot.take(place.receive())

    assert [one.task.step for one in place.tracer.begun] == [Step.SPLIT, Step.PROCESS, Step.MERGE]
    assert [one.ends for one in place.tracer.begun] == [[("finished", None)]] * 3
    handed = [task.traceparent for task in place.runner.begun]
    assert handed == ["split 0, attempt 1", "process 1, attempt 1", "merge 0, attempt 1"]


def test_an_attempt_that_does_not_succeed_says_why_and_the_next_is_another(place: Place) -> None:
    place.add(1)
    later = Failure(Reason.RETRIES_EXHAUSTED, "later")
    place.runner.script = [Again(NO, NOW), Again(later, NOW), Failed(Failure(Reason.REFUSED, "never"))]
    for _ in range(3):
        place.slot.take(place.receive())

    assert [one.task.attempt for one in place.tracer.begun] == [1, 2, 3]
    [[raised], [postponed], [refused]] = [one.ends for one in place.tracer.begun]
    assert raised == ("raised", NO)
    assert postponed == ("retry", later)
    assert refused == ("refused", Failure(Reason.REFUSED, "never"))


def test_an_attempt_that_its_worker_stops_is_given_back(place: Place) -> None:
    place.add(1)
    place.runner.script = [None] * 1_000
    place.runner.beginning = place.killing.set

    place.slot.take(place.receive())

    [one] = place.tracer.begun
    assert one.ends == [("given-back", None)]


def test_what_is_not_run_because_others_failed_is_an_attempt_that_failed(place: Place) -> None:
    [id_] = place.add(1, "sums")
    place.runner.script = [Planned((b"1",)), Failed(NO)]
    for _ in range(3):
        place.slot.take(place.receive())

    merge = place.tracer.begun[-1]
    assert (merge.task.step, merge.ends) == (Step.MERGE, [(Reason.PARTS_FAILED, place.record(id_).error)])


def test_what_may_not_be_tried_again_is_an_attempt_that_failed(place: Place) -> None:
    [id_] = place.add(1)
    for _ in range(3):
        place.queue.release(place.receive(), NOW, charged=True)

    place.slot.take(place.receive())

    [one] = place.tracer.begun
    assert (one.task.attempt, one.ends) == (4, [(Reason.ABANDONED, place.record(id_).error)])


def test_an_attempt_that_is_cut_off_because_the_store_is_gone_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECOVERY", 0.0)
    place.learn()
    place.tracer.begun.clear()
    place.add(2)
    place.runner.script = [DONE, None, None, None]
    place.store.refuses = module.SETTLE_TRIES

    with pytest.raises(StoreUnavailable):
        place.slot.take(place.receive())

    [first, second] = place.tracer.begun
    assert first.ends == [("finished", None)]
    assert second.ends == [(Reason.ABANDONED, Failure(Reason.ABANDONED, "cut off: not now"))]


def test_an_attempt_that_no_runner_takes_has_no_end(place: Place) -> None:
    place.add(1)
    place.runner.refusals = 1

    with pytest.raises(RunnerUnavailable):
        place.slot.take(place.receive())

    assert [one.ends for one in place.tracer.begun] == [[]]
