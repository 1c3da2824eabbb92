from __future__ import annotations

from datetime import timedelta

import pytest

from acuse.domain.errors import Misconfigured
from acuse.entrypoints.moments import moment_before
from tests.requests import CREATED


@pytest.mark.parametrize(
    ("age", "time"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
        ("007d", timedelta(days=7)),
    ],
)
def test_an_age_is_a_number_and_a_unit(age: str, time: timedelta) -> None:
    assert moment_before(CREATED, age) == CREATED - time


@pytest.mark.parametrize(
    "age", ["", "30", "d", "0d", "00s", "-1d", "+1d", "1.5h", "1 d", " 1d", "1d ", "1d\n", "1w", "1D", "1d12h", "१d"]
)
def test_what_is_no_age_is_refused(age: str) -> None:
    with pytest.raises(Misconfigured, match="such as 90d"):
        moment_before(CREATED, age)


@pytest.mark.parametrize("age", ["999999d", "9999999999d", "999999999999999999s", "999999999999999999d"])
def test_an_age_that_goes_back_too_far_is_refused(age: str) -> None:
    with pytest.raises(Misconfigured, match=age):
        moment_before(CREATED, age)


def test_an_age_of_very_many_digits_is_refused() -> None:
    with pytest.raises(Misconfigured):
        moment_before(CREATED, "9" * 10_000 + "d")
