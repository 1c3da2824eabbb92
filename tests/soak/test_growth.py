"""What leaks is found, and what does not is left in peace."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.soak.growth import Allowance, Verdict, buckets, growth, percentile, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR, MINUTES = 3_600, 180
MEMORY = Allowance(absolute=12, share=0.1)


def measured(value: Callable[[float], float], seconds: int = HOUR) -> list[tuple[float, float]]:
    """A value each second after the warm-up, with noise, and a dip or a peak now and then."""
    random = Random(1)
    odd = {3: -60.0, 7: 40.0}
    start = int(warm_up(seconds, 40))
    return [
        (float(at), value(at) + random.gauss(0, 2) + odd.get(random.randrange(100), 0.0))
        for at in range(start, seconds)
    ]


@pytest.mark.parametrize("megabytes_a_minute", [1, 10])
def test_a_leak_is_found_in_an_hour(megabytes_a_minute: int) -> None:
    found = growth(measured(lambda at: 100 + megabytes_a_minute * at / 60), MEMORY)

    assert found.verdict is Verdict.GROWS
    assert found.grown == pytest.approx(megabytes_a_minute * 55, rel=0.1)


def test_a_leak_is_found_in_a_few_minutes_if_it_is_faster() -> None:
    assert growth(measured(lambda at: 100 + 15 * at / 60, MINUTES), MEMORY).verdict is Verdict.GROWS
    assert growth(measured(lambda at: 100 + 1 * at / 60, MINUTES), MEMORY).verdict is Verdict.STEADY


def test_a_leak_in_a_process_that_is_started_again_now_and_then_is_found_if_it_goes_on_in_another() -> None:
    leak = measured(lambda at: 150 + at / 60 + (at % 120) / 10)

    assert growth(leak, MEMORY).verdict is Verdict.GROWS


STEADY: dict[str, Callable[[float], float]] = {
    "noise": lambda _: 100,
    "a level that is reached after the warm-up": lambda at: 100 + 80 * (1 - math.exp(-at / 300)),
    "a step in the middle": lambda at: 100 + 40 * (at > 2_200),
    "a step at the end": lambda at: 100 + 40 * (at > 3_200),
    "a peak": lambda at: 100 + 80 * (1_000 < at < 1_500),
    "a saw": lambda at: 100 + (at % 300) / 5,
    "it shrinks": lambda at: 200 - at / 60,
    "as much as is allowed": lambda at: 100 + 10 * at / HOUR,
}


@pytest.mark.parametrize("value", STEADY.values(), ids=STEADY)
def test_what_does_not_go_on_growing_is_no_leak(value: Callable[[float], float]) -> None:
    assert growth(measured(value), MEMORY).verdict is Verdict.STEADY


def test_a_file_may_grow_to_its_bound_and_not_beyond() -> None:
    allowance = Allowance(absolute=4, floor=40)

    assert growth([(at, at / 100) for at in range(3_500)], allowance).verdict is Verdict.STEADY
    assert growth([(at, at / 50) for at in range(3_500)], allowance).verdict is Verdict.GROWS


def test_a_few_samples_say_nothing() -> None:
    assert growth([(at, 100.0 * at) for at in range(5)], MEMORY).verdict is Verdict.TOO_SHORT


def test_of_what_other_work_disturbs_a_short_time_says_nothing() -> None:
    allowance = Allowance(absolute=50, least=60)

    assert growth([(at, 10.0 * at) for at in range(60)], allowance).verdict is Verdict.TOO_SHORT
    assert growth([(at, 10.0 * at) for at in range(61)], allowance).verdict is Verdict.GROWS


def test_the_warm_up_is_over_when_as_much_is_purged_as_comes() -> None:
    assert [warm_up(seconds, 40) for seconds in (20, 180, 600, 3_600)] == [8, 40, 120, 300]


def test_percentiles_and_medians_of_stretches() -> None:
    assert [percentile(list(range(1, 201)), share) for share in (0.5, 0.99, 1)] == [100, 198, 200]
    assert percentile([7], 0.01) == 7
    assert buckets([(at, at * 10) for at in range(9)], 3) == [(1, 10), (4, 40), (7, 70)]
