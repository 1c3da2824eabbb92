"""The report as tables of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from infra.costs.bill import MILLION, Side
from infra.costs.fields import described
from infra.deployment import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec
    from rich.console import Console

    from infra.costs.bill import Bill, Line
    from infra.costs.crossing import Crossing
    from infra.costs.report import Report, Total

UNSOURCED = "*"
TAKEN = (
    "A run is taken to last as long in both profiles: at the sizes of the stack, a function of 1,024 MB has 0.58 of a "
    "processor, and a runner of a task has 0.5. The price of Spot floats."
)
LEFT_OUT = (
    "Not counted: free tiers, taxes, cold starts, retries, batches that are taken all or none, runs given back, "
    "bounds of concurrency, what Container Insights logs, flow logs, images in ECR, "
    "access logs of the load balancer in S3, calls of KMS, a NAT gateway."
)


def show(report: Report, console: Console) -> None:
    """All of it is printed."""
    console.print(_lines(report))
    for profile, reason in report.impossible.items():
        console.print(f"No bill for profile {profile}: {reason}.")
    console.print(_rates(report))
    console.print(_crossings(report))
    console.print(_fields("The workload", report.workload))
    console.print(_fields("Assumptions, none of them measured in AWS", report.assumptions))
    console.print(_sources(report))
    for text in _notes(report):
        console.print(text)


def amount(usd: float) -> str:
    """With as many digits as tell something."""
    return f"{usd:,.0f}" if usd >= 1_000 else f"{usd:,.2f}" if usd >= 0.01 else f"{usd:.4f}"  # noqa: PLR2004


def figure(value: float) -> str:
    """A quantity, with as many digits as tell something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"  # noqa: PLR2004


def _table(title: str, *columns: str) -> Table:
    """The first column is text, the others are figures."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", overflow="fold")
    return table


def _lines(report: Report) -> Table:
    load = report.workload
    millions = figure(load.requests / MILLION)
    title = f"USD a month in {report.region}, at {load.requests_per_second:,g} requests/s ({millions} million a month)"
    table = _table(title, "", "quantity", "unit", "$ a month", "$ a million")
    for bill in report.bills:
        table.add_row(f"[bold]profile {bill.profile}")
        for side in Side:
            for line in (line for line in bill.lines if line.side is side):
                table.add_row(*_line(line, bill))
        table.add_row("[bold]total", "", "", f"[bold]{amount(bill.total)}", f"[bold]{amount(bill.per_million)}")
        table.add_section()
    return table


def _line(line: Line, bill: Bill) -> Iterator[str]:
    yield f"  {line.side}: {line.what}{'' if line.basis.is_sourced else ' ' + UNSOURCED}"
    yield figure(line.quantity)
    yield line.unit
    yield amount(line.usd)
    yield amount(line.usd / bill.requests * MILLION)


def _rates(report: Report) -> Table:
    columns = [f"{profile}: {what}" for profile in Profile for what in ("$ a month", "$ a million")]
    table = _table("By requests a second", "requests/s", "million a month", "runs at once", *columns, "cheaper")
    for rate in sorted({total.requests_per_second for total in report.totals}):
        totals = {total.profile: total for total in report.totals_at(rate)}
        cheapest = min(totals.values(), key=lambda total: total.usd_a_month)
        table.add_row(
            f"{rate:,g}",
            figure(report.workload.at(rate).requests / MILLION),
            figure(cheapest.runs_at_once),
            *(text for profile in Profile for text in _both(totals.get(profile))),
            cheapest.profile,
        )
    return table


def _both(total: Total | None) -> tuple[str, str]:
    return ("-", "-") if total is None else (amount(total.usd_a_month), amount(total.usd_a_million))


def _crossings(report: Report) -> Table:
    table = _table("What is cheaper", "", "where")
    table.columns[1].justify = "left"
    for one in report.crossings:
        table.add_row(one.what, said(one))
    return table


def said(crossing: Crossing) -> str:
    """In words."""
    if crossing.at is None:
        return f"{crossing.below} throughout, from {crossing.low:g} to {figure(crossing.high)} {crossing.unit}"
    more = "".join(f"; it turns again at {figure(place)}" for place in crossing.more)
    return f"{crossing.below} below {figure(crossing.at)} {crossing.unit}, {crossing.above} above{more}"


def _fields(title: str, values: msgspec.Struct) -> Table:
    table = _table(title, "name", "value", "")
    table.columns[2].justify = "left"
    for name, value, text in described(values):
        table.add_row(name, value, text)
    return table


def _sources(report: Report) -> Table:
    table = _table("Prices", "", "USD", "for", "date", "basis", "source")
    table.columns[5].justify = "left"
    for item, price in report.prices.items():
        mark = "" if price.basis.is_sourced else f" {UNSOURCED}"
        tiers = ", ".join(f"{tier.usd:g}" for tier in price.tiers)
        unit = price.unit if price.per == 1 else f"{price.per:,} {price.unit}s"
        table.add_row(f"{item}{mark}", tiers, unit, f"{price.date}", price.basis, price.source)
    return table


def _notes(report: Report) -> Iterator[str]:
    if report.unsourced:
        yield f"{UNSOURCED} rests on a price that has no source for {report.region}: {', '.join(report.unsourced)}."
    yield TAKEN
    yield LEFT_OUT
