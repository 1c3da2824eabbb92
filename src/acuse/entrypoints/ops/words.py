"""Numbers, times and what clients sent, as the page shows them."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from acuse.application.duration import in_words
from acuse.entrypoints.visible import visible

MOST_SHOWN = 16_384
"""Characters of one value that are shown; `acuse show` prints all."""
MOST_REMARKED, MOST_EXPLAINED = 200, 500
"""Characters of what somebody wrote in a row of a table, and of why a part failed, which no other page tells."""
MOST_FORMATTED = 1_048_576
"""Bytes of JSON that are spread over lines."""
PER_SECOND = 1.0


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A value, perhaps cut; `of`: how many bytes it has in all, if it was."""

    text: str
    of: int | None = None


def rate(a_second: float) -> tuple[str, str]:
    """A rate in the unit that suits it: the number, and the unit."""
    if a_second >= PER_SECOND:
        return f"{a_second:,.0f}" if a_second >= 100 else f"{a_second:.1f}".removesuffix(".0"), "/s"  # noqa: PLR2004
    return f"{a_second * 60:.0f}", "/min"


def seconds(value: float) -> str:
    """So many seconds in words."""
    return in_words(timedelta(seconds=value))


def utc(moment: datetime) -> str:
    """The time of day and the date, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def exactly(moment: datetime) -> str:
    """The same, to the millisecond."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"


def axis_seconds(value: float) -> str:
    """A power of ten of seconds, in one unit."""
    return f"{value * 1_000:,g} ms" if value < 1 else f"{value:,g} s"


def short(text: str, most: int) -> str:
    """The text, or as many of its characters as there is room for."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def remark(text: str, most: int = MOST_REMARKED) -> str:
    """What somebody wrote, in a row of a table."""
    return visible(short(text, most))


def text(value: str) -> Shown:
    """What somebody wrote, cut at the bound."""
    return _cut(value, len(value.encode(errors="surrogatepass")))


def json(value: bytes) -> Shown:
    """The JSON over lines, cut at the bound."""
    try:
        whole = value if len(value) > MOST_FORMATTED else msgspec.json.format(value)
    except (msgspec.DecodeError, RecursionError):  # A damaged file may hold anything, and an action may nest deeply.
        whole = value
    return _cut(whole[: 4 * MOST_SHOWN + 4].decode(errors="ignore"), len(value), more=len(whole) > 4 * MOST_SHOWN)


def _cut(value: str, size: int, *, more: bool = False) -> Shown:
    is_cut = more or len(value) > MOST_SHOWN
    return Shown(text=visible(value[:MOST_SHOWN]), of=size if is_cut else None)
