"""What a slot and an intake say in the log of a request, and what they keep to themselves."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from acuse import Action
from acuse.application.actions import Catalogue
from acuse.domain.errors import Invalid
from acuse.domain.outcome import Again, Failed, Planned
from acuse.domain.record import Failure, Reason
from acuse.domain.submission import parse
from tests.requests import body, record
from tests.unit.place import LEASE, Place

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
PRIVATE = "what a client sent"
NO = Failure(Reason.RAISED, PRIVATE)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def traced(place: Place, action: str) -> str:
    """A request, in a trace."""
    sent = parse(body(action=action, secret=PRIVATE), traceparent=TRACEPARENT).accepted(place.clock.now())
    place.store.add([sent])
    return sent.id


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, Any]]]:
    """Level, message and what was added."""
    plain = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
    return [
        (one.levelname, one.message, {name: value for name, value in vars(one).items() if name not in plain})
        for one in caplog.records
    ]


def test_a_request_that_failed_is_a_warning_with_its_reason(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    id_ = traced(place, "quick")
    place.runner.script = [Failed(NO)]

    place.slot.take(place.receive())

    told = {"request_id": id_, "trace_id": TRACE, "action": "quick", "attempt": 1, "reason": "raised"}
    assert lines(caplog) == [("WARNING", "request failed", told)]


@pytest.mark.parametrize(("reason", "told"), [(Reason.CRASHED, "crashed"), (Reason.RETRIES_EXHAUSTED, "retry")])
def test_an_attempt_after_which_another_follows_is_told_by_the_way(
    place: Place, caplog: pytest.LogCaptureFixture, reason: Reason, told: str
) -> None:
    id_ = traced(place, "quick")
    place.runner.script = [Again(Failure(reason, PRIVATE), timedelta(seconds=7))]

    place.slot.take(place.receive())

    [(level, message, said)] = lines(caplog)
    assert (level, message) == ("INFO", "attempt failed")
    assert said == {
        "request_id": id_, "trace_id": TRACE, "action": "quick", "attempt": 1, "reason": told, "delay": 7.0
    }  # fmt: skip


def test_a_part_is_told_by_the_way_and_named_and_its_request_is_a_warning(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    id_ = traced(place, "sums")
    place.runner.script = [Planned((b"1",)), Failed(NO)]

    for _ in range(3):
        place.slot.take(place.receive())

    assert [(level, message, said["reason"], said.get("part")) for level, message, said in lines(caplog)] == [
        ("INFO", "part failed", "raised", 1),
        ("WARNING", "request failed", "parts-failed", None),
    ]
    assert {said["request_id"] for _, _, said in lines(caplog)} == {id_}


def test_what_ends_in_time_is_told_at_no_level(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    traced(place, "quick")

    place.slot.take(place.receive())

    assert lines(caplog) == []


def test_a_detail_which_may_hold_what_a_client_sent_is_told_at_debug_only(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    details = []
    for level in (logging.INFO, logging.DEBUG):
        caplog.clear()
        caplog.set_level(level)
        traced(place, "quick")
        place.runner.script = [Failed(NO)]
        place.slot.take(place.receive())
        details.append([said.get("detail") for _, _, said in lines(caplog)])

    assert details == [[None], [PRIVATE]]


def test_one_that_ended_elsewhere_is_named_with_its_trace(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    id_ = traced(place, "quick")
    late = place.receive()
    place.clock.advance(LEASE)
    place.receive()
    place.runner.script = [Failed(NO)]

    place.slot.take(late)

    assert lines(caplog) == [("WARNING", "ended elsewhere", {"request_id": id_, "trace_id": TRACE})]


def test_a_check_of_an_action_that_breaks_is_told_with_the_request(caplog: pytest.LogCaptureFixture) -> None:
    class Careful(Action, tag="careful"):
        def __post_init__(self) -> None:
            raise ZeroDivisionError

        def run(self) -> None:
            pass

    sent = parse(body(action="careful"), traceparent=TRACEPARENT)
    catalogue = Catalogue([Careful])
    with pytest.raises(Invalid):
        catalogue.check(sent)
    with pytest.raises(Invalid):
        catalogue["careful"].decode(record(action="careful").body)

    broken = "an action's own check failed"
    assert lines(caplog) == [
        ("ERROR", broken, {"action": "careful", "request_id": sent.id, "trace_id": TRACE}),
        ("ERROR", broken, {"action": "careful"}),
    ]
