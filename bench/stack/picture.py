"""The picture of a test: rate and latency over its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from bench.stack.figures import Second, Times
    from bench.stack.report import Report

GREY = "#9e9e9e"


def draw(report: Report, file: Path) -> None:
    """The file holds a PNG. The time is that of the sending; what was waited between steps is left out."""
    figure = Figure(figsize=(11, 7), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    rate, latency = figure.subplots(2, 1, sharex=True)
    figure.suptitle(f"{report.plan.url}, {report.started_at}", fontsize=10)
    found: list[tuple[float, Second]] = []
    start = 0.0
    for step in report.steps:
        found += [(start + second.at, second) for second in step.seconds]
        rate.text(start, 1.01, f" {step.step.rate:g}/s", color=GREY, fontsize=8, transform=rate.get_xaxis_transform())
        start += step.step.seconds
        for axes in (rate, latency):
            axes.axvline(start, color=GREY, linewidth=0.8)
    at = [at for at, _ in found]
    for color, label, values in (
        (GREY, "due", [second.due for _, second in found]),
        ("tab:blue", "of them stored", [second.stored for _, second in found]),
    ):
        rate.step([*at, start], [*values, *values[-1:]] if values else [0], where="post", color=color, label=label)
    rate.set_ylabel("requests in a second")
    rate.set_ylim(bottom=0)
    timed: list[tuple[float, Times]] = [(at, second.times) for at, second in found if second.times]
    for name, color in (("p50", "tab:blue"), ("p99", "tab:orange"), ("most", "tab:red")):
        values = [getattr(times, name) * 1000 for _, times in timed]
        latency.plot([at for at, _ in timed], values, ".-", color=color, linewidth=1, label=name)
    latency.set_yscale("log")
    latency.set_ylabel("POST, ms from when it was due")
    latency.set_xlabel("seconds of sending")
    for axes in (rate, latency):
        axes.grid(visible=True, alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper left", fontsize=8)
    figure.savefig(file, format="png")
