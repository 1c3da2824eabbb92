"""Figures as people read them: a table, bars, and a chart in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from acuse.entrypoints.bench.figures import POINTS, Figures, Spread
from acuse.entrypoints.ops.charts import Line, Plot, Tick, document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

BARS, PLAIN_BARS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
GAP = 2
"""Points between two ways in the chart."""


def table(found: Mapping[str, Figures], sync: Spread) -> Group:
    """All of it, with the time that the disk takes for comparison."""
    rows = Table(box=None, pad_edge=False)
    rows.add_column("", no_wrap=True)
    for name in found:
        rows.add_column(name, justify="right", no_wrap=True)
    for title, cell, is_worth_it in _ROWS:
        if any(map(is_worth_it, found.values())):
            rows.add_row(title, *map(cell, found.values()))
    alone = next(iter(found.values()))
    says = (
        f"A write to this disk takes {_times(sync)}. A POST takes as long as {alone.post.half / sync.half:.1f} of them,"
        f" and {alone.accepted_a_second * sync.half:.1f} requests are accepted in the time of one."
    )
    return Group(rows, "", Text(says))


def bars(name: str, figures: Figures, console: Console) -> Table:
    """What came and what ended over time, each against its own most."""
    steps = BARS if console.encoding.startswith("utf") else PLAIN_BARS
    drawn = Table(box=None, show_header=False, pad_edge=False)
    for title, rates, style in (
        ("accepted", figures.line.accepted, "blue"),
        ("ended", figures.line.ended, "green"),
    ):
        most = max(rates)
        text = "".join(steps[round(rate / most * (len(steps) - 1))] if most else steps[0] for rate in rates)
        drawn.add_row(f"{name}, {title}", Text(text, style), f"{_digits(most)}/s at most")
    whole = f"{figures.line.seconds:.1f} s"
    drawn.add_row("", Text("0 s" + whole.rjust(POINTS - len("0 s")), "dim"), "")
    return drawn


def chart(found: Mapping[str, Figures]) -> str:
    """As a file: the ways one after the other."""
    return document(
        Plot(
            told="; ".join(_said(name, one) for name, one in found.items()),
            lines=[
                Line(name="accepted", look="accepted", values=_joined(one.line.accepted for one in found.values())),
                Line(name="ended", look="finished", values=_joined(one.line.ended for one in found.values())),
            ],
            below=_ticks(list(found.items())),
            label=lambda value: f"{_digits(value)}/s",
        ),
        "acuse bench: requests a second",
    )


def _joined(lines: Iterable[Sequence[float]]) -> list[float | None]:
    """One line with a gap after each part."""
    return [value for line in lines for value in (*line, *[None] * GAP)]


def _ticks(found: Sequence[tuple[str, Figures]]) -> list[Tick]:
    whole = len(found) * (POINTS + GAP) - 1
    return [
        Tick(
            (place * (POINTS + GAP) + POINTS / 2) / whole,
            f"{name}: {one.accepted:,} in {one.line.seconds:.1f} s",
        )
        for place, (name, one) in enumerate(found)
    ]


def _said(name: str, one: Figures) -> str:
    return f"{name}: {one.accepted_a_second:,.0f} accepted and {one.ended_a_second:,.0f} ended a second"


def _times(spread: Spread | None) -> str:
    """All three in one unit."""
    if spread is None:
        return "-"
    scale, unit = (1, "s") if spread.nearly_all >= 1 else (1_000, "ms")
    return (
        " / ".join(_digits(scale * seconds) for seconds in (spread.half, spread.most, spread.nearly_all)) + f" {unit}"
    )


def _digits(value: float) -> str:
    """Two of them, or all before the point."""
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004  (two digits)


def _always(_: Figures) -> bool:
    return True


_ROWS: Sequence[tuple[str, Callable[[Figures], str], Callable[[Figures], bool]]] = (
    ("accepted", lambda one: f"{_digits(one.accepted_a_second)}/s", _always),
    ("ended", lambda one: f"{_digits(one.ended_a_second)}/s", _always),
    ("POST, p50 / p90 / p99", lambda one: _times(one.post), _always),
    ("created to finished, likewise", lambda one: _times(one.ending), _always),
    ("requests", lambda one: f"{one.accepted:,}", _always),
    ("refused for now", lambda one: f"{one.refused:,}", lambda one: one.refused > 0),
    ("failed", lambda one: f"{one.failed:,}", lambda one: one.failed > 0),
    ("not ended in time", lambda one: f"{one.left:,}", lambda one: one.left > 0),
    ("lost", lambda one: f"{one.lost:,}", _always),
)
