from __future__ import annotations

from acuse.application.pace import CHUNK_SECONDS, MAX_CHUNK, Pace


def test_an_unknown_action_travels_alone() -> None:
    pace = Pace()

    assert pace.limit == 1
    assert pace.expected("new") == CHUNK_SECONDS
    assert not pace.fits("new", 0.0)


def test_short_runs_travel_together_ever_more_of_them() -> None:
    pace = Pace()
    limits = []
    for _ in range(10):
        for _ in range(pace.limit):
            pace.observe("short", 0.00001)
        pace.finish()
        limits.append(pace.limit)

    assert limits == [2, 4, 8, 16, 32, 64, 128, MAX_CHUNK, MAX_CHUNK, MAX_CHUNK]
    assert pace.fits("short", 0.0)
    assert not pace.fits("short", CHUNK_SECONDS)


def test_a_long_run_makes_the_next_chunk_small() -> None:
    pace = Pace()
    for seconds in (0.001, 0.001, 10.0):
        pace.observe("any", seconds)
        pace.finish()

    assert pace.limit == 1


def test_what_is_known_of_an_action_moves_with_what_is_seen() -> None:
    pace = Pace()
    pace.observe("a", 1.0)
    pace.observe("a", 2.0)

    assert 1.0 < pace.expected("a") < 2.0


def test_what_travels_alone_is_asked_for_alone() -> None:
    pace = Pace()
    for _ in range(5):
        pace.observe("short", 0.00001)
        pace.finish()

    pace.alone()
    pace.observe("short", 0.00001)
    pace.finish()

    assert pace.limit == 1
