"""How long something is, as people say it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

A_SECOND = timedelta(seconds=1)
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def in_words(duration: timedelta, *, units: int = 2) -> str:
    """In so many units at most: 45 ms, 1.2 s, 45 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. What is below zero is none."""
    seconds = max(duration.total_seconds(), 0)
    if round(seconds, 3) < 1:
        return f"{seconds * 1_000:.0f} ms"
    if round(seconds, 1) < 10:  # noqa: PLR2004  (two digits tell enough)
        return f"{seconds:.1f} s".replace(".0 ", " ")
    left = round(seconds)
    said: list[str] = []
    for unit, size in UNITS:
        count, left = divmod(left, size)
        if count:
            said.append(f"{count} {unit}")
        elif said:
            break
    return " ".join(said[:units])


def ago(moment: datetime, now: datetime) -> str:
    """How long ago it was."""
    since = now - moment
    if since < A_SECOND:  # The clocks of two machines differ by as much.
        return "just now"
    return f"{in_words(since // A_SECOND * A_SECOND, units=1)} ago"
