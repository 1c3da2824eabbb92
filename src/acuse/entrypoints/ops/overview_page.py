"""What the overview says, made of what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from markupsafe import Markup

from acuse.application.duration import in_words
from acuse.application.overview import LATELY, PICTURE, Share, Summary, Verdict, judged, silences
from acuse.domain.record import rfc3339
from acuse.domain.tally import BOUNDS, SPAN
from acuse.entrypoints.ops import words
from acuse.entrypoints.ops.charts import Bar, Line, Plot, Tick, barred, plotted
from acuse.entrypoints.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from acuse.application.latency import Latency
    from acuse.domain.backlog import Load
    from acuse.domain.record import Record
    from acuse.entrypoints.ops.look import Seen

NOT_TOLD = "The queue of this store counts all actions together."
MOST_BARS = 5
MOST_NAMED = 18
"""Characters of an action's name beside its figures; the table has all of it."""
DASH = "\N{EN DASH}"
TOP = words.seconds(BOUNDS[-1])


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number that matters, and what else is to be known of it."""

    name: str
    value: str
    unit: str = ""
    notes: Sequence[tuple[str, str]] = ()
    """Each with its look."""
    at_most: bool = False


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """A chart, the names of its lines, and what it shows as a table."""

    part: str
    title: str
    note: str
    svg: Markup
    names: Sequence[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class FailedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A request that failed."""

    id: str
    action: str
    reason: str
    detail: str
    at: datetime


