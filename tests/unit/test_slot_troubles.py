"""What a slot does about limits, ends and failures."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from acuse.application import slot as module
from acuse.domain.errors import RunnerUnavailable, StoreUnavailable
from acuse.domain.record import Failure, Reason, Status
from tests.unit.place import DONE, LEASE, Place


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_run_beyond_its_time_limit_is_killed(place: Place) -> None:
    [id_] = place.add(1, "brief")
    place.runner.script = [None] * 1_000
    began = time.monotonic()

    place.slot.take(place.receive())

    assert 0.03 <= time.monotonic() - began < 5
    assert place.runner.kills == 1
    assert place.record(id_).status is Status.ACCEPTED
    assert max(place.runner.waits) <= timedelta(milliseconds=30)
    assert min(place.runner.waits) == timedelta(0)


def test_a_time_limit_that_no_attempt_kept_is_the_error(place: Place) -> None:
    [id_] = place.add(1, "brief")
    for _ in range(2):
        place.runner.script = [None] * 1_000
        place.slot.take(place.receive())
        place.clock.advance(timedelta(hours=1))

    ended = place.record(id_)
    assert ended.error == Failure(Reason.TIMED_OUT, "stopped after its time limit of 0.03 s")


def test_a_run_is_stopped_at_the_deadline_of_its_worker(place: Place) -> None:
    place.add(1)
    place.runner.script = [None] * 1_000

    place.slot.take(place.receive(), deadline=time.monotonic() + 0.03)

    assert place.runner.kills == 1
    assert max(place.runner.waits) <= timedelta(milliseconds=30)


def test_an_outcome_that_comes_at_the_last_look_counts(place: Place) -> None:
    [id_] = place.add(1)
    place.runner.script = [DONE]

    place.slot.take(place.receive(), deadline=time.monotonic() - 1)

    assert place.record(id_).status is Status.FINISHED
    assert place.runner.kills == 0


def test_what_is_under_way_when_the_worker_must_end_is_killed_and_given_back_uncharged(place: Place) -> None:
    place.learn()
    ids = place.add(2)
    place.runner.script = [DONE, None]
    place.killing.set()

    place.slot.take(place.receive())

    assert [place.record(id_).status for id_ in ids] == [Status.FINISHED, Status.ACCEPTED]
    assert place.attempts(ids) == [1, 0]
    assert place.runner.kills == 1
    assert len(place.receive()) == 1


def test_a_runner_that_cannot_be_had_costs_no_attempt_but_of_what_was_begun(place: Place) -> None:
    place.learn()
    ids = place.add(3)
    begun = iter([0, 1])

    def fail_the_second() -> None:
        place.runner.refusals = next(begun)

    place.runner.beginning = fail_the_second

    with pytest.raises(RunnerUnavailable):
        place.slot.take(place.receive())

    assert place.attempts(ids) == [1, 0, 0]
    assert place.receive() == [], "it is due again after a while"
    assert place.queue.released == [(timedelta(seconds=module.RECOVERY), False)]
    assert place.runner.kills == 1
    assert place.held() == []
    assert place.slot._pace.limit == 1
    place.clock.advance(timedelta(seconds=module.RECOVERY))
    assert [one.attempt for one in place.receive()] == [1, 1]


def test_what_nobody_foresaw_is_charged_to_all_of_them(place: Place) -> None:
    place.learn()
    ids = place.add(2)
    place.store.breaks = 1

    with pytest.raises(ZeroDivisionError):
        place.slot.take(place.receive())

    assert place.attempts(ids) == [1, 1]
    assert place.receive() == []
    assert place.runner.kills == 1
    assert place.held() == []


def test_an_ending_that_the_store_does_not_take_is_tried_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECOVERY", 0.001)
    [id_] = place.add(1)
    place.store.refuses = module.SETTLE_TRIES - 1

    with suppress(StoreUnavailable):
        place.slot.take(place.receive())

    assert place.record(id_).status is Status.FINISHED
    assert place.store.tries == module.SETTLE_TRIES


def test_an_ending_is_not_tried_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECOVERY", 0.001)
    [id_] = place.add(1)
    place.store.refuses = module.SETTLE_TRIES

    with pytest.raises(StoreUnavailable):
        place.slot.take(place.receive())

    assert place.store.refuses == 0
    assert place.attempts([id_]) == [1]
    assert place.receive() == [], "it was begun, so that its attempt counts"


def test_an_ending_is_not_tried_beyond_the_deadline_of_the_worker(place: Place) -> None:
    place.add(1)
    place.store.refuses = 30

    with pytest.raises(StoreUnavailable):
        place.slot.take(place.receive(), deadline=time.monotonic() + 0.02)

    assert 1 < place.store.tries < 4


def test_a_worker_that_must_end_does_not_try_again(place: Place) -> None:
    place.add(1)
    place.store.refuses = 2
    place.killing.set()

    with pytest.raises(StoreUnavailable):
        place.slot.take(place.receive())

    assert place.store.tries == 1


def test_those_who_stand_in_each_others_way_do_not_come_back_together(place: Place) -> None:
    pauses: list[float] = []

    class Timed(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return False

    place.slot._killing = Timed()
    place.add(1)
    place.store.refuses = 4

    place.slot.take(place.receive())

    assert all(module.RECOVERY <= one < module.RECOVERY * (1 + tries) for tries, one in enumerate(pauses, 1))
    assert len(set(pauses)) == 4
    assert max(pauses) > 2 * module.RECOVERY


@pytest.mark.parametrize("error", [StoreUnavailable("not now"), ZeroDivisionError()])
def test_it_goes_on_after_an_error(place: Place, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(module, "RECOVERY", 0.001)
    monkeypatch.setattr(module, "POLL", timedelta(0))
    [id_] = place.add(1)
    errors = [error]

    def ready() -> None:
        if errors:
            raise errors.pop()

    place.runner.ready = ready  # type: ignore[method-assign]

    place.slot.run()

    assert place.record(id_).status is Status.FINISHED


def test_nothing_is_received_while_the_leases_cannot_be_renewed(place: Place) -> None:
    [id_] = place.add(1)
    place.heartbeat.is_well = False
    looks = 0

    def ready() -> None:
        nonlocal looks
        looks += 1
        if looks > 2:
            place.draining.set()

    place.runner.ready = ready  # type: ignore[method-assign]

    place.slot.run()

    assert (looks, place.polls, place.attempts([id_])) == (3, 0, [0])


def test_one_that_ended_elsewhere_is_no_more_than_a_warning(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    [id_] = place.add(1)
    [delivery] = place.receive()
    place.clock.advance(LEASE)
    place.receive()

    place.slot.take([delivery])

    assert place.record(id_).status is Status.ACCEPTED
    [warning] = [one for one in caplog.records if one.name == "acuse.application.slot"]
    assert msgspec.to_builtins(warning.__dict__["request_id"]) == id_


def test_a_pause_ends_at_the_deadline_of_the_worker(place: Place) -> None:
    pauses: list[float] = []

    class Timed(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return True

    place.slot._killing = Timed()
    place.add(1)
    place.store.refuses = 1

    with pytest.raises(StoreUnavailable):
        place.slot.take(place.receive(), deadline=time.monotonic() + 0.5)

    assert len(pauses) == 1
    assert 0.0 <= pauses[0] <= 0.5


def test_what_cannot_be_given_back_after_an_error_is_left_to_its_lease(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = place.add(1)
    place.runner.refusals = 1

    def release(*_: object, **__: object) -> None:
        raise StoreUnavailable("away too")

    monkeypatch.setattr(place.queue, "release", release)

    with pytest.raises(RunnerUnavailable):
        place.slot.take(place.receive())

    assert place.attempts(ids) == [1]
    assert place.held() == []


def test_a_store_that_answers_too_little_for_endings_is_a_fault(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.add(1)
    monkeypatch.setattr(place.store, "settle", lambda _: [])

    with pytest.raises(ValueError, match="shorter"):
        place.slot.take(place.receive())

    assert place.queue.acked == []
