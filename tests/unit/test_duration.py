"""How long something is, in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from acuse.application.duration import ago, in_words
from tests.requests import CREATED


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 ms"),
        (0, "0 ms"),
        (0.0004, "0 ms"),
        (0.0451, "45 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (1, "1 s"),
        (1.26, "1.3 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (10.4, "10 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3_600, "1 h"),
        (3_605, "1 h"),
        (7_500, "2 h 5 min"),
        (86_400, "1 d"),
        (3 * 86_400 + 4 * 3_600 + 59, "3 d 4 h"),
        (400 * 86_400, "400 d"),
    ],
)
def test_a_duration_is_said_in_two_units_at_most_that_follow_each_other(seconds: float, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-2, "just now"), (0.99, "just now"), (1, "1 s ago"), (1.99, "1 s ago"), (200, "3 min ago"), (7_500, "2 h ago")],
)
def test_how_long_ago_it_was_is_said_in_one_unit(seconds: float, words: str) -> None:
    assert ago(CREATED, CREATED + timedelta(seconds=seconds)) == words
