from __future__ import annotations

from datetime import timedelta

import pytest

from acuse import Backoff, Policy
from acuse.domain.errors import Misconfigured


def seconds(attempt: int, jitter: float, backoff: Backoff | None = None) -> float:
    return (backoff or Backoff()).delay(attempt, jitter).total_seconds()


def test_the_delay_doubles_up_to_the_most() -> None:
    assert [seconds(attempt, 1.0) for attempt in (1, 2, 3, 9, 10, 10_000)] == [1, 2, 4, 256, 300, 300]


def test_jitter_takes_up_to_half_of_it() -> None:
    assert seconds(3, 0.0) == 2
    assert seconds(3, 0.5) == 3


def test_a_backoff_may_stand_still() -> None:
    steady = Backoff(first=timedelta(seconds=7), factor=1, most=timedelta(seconds=7))

    assert [seconds(attempt, 1.0, steady) for attempt in (1, 50)] == [7, 7]


@pytest.mark.parametrize(
    "bounds",
    [
        {"time_limit": timedelta(0)},
        {"attempts": 0},
        {"concurrency": 0},
        {"backoff": Backoff(first=timedelta(seconds=-1))},
        {"backoff": Backoff(first=timedelta(seconds=2), most=timedelta(seconds=1))},
        {"backoff": Backoff(most=timedelta(days=366, microseconds=1))},
        {"backoff": Backoff(factor=0.99)},
    ],
)
def test_bounds_under_which_nothing_could_run_are_refused(bounds: dict[str, object]) -> None:
    said = {
        "time_limit": "time_limit must be more than zero",
        "attempts": "attempts must be at least 1",
        "concurrency": "concurrency must be at least 1, or None for no bound",
        "backoff": "a back-off grows: 0 <= first <= most <= 366 days and factor >= 1",
    }

    with pytest.raises(Misconfigured) as caught:
        Policy(**bounds)  # type: ignore[arg-type]

    assert [str(caught.value)] == [said[name] for name in bounds]


@pytest.mark.parametrize(
    "bounds",
    [
        {"time_limit": timedelta(microseconds=1)},
        {"attempts": 1},
        {"concurrency": 1},
        {"backoff": Backoff(first=timedelta(0), most=timedelta(0), factor=1)},
        {"backoff": Backoff(first=timedelta(days=366), most=timedelta(days=366), factor=1.5)},
    ],
)
def test_the_least_and_the_most_that_can_run_are_taken(bounds: dict[str, object]) -> None:
    policy = Policy(**bounds)  # type: ignore[arg-type]

    assert {name: getattr(policy, name) for name in bounds} == bounds