class OverviewView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the page."""

    at: datetime
    verdict: Verdict
    well: str
    figures: Sequence[Figure] = ()
    drawings: Sequence[Drawing] = ()
    actions: Sequence[Share] = ()
    lately: str = in_words(LATELY)
    not_told: str = NOT_TOLD
    failed: Sequence[FailedRow] = ()
    order: str = ""
    is_away: bool = False
    is_live: bool = True


def overview_view(seen: Seen, silent: Mapping[str, float]) -> OverviewView:
    """The view of what was seen. `silent`: parts of the service that do not show themselves, for how many seconds."""
    summary = seen.summary
    if summary is None:
        reasons = [f"The store cannot be reached: {visible(seen.away or '')}", *silences(silent)]
        return OverviewView(at=seen.at, verdict=Verdict(reasons=reasons), well="", is_away=True)
    return OverviewView(
        at=seen.at,
        verdict=judged(summary, silent),
        well=_well(summary.lately),
        figures=_figures(summary),
        drawings=[_throughput(summary), _durations(summary), _backlog(summary)],
        actions=summary.actions,
        failed=[_failed(record) for record in seen.failed],
        order=seen.order.value.capitalize(),
    )


def _well(lately: Share) -> str:
    if not lately.finished:
        return f"Ready. Nothing finished in the last {in_words(LATELY)}, and nothing failed."
    return f"{lately.finished:,} finished in the last {in_words(LATELY)}, none failed."


def _figures(summary: Summary) -> list[Figure]:
    lately, load, took = summary.lately, summary.load, summary.latency
    accepted, accepted_unit = words.rate(summary.accepted_rate)
    finished, finished_unit = words.rate(summary.finished_rate)
    ended = [(f"{lately.finished:,} in {in_words(LATELY)}", "")]
    ended += [(f"{lately.failed:,} failed", "bad")] if lately.failed else []
    waits = [(f"oldest for {in_words(summary.oldest)}", "")] if load.waiting and summary.oldest is not None else []
    waits += [(f"{load.running:,} running", "")] if load.running else []
    waits += [(f"{load.delayed:,} delayed", "")] if load.delayed else []
    return [
        Figure(
            name="Accepted",
            value=accepted,
            unit=accepted_unit,
            notes=[(f"{lately.accepted:,} in {in_words(LATELY)}", "")],
        ),
        Figure(name="Finished", value=finished, unit=finished_unit, notes=ended),
        _latency_figure(took),
        Figure(name="Waiting", value=f"{load.waiting:,}", notes=waits or [("nothing runs", "")]),
    ]


def _latency_figure(took: Latency | None) -> Figure:
    name = "Median latency"
    if took is None:
        return Figure(name=name, value=DASH, notes=[(f"nothing finished in {in_words(LATELY)}", "")])
    most = took.most.at_most
    note = f"95 %: more than {TOP}" if most is None else f"95 %: no more than {words.seconds(most)}"
    if took.median.at_most is None:
        return Figure(name=name, value=f"> {TOP}", notes=[(note, "")])
    number, unit = words.seconds(took.median.at_most).split(" ", 1)
    return Figure(name=name, value=number, unit=unit, notes=[(note, "")], at_most=True)


def _throughput(summary: Summary) -> Drawing:
    points = summary.points
    most = max((max(point.accepted, point.finished, point.failed) for point in points), default=0)
    per, unit = (SPAN.total_seconds(), "/s") if most >= SPAN.total_seconds() else (SPAN / timedelta(minutes=1), "/min")
    lines = [
        Line(name="finished", look="finished", filled=True, values=[point.finished / per for point in points]),
        Line(name="accepted", look="accepted", values=[point.accepted / per for point in points]),
    ]
    if any(point.failed for point in points):
        lines.append(Line(name="failed", look="failed", values=[point.failed / per or None for point in points]))
    accepted, finished = sum(point.accepted for point in points), sum(point.finished for point in points)
    failed = sum(point.failed for point in points)
    told = f"In the last {in_words(PICTURE)} {accepted:,} were accepted, {finished:,} finished and {failed:,} failed."
    plot = Plot(told=told, lines=lines, below=_axis(), label=lambda value: f"{value:,g} {unit}")
    return Drawing(
        part="throughput",
        title="Accepted and finished",
        note=told,
        svg=Markup(plotted(plot)),  # noqa: S704  (charts escape)
        names=[(line.name, line.look) for line in lines],
        columns=("10 seconds from", "accepted", "finished", "failed"),
        rows=[
            (rfc3339(point.at)[11:19], f"{point.accepted:,}", f"{point.finished:,}", f"{point.failed:,}")
            for point in reversed(points)
            if point.accepted or point.finished or point.failed
        ],
    )


def _durations(summary: Summary) -> Drawing:
    took = [(point.at, point.latency) for point in summary.points]
    lines = [
        Line(name="95 %", look="most", values=[None if one is None else one.most.seconds for _, one in took]),
        Line(name="half", look="median", values=[None if one is None else one.median.seconds for _, one in took]),
    ]
    told = f"Nothing finished in the last {in_words(LATELY)}."
    if summary.latency is not None:
        median, most = summary.latency.median, summary.latency.most
        told = (
            f"In the last {in_words(LATELY)} half took about {words.seconds(median.seconds)},"
            f" 95 % about {words.seconds(most.seconds)} at most."
        )
    plot = Plot(told=told, lines=lines, below=_axis(), label=words.axis_seconds, logarithmic=True)
    return Drawing(
        part="latency",
        title="From created to finished",
        note=told,
        svg=Markup(plotted(plot)),  # noqa: S704  (charts escape)
        names=[("half took at most", "median"), ("95 % took at most", "most")],
        columns=("10 seconds from", "half within about", "95 % within about"),
        rows=[
            (rfc3339(at)[11:19], words.seconds(one.median.seconds), words.seconds(one.most.seconds))
            for at, one in reversed(took)
            if one is not None
        ],
    )


def _backlog(summary: Summary) -> Drawing:
    loads = [(share.action, share.load) for share in summary.actions if share.load is not None]
    if not summary.tells_actions_apart:
        loads = [("all actions", summary.load)]
    rows = [(name, f"{load.waiting:,}", f"{load.running:,}", f"{load.delayed:,}") for name, load in loads]
    busy = [one for one in loads if _size(one[1])]
    busy.sort(key=lambda one: -_size(one[1]))
    bars = [
        Bar(
            name=words.short(visible(name), MOST_NAMED),
            said=_said(load),
            pieces=[(load.running, "running"), (load.waiting, "waiting"), (load.delayed, "delayed")],
        )
        for name, load in busy[:MOST_BARS]
    ]
    total = summary.load
    told = f"{total.waiting:,} waiting, {total.running:,} running, {total.delayed:,} delayed."
    told = told if bars else "Nothing waits and nothing runs."
    return Drawing(
        part="backlog",
        title="Waiting and running",
        note=told if summary.tells_actions_apart else f"{told} {NOT_TOLD}",
        svg=Markup(barred(told, bars)) if bars else Markup(),  # noqa: S704  (charts escape)
        names=[("running", "running"), ("waiting", "waiting"), ("delayed", "delayed")],
        columns=("action", "waiting", "running", "delayed"),
        rows=rows,
    )


def _said(load: Load) -> str:
    """Two of the three at most: there is no room for more, and the bar and the table have all."""
    counts = {"waiting": load.waiting, "running": load.running, "delayed": load.delayed}
    return ", ".join([f"{count:,} {name}" for name, count in counts.items() if count][:2])


def _size(load: Load) -> int:
    return load.waiting + load.running + load.delayed


def _axis() -> list[Tick]:
    return [Tick(0, f"{in_words(PICTURE)} ago"), Tick(0.5, ""), Tick(1, "now")]


def _failed(record: Record) -> FailedRow:
    return FailedRow(
        id=record.id,
        action=record.action,
        reason="" if record.error is None else record.error.reason,
        detail="" if record.error is None else words.remark(record.error.detail),
        at=record.finished_at or record.created_at,
    )
