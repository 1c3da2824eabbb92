"""What is printed in the end: the figures side by side, and what each promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.torture.recovery import percentile
from tests.torture.schedule import Blow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.torture.report import Report

NAMES = 42
WIDTH = 13
NONE = "-"
OTHER_CONTENT = "for other content"

PROMISES = {
    "acuse": "stored before the 2xx, run at least once, ended once (README)",
    "dbos": (
        '"steps get at-least-once guarantees and workflow outcomes are persisted exactly-once"'
        " (docs.dbos.dev/explanations/concurrent-executions); Postgres is recommended for production"
    ),
    "huey": (
        '"Huey does not guarantee at-least-once delivery of messages, and does not do acknowledgement of completed'
        ' tasks" (huey.readthedocs.io/en/latest/consumer.html#consumer-shutdown)'
    ),
}


def table(reports: Mapping[str, Report]) -> Iterator[str]:
    """One line for each figure, one column for each subject."""
    yield _line("", reports)
    for name, figure in FIGURES:
        yield _line(name, [figure(report) for report in reports.values()])


def promises() -> Iterator[str]:
    """What each says of itself."""
    for name, promise in PROMISES.items():
        yield f"{name} promises: {promise}"


def _line(name: str, cells: Sequence[str] | Mapping[str, object]) -> str:
    return name.ljust(NAMES) + "".join(cell.rjust(WIDTH) for cell in cells)


def _other_content(report: Report) -> list[str]:
    return [breach for breach in report.breaches if OTHER_CONTENT in breach]


def _times(seconds: Sequence[float]) -> str:
    return f"{percentile(seconds, 50):.2f}/{percentile(seconds, 99):.2f}" if seconds else NONE


FIGURES: tuple[tuple[str, Callable[[Report], str]], ...] = (
    ("requests sent", lambda report: f"{report.sent:,}"),
    ("acknowledged with a 2xx", lambda report: f"{report.acknowledged:,}"),
    ("processes killed with SIGKILL", lambda report: f"{report.kills:,}"),
    ("processes stopped for longer than a lease", lambda report: f"{report.blows.get(Blow.STOP, 0):,}"),
    ("processes terminated with SIGTERM", lambda report: f"{report.blows.get(Blow.TERMINATE, 0):,}"),
    ("acknowledged, and no trace of it", lambda report: f"{len(report.findings.lost):,}"),
    ("there, and never ended", lambda report: f"{len(report.findings.unended):,}"),
    ("ended twice", lambda report: f"{len(report.findings.ended_twice):,}"),
    ("ended otherwise than foretold", lambda report: f"{len(report.findings.ended_wrongly):,}"),
    ("there with other content", lambda report: f"{len(report.findings.changed):,}"),
    ("there, and never sent", lambda report: f"{len(report.findings.unknown):,}"),
    ("parts missing or ended twice", lambda report: f"{len(report.findings.parts_amiss):,}"),
    ("other content under an id not refused", lambda report: f"{len(_other_content(report)):,}"),
    ("other answers that may not be", lambda report: f"{len(report.breaches) - len(_other_content(report)):,}"),
    ("runs begun", lambda report: f"{report.runs:,}"),
    ("of them repeated", lambda report: f"{report.repeated:,}"),
    ("work ended after a blow, p50/p99 s", lambda report: _times(report.work)),
    ("acknowledging after a blow, p50/p99 s", lambda report: _times(report.intake)),
)
