"""Charts as SVG: drawn from what is given to them alone, for a page with style.css or as a document of their own.

Text keeps its size and lines their width however wide a chart is: only what is between the axes is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

TOP, FOOT = 18, 20
"""Pixels above the highest line, for its label, and below the lowest, for those of the other axis."""
STEPS = (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10)
DECADE = 10
THIN = 5


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line: where there is no value it is interrupted. `look`: a class of style.css; `filled`: down to zero."""

    name: str
    look: str
    values: Sequence[float | None]
    filled: bool = False


class Tick(msgspec.Struct, frozen=True):
    """A place on an axis, from 0 to 1, and what is written there."""

    place: float
    text: str


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """Lines over one axis that all their values share. `told`: the chart in a sentence, for who cannot see it."""

    told: str
    lines: Sequence[Line]
    below: Sequence[Tick]
    label: Callable[[float], str]
    logarithmic: bool = False
    height: int = 160


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar with its name above it. `pieces`: lengths, one after another, each with a look."""

    name: str
    said: str
    pieces: Sequence[tuple[float, str]]


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """From where to where something lasted, each from 0 to 1."""

    start: float
    end: float
    look: str
    name: str


def plotted(plot: Plot) -> str:
    """The lines, to be put into a page."""
    return _svg(plot.told, plot.height + TOP + FOOT, _plot(plot))


def document(plot: Plot, title: str, *, width: int = 720) -> str:
    """The lines with their names, as a file of its own."""
    style = (resources.files(__package__) / "static" / "chart.css").read_text("utf-8")
    names = "".join(
        f'<g transform="translate({24 + 150 * place} 46)"><rect class="{escape(line.look)}" y="-8" width="10"'
        f' height="10" rx="2"/><text class="named" x="16">{escape(line.name)}</text></g>'
        for place, line in enumerate(plot.lines)
    )
    tall = plot.height + TOP + FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="alone" width="{width}" height="{tall + 76}"'
        f' role="img" aria-label="{escape(plot.told)}"><style>{escape(style, quote=False)}</style>'
        f'<rect class="paper" width="100%" height="100%"/><text class="title" x="24" y="26">{escape(title)}</text>'
        f'{names}<svg x="24" y="60" width="{width - 48}" height="{tall}" class="chart">{_plot(plot)}</svg></svg>\n'
    )


def barred(told: str, bars: Sequence[Bar]) -> str:
    """Bars of one scale, one below another, to be put into a page."""
    longest = max((sum(length for length, _ in bar.pieces) for bar in bars), default=0) or 1
    drawn: list[str] = []
    for row, bar in enumerate(bars):
        top, start = 34 * row, 0.0
        drawn += [
            f'<text class="name" x="0" y="{top + 13}">{escape(bar.name)}</text>',
            f'<text class="value" x="100%" y="{top + 13}">{escape(bar.said)}</text>',
            f'<rect class="track" y="{top + 19}" width="100%" height="6" rx="3"/>',
        ]
        for length, look in bar.pieces:
            width = 100 * length / longest
            if width:
                drawn.append(_rect(start, top + 19, width, 6, look))
            start += width
    return _svg(told, 34 * len(bars), "".join(drawn))


def stretched(told: str, stretches: Sequence[Stretch], below: Sequence[Tick]) -> str:
    """Stretches of time, one below another, to be put into a page."""
    step = max(4, min(18, 320 // max(len(stretches), 1)))
    tall = step * len(stretches)
    thick = step - 2 if step > THIN else step - 1
    drawn = [
        _rect(100 * one.start, row * step + 1, 100 * max(one.end - one.start, 0.003), thick, one.look, one.name)
        for row, one in enumerate(stretches)
    ]
    lines = "".join(
        f'<line class="grid" x1="{100 * tick.place:.2f}%" x2="{100 * tick.place:.2f}%" y2="{tall}"/>' for tick in below
    )
    return _svg(told, tall + FOOT, lines + "".join(drawn) + _feet(below, tall))


def nice_above(value: float) -> float:
    """The lowest round number that is no less; 1 for nothing."""
    if value <= 0:
        return 1
    size = 10 ** math.floor(math.log10(value))
    return float(next(step * size for step in STEPS if step * size >= value * (1 - 1e-9)))


def _plot(plot: Plot) -> str:
    found = [value for line in plot.lines for value in line.values if value is not None]
    place, ticks = (_logarithmic if plot.logarithmic else _linear)(found, plot.label)
    drawn = [
        f'<line class="grid" x2="100%" y1="{_y(tick.place, plot):.1f}" y2="{_y(tick.place, plot):.1f}"/>'
        for tick in ticks
    ]
    longest = max((len(line.values) for line in plot.lines), default=0)
    drawn.append(
        f'<svg y="{TOP}" width="100%" height="{plot.height}" viewBox="0 0 {max(longest - 1, 1)} {plot.height}"'
        f' preserveAspectRatio="none">{"".join(_line(line, place, plot.height) for line in plot.lines)}</svg>'
    )
    drawn += [
        f'<text class="tick" y="{_y(tick.place, plot) - 4:.1f}">{escape(tick.text)}</text>'
        for tick in ticks
        if tick.text
    ]
    return "".join(drawn) + _feet(plot.below, plot.height + TOP)


def _line(line: Line, place: Callable[[float], float], height: int) -> str:
    drawn: list[str] = []
    for run in _runs(line.values):
        points = [(x, height * (1 - place(value))) for x, value in run]
        if len(points) == 1:  # A line without a length is not seen.
            ((x, y),) = points
            points = [(x - 0.3, y), (x + 0.3, y)]
        path = "L".join(f"{x:g} {y:.1f}" for x, y in points)
        if line.filled:
            drawn.append(f'<path class="area {escape(line.look)}" d="M{points[0][0]:g} {height}L{path}V{height}Z"/>')
        drawn.append(f'<path class="line {escape(line.look)}" d="M{path}"/>')
    return "".join(drawn)


def _runs(values: Iterable[float | None]) -> list[list[tuple[float, float]]]:
    """The stretches of values without a gap, each value with its place."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, value in enumerate(values):
        if value is not None:
            runs[-1].append((x, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _linear(values: Sequence[float], label: Callable[[float], str]) -> tuple[Callable[[float], float], list[Tick]]:
    most = nice_above(max(values, default=0))
    return lambda value: value / most, [Tick(share, label(most * share) if share else "") for share in (0, 0.5, 1)]


def _logarithmic(values: Sequence[float], label: Callable[[float], str]) -> tuple[Callable[[float], float], list[Tick]]:
    """Decades, two at least, that hold all the values; the lowest, where lines often are, is named by the others."""
    above = [value for value in values if value > 0] or [1]
    low, high = math.floor(math.log10(min(above))), math.ceil(math.log10(max(above)))
    high = max(high, low + 2)
    decades = [Tick((power - low) / (high - low), label(float(DECADE) ** power)) for power in range(low + 1, high + 1)]
    decades.append(Tick(0, ""))
    return lambda value: max((math.log10(value) - low) / (high - low), 0) if value > 0 else 0, decades


def _y(place: float, plot: Plot) -> float:
    return TOP + plot.height * (1 - place)


def _feet(ticks: Sequence[Tick], height: float) -> str:
    anchors = {0.0: "start", 1.0: "end"}
    return "".join(
        f'<text class="tick foot" x="{100 * tick.place:.2f}%" y="{height + 15}"'
        f' text-anchor="{anchors.get(tick.place, "middle")}">{escape(tick.text)}</text>'
        for tick in ticks
    )


def _rect(x: float, y: float, width: float, height: float, look: str, name: str = "") -> str:
    said = f"<title>{escape(name)}</title>" if name else ""
    return (
        f'<rect class="{escape(look)}" x="{x:.3f}%" y="{y:g}" width="{width:.3f}%" height="{height:g}"'
        f' rx="{min(3, height / 2):g}">{said}</rect>'
    )


def _svg(told: str, height: float, drawn: str) -> str:
    return f'<svg class="chart" role="img" aria-label="{escape(told)}" width="100%" height="{height:g}">{drawn}</svg>'
