"""What a test found: for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

from bench.stack.figures import Figures
from bench.stack.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.stack.figures import Times


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The plan, and the figures of each step that was run, as far as it was run."""

    plan: Plan
    started_at: str
    clock_offset: float
    """Seconds that the clock of the service is ahead of the one here, about."""
    steps: tuple[Figures, ...]

    @property
    def is_kept(self) -> bool:
        """Whether nothing that was acknowledged is lost or changed, as far as was looked."""
        return all(step.is_kept for step in self.steps)


def table(report: Report) -> Table:
    """A column for each step."""
    made = Table(title=report.plan.url, title_justify="left")
    made.add_column("requests/s")
    for step in report.steps:
        made.add_column(f"{step.step.rate:,g}", justify="right")
    for title, rows in SECTIONS:
        made.add_section()
        made.add_row(title, style="bold")
        for label, cell in rows:
            made.add_row(f"  {label}", *map(cell, report.steps))
    return made


def _milliseconds(times: Times | None) -> str:
    return _joined(times, 1000.0, ",.0f")


def _in_seconds(times: Times | None) -> str:
    return _joined(times, 1.0, ",.2f")


def _joined(times: Times | None, scale: float, form: str) -> str:
    if times is None:
        return "-"
    return " / ".join(format(value * scale, form) for value in (times.p50, times.p95, times.p99, times.most))


def _counts(counts: dict[str, int]) -> str:
    return "\n".join(f"{name}: {count:,}" for name, count in counts.items()) or "0"


SECTIONS: tuple[tuple[str, tuple[tuple[str, Callable[[Figures], str]], ...]], ...] = (
    (
        "intake",
        (
            ("sent", lambda step: f"{step.sent:,}"),
            ("201 created", lambda step: f"{step.created:,}"),
            ("200 replayed, after a lost answer", lambda step: f"{step.replayed:,}"),
            ("refused, by status", lambda step: _counts(step.refused)),
            ("unanswered", lambda step: f"{step.unanswered:,}"),
            ("what broke", lambda step: _counts(step.broken)),
            ("stored a second", lambda step: f"{step.achieved:,.1f}"),
            ("POST, ms: p50 / p95 / p99 / max", lambda step: _milliseconds(step.times)),
        ),
    ),
    (
        "processing, of a sample",
        (
            ("sampled", lambda step: f"{step.kept.sampled:,}"),
            ("finished / failed", lambda step: f"{step.kept.finished:,} / {step.kept.failed:,}"),
            ("not ended in time", lambda step: f"{step.kept.unended:,}"),
            ("created to finished, s: p50 / p95 / p99 / max", lambda step: _in_seconds(step.kept.times)),
            (
                "caught up after, s",
                lambda step: "-" if step.kept.caught_up is None else f"{step.kept.caught_up:,.1f}",
            ),
        ),
    ),
    (
        "ledger, of the same sample",
        (
            ("acknowledged and lost", lambda step: f"{step.kept.lost:,}"),
            ("acknowledged and changed", lambda step: f"{step.kept.changed:,}"),
            ("not to be read again", lambda step: f"{step.kept.unread:,}"),
        ),
    ),
    (
        "this machine",
        (
            ("late, ms: p50 / p95 / p99 / max", lambda step: _milliseconds(step.late)),
            ("waited for a connection, ms", lambda step: _milliseconds(step.waited)),
            ("CPU, of one core", lambda step: f"{step.cpu:.0%}"),
        ),
    ),
)
