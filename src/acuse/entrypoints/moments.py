"""Moments as people write them: how long ago, or when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from acuse.domain.errors import Misconfigured

AGE = re.compile(r"([0-9]{1,18})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
WANTED = "an age, such as 6h (a number and s, m, h or d), or a moment, such as 2026-11-24T10:53:00Z, is wanted"


def moment_before(now: datetime, age: str) -> datetime:
    """When it was so long ago. Raises Misconfigured for what is no age."""
    match = AGE.fullmatch(age)
    if match is None or not int(match[1]):
        raise Misconfigured(f"{age!r} is no age: a number above 0 and a unit (s, m, h or d), such as 90d, is wanted")
    try:
        return now - timedelta(**{UNITS[match[2]]: int(match[1])})
    except OverflowError as error:
        raise Misconfigured(f"{age} ago there was no year yet") from error


def moment_of(now: datetime, text: str) -> datetime:
    """The moment, in UTC, of an age or of a date and time (RFC 3339). Raises Misconfigured for what is neither."""
    if AGE.fullmatch(text):
        return moment_before(now, text)
    if not MOMENT.fullmatch(text):
        raise Misconfigured(f"{text!r} is no moment: {WANTED}")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Misconfigured(f"{text!r} is no moment: {error}") from error
