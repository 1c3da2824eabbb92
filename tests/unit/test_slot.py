"""A slot hands out, records and gives back."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from acuse.application import slot as module
from acuse.application.perform import MAX_DETAIL
from acuse.domain.delivery import Delivery
from acuse.domain.outcome import Again, Failed, Outcome, Planned
from acuse.domain.record import Failure, Key, Reason, Status
from acuse.domain.task import Step
from tests.requests import new_id
from tests.unit.place import DONE, LEASE, NO, NOW, Place


@pytest.fixture
def place() -> Place:
    return Place()


def test_what_is_taken_is_run_recorded_and_put_away(place: Place) -> None:
    [id_] = place.add(1)
    place.clock.advance(timedelta(seconds=3))

    place.slot.take(place.receive())

    ended = place.record(id_)
    assert (ended.status, ended.result, ended.attempts) == (Status.FINISHED, b"7", 1)
    assert ended.finished_at == place.clock.now()
    assert [task.id for task in place.runner.begun] == [id_]
    assert place.queue.acked == [Key(id_)]
    assert place.held() == []


def test_a_lease_is_renewed_while_its_run_lasts_and_no_longer(place: Place) -> None:
    [id_] = place.add(1)
    held: list[list[Delivery]] = []
    place.runner.beginning = lambda: held.append(place.held())
    deliveries = place.receive()

    place.slot.take(deliveries)

    assert held == [deliveries]
    assert place.held() == []
    assert place.record(id_).status is Status.FINISHED


def test_of_an_action_that_is_not_known_yet_one_is_run_and_the_others_are_given_back(place: Place) -> None:
    ids = place.add(4)

    place.slot.take(place.receive())

    assert len(place.runner.begun) == 1
    assert place.queue.released == [(NOW, False)]
    assert sorted(place.attempts(ids)) == [0, 0, 0, 1]
    assert len(place.receive()) == 3


def test_of_an_action_that_is_known_to_be_quick_all_are_run(place: Place) -> None:
    place.learn()
    ids = place.add(12)

    place.slot.take(place.receive())

    assert {place.record(id_).status for id_ in ids} == {Status.FINISHED}


def test_what_has_only_one_attempt_travels_alone(place: Place) -> None:
    place.learn()
    for _ in range(3):
        place.add(1, "once")
        place.slot.take(place.receive(1))
    before = len(place.runner.begun)
    ids = place.add(3, "once")

    place.slot.take(place.receive())

    assert len(place.runner.begun) == before + 1
    assert sorted(place.attempts(ids)) == [0, 0, 1]
    assert place.slot._pace.limit == 1


def test_what_was_cut_off_travels_alone(place: Place) -> None:
    place.learn()
    place.add(3)
    place.receive()
    place.clock.advance(LEASE)
    again = place.receive()
    before = len(place.runner.begun)

    place.slot.take(again)

    assert {one.was_cut_off for one in again} == {True}
    assert len(place.runner.begun) == before + 1


def test_behind_one_that_may_be_joined_what_was_cut_off_waits_and_so_does_the_other_way_round(place: Place) -> None:
    place.learn()
    place.add(1)
    [cut_off] = place.receive()
    place.clock.advance(LEASE)
    [cut_off] = place.receive()
    place.add(1)
    [new] = place.receive()
    before = len(place.runner.begun)

    place.slot.take([new, cut_off])

    assert [task.id for task in place.runner.begun[before:]] == [new.key.id]
    [cut_off] = place.receive()
    assert not cut_off.was_cut_off, "it was given back in order"


def test_what_has_used_up_its_attempts_is_not_run_and_fails(place: Place) -> None:
    [id_] = place.add(1)
    for _ in range(3):
        place.queue.release(place.receive(), NOW, charged=True)

    place.slot.take(place.receive())

    ended = place.record(id_)
    assert ended.error is not None
    assert (ended.status, ended.error.reason, ended.attempts) == (Status.FAILED, Reason.ABANDONED, 4)
    assert ended.finished_at == place.clock.now()
    assert place.runner.begun == []
    assert place.queue.acked == [Key(id_)]


def test_what_is_to_be_run_is_run_beside_what_is_only_to_be_put_away(place: Place) -> None:
    [used_up] = place.add(1)
    for _ in range(3):
        place.queue.release(place.receive(), NOW, charged=True)
    [fresh] = place.add(1)
    ghost = Delivery(key=Key(new_id()), attempt=1, token=b"none")

    place.slot.take([ghost, *place.receive()])

    assert place.record(used_up).status is Status.FAILED
    assert place.record(fresh).status is Status.FINISHED
    assert sorted(place.queue.acked) == sorted([ghost.key, Key(used_up), Key(fresh)])


def test_a_split_is_planned_its_parts_are_run_and_merged(place: Place) -> None:
    [id_] = place.add(1, "sums")
    place.runner.script = [Planned((b"1", b"2"))]
    place.slot.take(place.receive())
    for _ in range(3):
        place.slot.take(place.receive(1))

    steps = [(task.step, task.part, task.value) for task in place.runner.begun]
    assert steps == [(Step.SPLIT, 0, None), (Step.PROCESS, 1, b"1"), (Step.PROCESS, 2, b"2"), (Step.MERGE, 0, None)]
    assert place.record(id_).status is Status.FINISHED
    assert place.queue.acked == [Key(id_), Key(id_, 1), Key(id_, 2), Key(id_)]


def test_a_merge_over_failed_parts_is_not_run_and_names_the_first_of_them(place: Place) -> None:
    [id_] = place.add(1, "sums")
    place.runner.script = [Planned((b"1", b"2", b"3")), DONE, Failed(NO), Failed(Failure(Reason.REFUSED, "never"))]
    place.slot.take(place.receive())
    for _ in range(3):
        place.slot.take(place.receive(1))
    runs = len(place.runner.begun)

    place.slot.take(place.receive())

    failed = place.record(id_)
    assert failed.error == Failure(Reason.PARTS_FAILED, "2 of 3 parts failed; part 2: raised: no")
    assert len(place.runner.begun) == runs


def test_what_a_part_says_of_its_failure_is_told_up_to_a_bound(place: Place) -> None:
    [id_] = place.add(1, "sums")
    place.runner.script = [Planned((b"1",)), Failed(Failure(Reason.RAISED, "x" * 5_000))]
    for _ in range(3):
        place.slot.take(place.receive())

    error = place.record(id_).error
    assert error is not None
    assert error.detail.startswith("1 of 1 parts failed; part 1: raised: xxx")
    assert len(error.detail) == MAX_DETAIL


def test_what_does_not_succeed_is_due_again_after_its_delay_and_charged(place: Place) -> None:
    [id_] = place.add(1)
    place.runner.script = [Again(NO, timedelta(seconds=40))]

    place.slot.take(place.receive())

    assert place.record(id_).status is Status.ACCEPTED
    assert place.queue.acked == []
    place.clock.advance(timedelta(seconds=39))
    assert place.receive() == []
    place.clock.advance(timedelta(seconds=1))
    assert [one.attempt for one in place.receive()] == [2]


def test_endings_are_recorded_while_a_longer_run_lasts(place: Place) -> None:
    place.learn()
    ids = place.add(2)
    seen: list[Status] = []

    def late(_: timedelta) -> Outcome | None:
        seen.append(place.record(ids[0]).status)
        return None if 1 < len(seen) < 4 else DONE

    place.runner.outcome = late  # type: ignore[method-assign]
    place.slot.take(place.receive())

    assert seen == [Status.ACCEPTED, Status.ACCEPTED, Status.FINISHED, Status.FINISHED]


def test_what_waits_behind_a_long_run_is_given_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.02)
    place.learn()
    ids = place.add(3)
    place.runner.script = [None] * 20
    waiting: list[int] = []
    place.runner.beginning = lambda: waiting.append(len(place.held()))

    place.slot.take(place.receive())

    assert waiting == [3]
    assert [place.record(id_).status for id_ in ids] == [Status.FINISHED, Status.ACCEPTED, Status.ACCEPTED]
    assert place.attempts(ids) == [1, 0, 0]
    assert len(place.receive()) == 2


def test_what_waits_when_the_worker_is_to_end_is_given_back(place: Place) -> None:
    place.learn()
    ids = place.add(3)
    place.runner.beginning = place.draining.set

    place.slot.take(place.receive())

    assert [place.record(id_).status for id_ in ids] == [Status.FINISHED, Status.ACCEPTED, Status.ACCEPTED]
    assert len(place.receive()) == 2


def test_until_it_is_told_to_stop_it_receives_what_its_pace_allows(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL", NOW)
    ids = place.add(2)

    place.slot.run()

    assert place.polls == 3
    assert sorted(place.attempts(ids)) == [1, 1]
    assert place.runner.kills == 1, "the runner ends with its slot"


def test_a_failed_part_that_does_not_say_why_is_counted_all_the_same(place: Place) -> None:
    [id_] = place.add(1, "sums")
    place.runner.script = [Planned((b"1",)), Failed(NO)]
    for _ in range(2):
        place.slot.take(place.receive())
    parts = place.store._memory.parts
    parts[Key(id_, 1)] = msgspec.structs.replace(parts[Key(id_, 1)], error=None)

    place.slot.take(place.receive())

    assert place.record(id_).error == Failure(Reason.PARTS_FAILED, "1 of 1 parts failed")


def test_no_more_are_taken_along_than_fit_by_what_is_known_of_them(place: Place) -> None:
    place.slot._pace.observe("quick", 0.02)
    ids = place.add(6)

    place.slot.take(place.receive())

    assert len(place.runner.begun) == 2
    assert sorted(place.attempts(ids)) == [0, 0, 0, 0, 1, 1]


def test_endings_are_recorded_again_and_again_while_a_chunk_lasts(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK", 0.0)
    place.learn()
    ids = place.add(4)
    seen: list[int] = []
    place.runner.beginning = lambda: seen.append([place.record(id_).status for id_ in ids].count(Status.FINISHED))

    place.slot.take(place.receive())

    assert seen == [0, 1, 2, 3]
