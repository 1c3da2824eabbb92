"""Who is told of what came to pass can break nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from acuse.application.observing import guarded, ignore
from acuse.domain.event import LeaseLost, Started
from acuse.domain.task import Step

if TYPE_CHECKING:
    import pytest

    from acuse.domain.event import Event


def test_an_observer_is_told_of_every_event() -> None:
    told: list[Event] = []
    observe = guarded(told.append)

    observe(LeaseLost())
    observe(Started("echo", Step.RUN))

    assert told == [LeaseLost(), Started("echo", Step.RUN)]


def test_an_observer_that_raises_is_told_of_once_and_goes_on_being_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Event] = []

    def fails(event: Event) -> None:
        told.append(event)
        raise ZeroDivisionError

    observe = guarded(fails)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            observe(LeaseLost())

    assert len(told) == 3
    [line] = caplog.records
    assert (line.message, vars(line)["observed"]) == ("an observer failed", "LeaseLost")
    assert line.exc_info is not None


def test_one_that_is_guarded_stays_as_it_is() -> None:
    observe = guarded(ignore)

    assert guarded(observe) is observe
