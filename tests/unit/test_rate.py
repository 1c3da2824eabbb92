from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acuse.domain.rate import WINDOW_SECONDS, Bucket, full_bucket


def test_a_whole_quota_is_there_at_first() -> None:
    bucket = full_bucket(120, 5.0)

    assert bucket == Bucket(120, 120.0, 5.0)
    assert bucket.seconds_until(120) == 0


def test_what_is_taken_comes_back_steadily() -> None:
    bucket = full_bucket(120, 5.0).without(120)
    assert bucket.left == 0
    assert bucket.seconds_until(1) == 0.5

    assert bucket.refilled(5.5).left == 1
    assert bucket.refilled(35.0).left == 60
    assert bucket.refilled(5.0 + WINDOW_SECONDS).left == 120


def test_more_than_the_quota_is_never_there() -> None:
    assert full_bucket(120, 5.0).refilled(500.0) == Bucket(120, 120.0, 500.0)


def test_a_debt_is_paid_before_anything_is_there() -> None:
    bucket = full_bucket(60, 0.0).without(100)

    assert bucket.left == -40
    assert bucket.seconds_until(0) == 40
    assert bucket.seconds_until(1) == 41
    assert bucket.refilled(41.0).left == 1


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    bucket = full_bucket(60, 10.0).without(60)

    assert bucket.refilled(10.0).left == 0
    assert bucket.refilled(9.0).left == 0
    assert bucket.refilled(9.0).refilled(10.0).left == 0


@given(st.integers(1, 10_000), st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50))))
def test_over_any_time_no_more_is_taken_than_a_quota_and_what_came_back(
    quota: int, steps: list[tuple[float, int]]
) -> None:
    bucket, taken, now = full_bucket(quota, 0.0), 0, 0.0
    for passed, wanted in steps:
        now += passed
        bucket = bucket.refilled(now)
        if bucket.left >= wanted:
            bucket = bucket.without(wanted)
            taken += wanted

    assert taken <= quota + now * quota / WINDOW_SECONDS + 0.001


@given(st.integers(1, 10_000), st.integers(0, 20_000), st.floats(1, 100))
def test_after_the_time_that_is_told_the_tokens_are_there(quota: int, taken: int, tokens: float) -> None:
    bucket = full_bucket(quota, 0.0).without(taken)
    tokens = min(tokens, quota)

    assert bucket.refilled(bucket.seconds_until(tokens)).left >= tokens - 0.000_001
