"""The command that lists requests."""

from __future__ import annotations

import re
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Protocol

import typer
from rich.table import Table
from rich.text import Text

from acuse.application.duration import ago, in_words
from acuse.domain.errors import Misconfigured, Unavailable
from acuse.domain.record import Status, rfc3339
from acuse.entrypoints.filters import OfAction, OfStatus, Since, Until, filter_of, pages
from acuse.entrypoints.options import INTERRUPTED, UNAVAILABLE, Data, Form, Store, leave, service_over
from acuse.entrypoints.steps import counted, once_interrupted
from acuse.entrypoints.terminal import console_of, say, seen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.console import Console

    from acuse.domain.listing import Order
    from acuse.domain.record import Record

PAGE = 500
"""Requests that are asked for at once."""
GATHERED = 1_000
"""Rows of one table on a terminal, whose columns are as wide as they need."""
LIMIT = re.compile(r"[0-9]{1,18}")
ABSENT = "-"
ROOMY, MEDIUM, CLOSE = 118, 80, 54
"""Columns of a terminal from which on there is room for whole times, for ages, and for an id on one line."""


def limit_of(text: str) -> int | None:
    """How many at most; None: all. Raises Misconfigured for what is no number."""
    if text == "all":
        return None
    if not LIMIT.fullmatch(text):
        raise Misconfigured(f"{text!r} is no limit: a number of requests is wanted, or all")
    return int(text) or None


class Listed(Protocol):
    """Where the records go."""

    def add(self, records: Sequence[Record], /) -> None:
        """They are printed, or will be at the end."""

    def end(self) -> None:
        """All are printed."""


def list_(
    status: OfStatus = None,
    action: OfAction = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[str, typer.Option(metavar="N", help="How many at most; 0 or all: every one.")] = "50",
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Go on where a list ended that had the same filter.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="A table, or JSON, one record a line.")] = Form.TABLE,
    data: Data = None,
    store: Store = None,
) -> None:
    """List requests; what is not told on each line is in `acuse show`.

    Failed ones are listed by when they failed, the last first. Anything else comes newest first from SQLite; DynamoDB
    reads the whole table for it, in no order. The order, and where to go on if there are more, is told on standard
    error.
    """
    service = service_over(data, store)
    now = service.clock.now()
    most = limit_of(limit)
    wanted = filter_of(now, status=status, action=action, since=since, until=until)
    stopped = threading.Event()
    listed = _listed(form, now)
    order: Order | None = None
    found = 0
    code, trouble = 0, ""
    try:
        once_interrupted(stopped)
        for page in pages(service.overview.find, wanted, PAGE, stopped, limit=most, after=after):
            listed.add(page.records)
            found, order, after = found + len(page.records), page.order, page.next
    except Unavailable as error:
        code, trouble = UNAVAILABLE, str(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    listed.end()
    sys.stdout.flush()
    told = _told(found, order, after)
    if code or (stopped.is_set() and after is not None):
        leave(
            code or INTERRUPTED, f"{trouble or 'interrupted'} ({told})" if found or after else trouble or "interrupted"
        )
    print(told, file=sys.stderr)


def _told(found: int, order: Order | None, after: str | None) -> str:
    in_order = "" if order is None else f", {order}"
    return f"{counted(found, 'request')}{in_order}" + ("" if after is None else f"; there may be more: --after {after}")


def _listed(form: Form, now: datetime) -> Listed:
    if form is Form.JSON:
        return _Lines()
    return _Table(console_of(), now) if sys.stdout.isatty() else _Columns()


class _Lines:
    """Each record as JSON on a line."""

    def add(self, records: Sequence[Record]) -> None:
        for record in records:
            say(record.to_json().decode())
        sys.stdout.flush()

    def end(self) -> None:
        pass


class _Columns:
    """Each record on a line, its columns with a tab between them, for programs to cut."""

    def add(self, records: Sequence[Record]) -> None:
        for record in records:
            took = None if record.finished_at is None else record.finished_at - record.created_at
            cells = (
                record.id,
                seen(record.action),
                record.status,
                str(record.attempts),
                rfc3339(record.created_at),
                ABSENT if record.finished_at is None else rfc3339(record.finished_at),
                ABSENT if took is None else f"{took / timedelta(seconds=1):.6f}",
                ABSENT if record.error is None else record.error.reason,
            )
            print("\t".join(cells))
        sys.stdout.flush()

    def end(self) -> None:
        pass


STYLES = {Status.ACCEPTED: "", Status.FINISHED: "green", Status.FAILED: "bold red"}


class _Table:
    """A table on a terminal; a narrow one is told less."""

    def __init__(self, console: Console, now: datetime) -> None:
        """Empty."""
        self._console = console
        self._now = now
        self._rows: list[Record] = []
        self._search = console_of(stderr=True).status("")
        self._pages = 0

    def add(self, records: Sequence[Record]) -> None:
        self._pages += 1
        self._rows += records
        while len(self._rows) >= GATHERED:
            self._print(self._rows[:GATHERED])
            del self._rows[:GATHERED]
        if self._pages > 1:  # It may take long: what is wanted may be rare in a large table.
            self._search.update(f"looking, {counted(len(self._rows), 'request')} to show")
            self._search.start()

    def end(self) -> None:
        if self._rows:
            self._print(self._rows)
        self._search.stop()

    def _print(self, records: Sequence[Record]) -> None:
        self._search.stop()
        width = self._console.width
        roomy, medium = width >= ROOMY, width >= MEDIUM
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("id", no_wrap=width >= CLOSE, overflow="fold")
        table.add_column("action", overflow="fold", min_width=6)
        table.add_column("status", no_wrap=True)
        if roomy:
            table.add_column("attempts", justify="right")
        if medium:
            table.add_column("created", no_wrap=True)
            table.add_column("took", no_wrap=True, justify="right")
            table.add_column("reason", overflow="fold", min_width=6)
        for record in records:
            took = None if record.finished_at is None else record.finished_at - record.created_at
            cells = [
                Text(record.id),
                Text(seen(record.action)),
                Text(record.status, STYLES[record.status]),
                *([Text(str(record.attempts))] if roomy else []),
                f"{record.created_at:%Y-%m-%d %H:%M:%S}Z" if roomy else ago(record.created_at, self._now),
                "" if took is None else in_words(took, units=2 if roomy else 1),
                "" if record.error is None else record.error.reason,
            ]
            table.add_row(*cells[: len(table.columns)])
        self._console.print(table)
