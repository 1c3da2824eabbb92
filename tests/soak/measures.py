"""What is measured, in which unit, and how much it may grow from the end of the warm-up to the end of the run."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tests.soak.growth import Allowance

ROLES = ("supervisor", "api", "ops", "workers", "runners")

WAL_BOUND = 40.0
"""MB. The log is written from its start again once 8,000 pages of 4 KiB are in the database; it keeps its size."""


class Panel(StrEnum):
    """Where it is plotted: the label of the axis."""

    MEMORY = "memory (MB)"
    FILES = "open files"
    THREADS = "threads, processes"
    DATABASE = "database (MB)"
    LOG = "log, spool (MB)"
    LATENCY = "latency (ms)"
    RECORDS = "records"


class Measure(msgspec.Struct, frozen=True):
    """One column of the samples."""

    name: str
    panel: Panel
    label: str
    allowance: Allowance | None = None
    """None: it is shown, and not judged."""


MEASURES = (
    *(Measure(f"rss_{role}", Panel.MEMORY, role, Allowance(absolute=12, share=0.1)) for role in ROLES),
    *(Measure(f"files_{role}", Panel.FILES, role, Allowance(absolute=10)) for role in ROLES),
    *(Measure(f"threads_{role}", Panel.THREADS, role, Allowance(absolute=3)) for role in ROLES),
    Measure("processes", Panel.THREADS, "processes", Allowance(absolute=2)),
    Measure("database", Panel.DATABASE, "acuse.db", Allowance(absolute=4, share=0.2)),
    Measure("used", Panel.DATABASE, "pages in use", Allowance(absolute=4, share=0.2)),
    Measure("wal", Panel.LOG, "acuse.db-wal", Allowance(absolute=4, floor=WAL_BOUND)),
    Measure("spool", Panel.LOG, "unread answers", Allowance(absolute=4)),
    Measure("post_p50", Panel.LATENCY, "POST p50", Allowance(absolute=50, share=1, least=60)),
    Measure("post_p99", Panel.LATENCY, "POST p99", Allowance(absolute=500, share=1, least=60)),
    Measure("end_p50", Panel.LATENCY, "finished p50", Allowance(absolute=100, share=1, least=60)),
    Measure("end_p99", Panel.LATENCY, "finished p99", Allowance(absolute=1_000, share=1, least=60)),
    Measure("accepted", Panel.RECORDS, "accepted a second"),
    Measure("ended", Panel.RECORDS, "ended a second"),
    Measure("backlog", Panel.RECORDS, "under way", Allowance(absolute=200, share=1, least=60)),
)


class Sample(msgspec.Struct, frozen=True):
    """What was measured at one time; a name that is missing could not be measured then."""

    second: float
    values: dict[str, float]
