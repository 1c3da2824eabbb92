"""The picture of a run."""

from __future__ import annotations

from io import BytesIO
from statistics import median
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tests.soak.growth import buckets
from tests.soak.measures import MEASURES, ROLES, Panel
from tests.soak.report import series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from tests.soak.report import Outcome

POINTS = 120
LONG_SECONDS = 240.0
LARGE = 10
COLOUR_COUNT = 256
"""Enough for lines and letters, and a file half as large."""
COLOURS = {"processes": "black"} | dict(
    zip(ROLES, ("tab:gray", "tab:blue", "tab:olive", "tab:orange", "tab:purple"), strict=True)
)
STYLES = {"used": "--", "ended": "--", "processes": ":"}
"""Of what may lie over another."""
GREEN, RED, GREY = "#1a7f37", "#c62828", "#9e9e9e"


def plot(outcome: Outcome, file: Path) -> None:
    """The file holds a PNG: one panel a kind of measure, over the time of the run."""
    figure = Figure(figsize=(11, 13), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(Panel), 1, sharex=True)
    is_long = outcome.seconds > LONG_SECONDS
    scale = 60.0 if is_long else 1.0
    is_well = outcome.is_whole and not outcome.growing
    figure.suptitle(outcome.headline, fontsize=12, fontweight="bold", color=GREEN if is_well else RED, wrap=True)
    for panel, axes in zip(Panel, panels, strict=True):
        _draw(outcome, panel, axes, scale)
    panels[0].text(outcome.warm_up / scale / 2, 2, "warm-up", color=GREY, ha="center", fontsize=8)
    panels[0].set_xlim(0, outcome.seconds / scale)
    panels[-1].set_xlabel("minutes" if is_long else "seconds")
    drawn = BytesIO()
    figure.savefig(drawn)
    Image.open(drawn).convert("RGB").quantize(COLOUR_COUNT).save(file, "PNG", optimize=True)


def _draw(outcome: Outcome, panel: Panel, axes: Axes, scale: float) -> None:
    growing = outcome.growing
    for measure in MEASURES:
        found = series(outcome.samples, measure.name)
        if measure.panel is not panel or not found:
            continue
        points = buckets(found, POINTS)
        axes.plot(
            [at / scale for at, _ in points],
            [value for _, value in points],
            linewidth=3 if measure.name in growing else 1.2,
            linestyle=STYLES.get(measure.name, "-"),
            color=COLOURS.get(measure.label),
            label=f"{measure.label}  {_last(found)}{'  GROWS' if measure.name in growing else ''}",
        )
    if panel is Panel.LATENCY:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.axvspan(0, outcome.warm_up / scale, color=GREY, alpha=0.15, linewidth=0)
    axes.set_ylabel(panel)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)


def _last(found: Sequence[tuple[float, float]]) -> str:
    """The median of the last fifth."""
    value = median(value for _, value in found[len(found) * 4 // 5 :])
    return f"{value:,.0f}" if value >= LARGE else f"{value:.2g}"
