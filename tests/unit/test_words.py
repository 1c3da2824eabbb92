"""Numbers and times as the page shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from acuse.entrypoints.ops import words


@pytest.mark.parametrize(
    ("a_second", "told"),
    [
        (0, ("0", "/min")),
        (0.99, ("59", "/min")),
        (1, ("1", "/s")),
        (7.25, ("7.2", "/s")),
        (99.94, ("99.9", "/s")),
        (100, ("100", "/s")),
        (12_345.6, ("12,346", "/s")),
    ],
)
def test_a_rate_has_the_unit_that_suits_it(a_second: float, told: tuple[str, str]) -> None:
    assert words.rate(a_second) == told


def test_a_moment_is_told_to_the_second_or_to_the_millisecond() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 67_891, tzinfo=UTC)

    assert words.utc(moment) == "2026-01-02 03:04:05 UTC"
    assert words.exactly(moment) == "2026-01-02 03:04:05.067 UTC"


def test_what_has_room_is_whole_and_what_has_not_ends_with_an_ellipsis() -> None:
    assert [words.short("a long name", most) for most in (11, 10, 3)] == ["a long name", "a long na…", "a…"]


def test_a_decade_of_seconds_has_one_unit() -> None:
    assert [words.axis_seconds(value) for value in (0.01, 0.1, 1.0, 1_000.0)] == ["10 ms", "100 ms", "1 s", "1,000 s"]
