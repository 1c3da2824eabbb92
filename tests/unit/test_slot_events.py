"""A slot says what it started, what came of it, and what ended."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from acuse.domain.delivery import Ending
from acuse.domain.errors import RunnerUnavailable, StoreUnavailable
from acuse.domain.event import Ended, Event, LeaseLost, Ran, Started
from acuse.domain.outcome import Again, Failed, Planned
from acuse.domain.record import Failure, Key, Reason
from acuse.domain.task import Step
from tests.unit.place import NO, NOW, Place


@pytest.fixture
def place() -> Place:
    return Place()


def told(place: Place) -> list[Event]:
    """Without how long it took."""
    found = [msgspec.structs.replace(event, seconds=0.0) if isinstance(event, Ran) else event for event in place.events]
    place.events.clear()
    return found


def test_a_run_starts_is_over_and_ends_its_request(place: Place) -> None:
    place.add(1)
    place.clock.advance(timedelta(seconds=3))

    place.slot.take(place.receive())

    run = Step.RUN
    assert told(place) == [Started("quick", run), Ran("quick", run, "finished", 0.0), Ended("quick", "finished", 3.0)]


def test_how_long_a_run_took_is_told(place: Place) -> None:
    place.add(1)

    place.slot.take(place.receive())

    [ran] = [event for event in place.events if isinstance(event, Ran)]
    assert ran.seconds == place.slot._pace.expected("quick") > 0


def test_a_request_does_not_end_before_it_was_created_whatever_the_clock_says(place: Place) -> None:
    place.add(1)
    deliveries = place.receive()
    place.clock.advance(timedelta(seconds=-3))

    place.slot.take(deliveries)

    assert told(place)[-1] == Ended("quick", "finished", 0.0)


def test_each_step_is_an_attempt_and_only_the_request_ends(place: Place) -> None:
    place.add(1, "sums")
    place.runner.script = [Planned((b"1",))]
    for _ in range(3):
        place.slot.take(place.receive())

    steps = [(type(event), event.step) for event in place.events if isinstance(event, Started | Ran)]
    assert steps == [(kind, step) for step in (Step.SPLIT, Step.PROCESS, Step.MERGE) for kind in (Started, Ran)]
    assert [event for event in place.events if isinstance(event, Ended)] == [Ended("sums", "finished", 0.0)]


def test_a_part_that_fails_ends_no_request_and_the_merge_that_is_forgone_does(place: Place) -> None:
    place.add(1, "sums")
    place.runner.script = [Planned((b"1",)), Failed(NO)]
    for _ in range(3):
        place.slot.take(place.receive())

    assert told(place)[2:] == [
        Started("sums", Step.PROCESS),
        Ran("sums", Step.PROCESS, "raised", 0.0),
        Ended("sums", "parts-failed", 0.0),
    ]


def test_a_run_that_is_tried_again_ends_nothing(place: Place) -> None:
    place.add(1)
    place.runner.script = [Again(NO, NOW), Again(Failure(Reason.RETRIES_EXHAUSTED, "later"), NOW), Again(NO, NOW)]
    for _ in range(3):
        place.slot.take(place.receive())

    run = Step.RUN
    assert told(place) == [
        *(Started("quick", run), Ran("quick", run, "raised", 0.0)),
        *(Started("quick", run), Ran("quick", run, "retry", 0.0)),
        *(Started("quick", run), Ran("quick", run, "raised", 0.0), Ended("quick", "raised", 0.0)),
    ]


def test_a_run_that_takes_too_long_has_timed_out(place: Place) -> None:
    place.add(1, "brief")
    place.runner.script = [None] * 1_000

    place.slot.take(place.receive())

    assert told(place) == [Started("brief", Step.RUN), Ran("brief", Step.RUN, "timed-out", 0.0)]


def test_a_run_that_its_worker_stops_is_given_back(place: Place) -> None:
    place.add(1)
    place.runner.script = [None] * 1_000
    place.runner.beginning = place.killing.set

    place.slot.take(place.receive())

    assert told(place) == [Started("quick", Step.RUN), Ran("quick", Step.RUN, "given-back", 0.0)]


def test_what_is_not_begun_is_no_attempt(place: Place) -> None:
    place.add(1)
    place.runner.refusals = 1

    with pytest.raises(RunnerUnavailable):
        place.slot.take(place.receive())

    assert told(place) == []


def test_what_ended_elsewhere_meanwhile_is_a_lease_that_was_lost(place: Place) -> None:
    place.add(1)
    [delivery] = place.receive()

    def end_it() -> None:
        place.store.settle([Ending(delivery=delivery, at=place.clock.now(), result=b"9")])

    place.runner.beginning = end_it
    place.slot.take([delivery])

    assert told(place) == [Started("quick", Step.RUN), Ran("quick", Step.RUN, "finished", 0.0), LeaseLost()]


def test_parts_that_another_has_planned_are_a_lease_that_was_lost(place: Place) -> None:
    [id_] = place.add(1, "sums")
    place.runner.script = [Planned((b"1", b"2"))]
    deliveries = place.receive()

    def plan_it() -> None:
        place.store.plan(deliveries[0], [b"1"])

    place.runner.beginning = plan_it
    place.slot.take(deliveries)

    assert told(place)[-1] == LeaseLost()
    assert place.store.get([id_])[id_].progress is not None
    assert list(place.store.parts([Key(id_, 1), Key(id_, 2)])) == [Key(id_, 1)]


def test_an_ending_that_is_not_recorded_at_once_is_told_when_it_is(place: Place) -> None:
    place.add(1)
    place.store.refuses = 1

    place.slot.take(place.receive())

    assert told(place)[-1] == Ended("quick", "finished", 0.0)


def test_an_ending_that_cannot_be_recorded_is_not_told(place: Place) -> None:
    place.add(1)
    place.store.refuses = 10
    place.runner.beginning = place.killing.set

    with pytest.raises(StoreUnavailable):
        place.slot.take(place.receive())

    assert not any(isinstance(event, Ended) for event in place.events)
