"""The report as a picture."""

from __future__ import annotations

from bisect import bisect
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter
from PIL import Image

from infra.costs.bill import MILLION
from infra.costs.prices import Item
from infra.costs.workload import Capacity, Unfit
from infra.deployment import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from infra.costs.profiles import Terms
    from infra.costs.report import Report

COLOURS = {Profile.LAMBDA: "#1f6feb", Profile.FARGATE: "#d4640a"}
STYLES = {Capacity.ON_DEMAND: "-", Capacity.PROVISIONED: "--"}
GREY, DARK = "#8c8c8c", "#222222"
SLOWEST, FASTEST, POINTS = 0.1, 10_000.0, 120
LEAST_SHARE = 0.05
COLOUR_COUNT = 256
"""Enough for lines and letters, and a file half as large."""
ABOVE, BELOW = (18, 30), (22, -36)
LITTLE, MUCH = 8.0, 1_000.0
"""How many times the least the most is: below, an axis is linear; above, only powers of ten are named."""


class Curve(NamedTuple):
    """What a profile costs over the requests a second."""

    profile: Profile
    capacity: Capacity
    rates: list[float]
    monthly: list[float]
    per_million: list[float]


def draw(report: Report, terms: Terms, file: Path) -> None:
    """The file holds a PNG. Raises Unfit where it cannot be written."""
    figure = Figure(figsize=(15, 5.6), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    month, million, capacity = figure.subplots(1, 3, width_ratios=[1.15, 1.15, 1])
    figure.suptitle(_title(report), fontsize=11, color=DARK)
    curves = _curves(report, terms)
    _draw_rates(report, month, curves, [curve.monthly for curve in curves], "USD a month", BELOW)
    _draw_rates(report, million, curves, [curve.per_million for curve in curves], "USD a million requests", ABOVE)
    month.legend(loc="upper left", fontsize=9, frameon=False)
    _draw_capacity(terms, capacity)
    drawn = BytesIO()
    figure.savefig(drawn)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.open(drawn).convert("RGB").quantize(COLOUR_COUNT).save(file, "PNG", optimize=True)
    except OSError as error:
        raise Unfit(f"{file}: {error.strerror}") from error


def _title(report: Report) -> str:
    load = report.workload
    parts = f"in {load.parts:,} parts of {load.run_seconds:g} s" if load.parts else f"runs of {load.run_seconds:g} s"
    return (
        f"{report.region}: {parts} in {load.worker_mb:,} MB, items of {load.item_bytes:,} + {load.result_bytes:,} "
        f"bytes, {load.bulk:,} in a POST, kept {load.storage_months:g} months. List prices without free tiers."
    )


def _curves(report: Report, terms: Terms) -> list[Curve]:
    turn = report.crossings[0].at if not report.impossible else None
    low, high = (SLOWEST, FASTEST) if turn is None else (min(SLOWEST, turn / 4), max(FASTEST, turn * 4))
    rates = [low * (high / low) ** (step / (POINTS - 1)) for step in range(POINTS)]
    curves = []
    for profile in (profile for profile in Profile if profile not in report.impossible):
        for capacity in Capacity:
            load = msgspec.structs.replace(report.workload, capacity=capacity)
            bills = [terms.bill(profile, load.at(rate)) for rate in rates]
            monthly = [bill.total for bill in bills]
            curves.append(Curve(profile, capacity, rates, monthly, [bill.per_million for bill in bills]))
    return curves


def _draw_rates(
    report: Report,
    axes: Axes,
    curves: Sequence[Curve],
    heights: Sequence[list[float]],
    unit: str,
    aside: tuple[int, int],
) -> None:
    load = report.workload
    for curve, height in zip(curves, heights, strict=True):
        is_demand = curve.capacity is Capacity.ON_DEMAND
        axes.plot(
            curve.rates,
            height,
            color=COLOURS[curve.profile],
            linestyle=STYLES[curve.capacity],
            linewidth=2 if is_demand else 1.1,
            label=curve.profile if is_demand else f"{curve.profile}, table provisioned, {load.utilisation:.0%} used",
        )
    axes.set_xlabel("requests a second")
    axes.set_title(unit, fontsize=11, loc="left", color=DARK)
    _grade(axes, max(map(max, heights)) / min(map(min, heights)))
    _tidy(axes)
    turn = report.crossings[0]
    if not report.impossible and turn.at is not None:
        up = next(height for curve, height in zip(curves, heights, strict=True) if curve.capacity is load.capacity)
        nearest = bisect(curves[0].rates, turn.at)
        _mark(axes, turn.at, up[nearest], f"{turn.at:,.3g} requests/s:\n{turn.above} from here on", aside)


def _grade(axes: Axes, spread: float) -> None:
    """Logarithmic, but for costs that differ too little for it."""
    grown: list[tuple[Axis, tuple[int, ...]]] = [(axes.xaxis, (1,))]
    axes.set_xscale("log")
    if spread < LITTLE:
        axes.set_ylim(0, 1.1 * axes.dataLim.y1)
    else:
        axes.set_yscale("log")
        grown.append((axes.yaxis, (1, 2, 5) if spread < MUCH else (1,)))
    for axis, subs in grown:
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(_figure))
    axes.yaxis.set_major_formatter(FuncFormatter(_figure))


def _figure(value: float, _: int | None) -> str:
    return f"{value:,.10g}"


def _draw_capacity(terms: Terms, axes: Axes) -> None:
    """What a million writes cost, by the use of what is provisioned."""
    demand = terms.prices[Item.WRITE].first * MILLION
    hour = terms.prices[Item.WRITE_CAPACITY].first * MILLION / 3_600
    shares = [LEAST_SHARE + (1 - LEAST_SHARE) * step / POINTS for step in range(POINTS + 1)]
    axes.axhline(demand, color=DARK, linewidth=2, label=f"on-demand: {demand:,.3g}")
    axes.plot(
        shares,
        [hour / share for share in shares],
        color=DARK,
        linestyle="--",
        linewidth=1.4,
        label=f"provisioned: {hour:,.3g} where all is used",
    )
    axes.set_xlabel("mean use of what is provisioned")
    axes.set_title("USD a million write units", fontsize=11, loc="left", color=DARK)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 4 * demand)
    _tidy(axes)
    axes.legend(loc="upper right", fontsize=9, frameon=False)
    _mark(axes, hour / demand, demand, f"{hour / demand:.0%}: provisioned\nfrom here on")


def _mark(axes: Axes, across: float, up: float, text: str, aside: tuple[int, int] = ABOVE) -> None:
    axes.plot(
        [across], [up], marker="o", markersize=7, color="white", markeredgecolor=DARK, markeredgewidth=1.6, zorder=5
    )
    axes.annotate(
        text,
        (across, up),
        xytext=aside,
        textcoords="offset points",
        fontsize=9,
        color=DARK,
        arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.8},
    )


def _tidy(axes: Axes) -> None:
    axes.grid(visible=True, which="major", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=DARK, labelsize=9)
