"""The Overview in SQLite."""

from __future__ import annotations

import heapq
import re
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from acuse.adapters.sqlite.rows import RECORD, micros, moment, record_from
from acuse.domain.backlog import Backlog, Load, backlog_of
from acuse.domain.delivery import LEASES
from acuse.domain.errors import Misconfigured
from acuse.domain.listing import MAX_PAGE_BYTES, Filter, Order, Page, size_of
from acuse.domain.record import Record, Status
from acuse.domain.tally import Tally

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from acuse.adapters.sqlite.database import Database
    from acuse.ports import Clock

# Each action by one step into the index, not by reading all that is in it.
ACTIONS = """
WITH RECURSIVE known (action) AS (
    SELECT min(action) FROM record INDEXED BY record_listed WHERE part = 0
    UNION ALL
    SELECT (SELECT min(action) FROM record INDEXED BY record_listed WHERE part = 0 AND action > known.action)
    FROM known WHERE known.action IS NOT NULL
)
SELECT action FROM known WHERE action IS NOT NULL
"""

# Where the page before ended there may be many of one moment: by a comparison of both, all of them would be read.
TIED = """
SELECT created_at, seq FROM record INDEXED BY record_listed
WHERE part = 0 AND action = :action AND status = :status AND created_at = :at AND seq < :seq AND :at >= :since
ORDER BY seq DESC
"""
OLDER = """
SELECT created_at, seq FROM record INDEXED BY record_listed
WHERE part = 0 AND action = :action AND status = :status AND created_at < :at AND created_at >= :since
ORDER BY created_at DESC, seq DESC
"""
FAILED_TIED = """
SELECT finished_at, seq FROM record INDEXED BY record_failed
WHERE part = 0 AND action = :action AND status = 'failed' AND finished_at = :at AND seq < :seq
    AND created_at >= :since AND created_at < :until
ORDER BY seq DESC
"""
FAILED_BEFORE = """
SELECT finished_at, seq FROM record INDEXED BY record_failed
WHERE part = 0 AND action = :action AND status = 'failed' AND finished_at < :at AND finished_at >= :since
    AND created_at >= :since AND created_at < :until
ORDER BY finished_at DESC, seq DESC
"""

GET = f"SELECT {RECORD} FROM record WHERE seq = ?"  # noqa: S608

LOAD = """
SELECT
    (SELECT count(*) FROM record INDEXED BY record_due WHERE action = :action AND due_at <= :now),
    (SELECT count(*) FROM record INDEXED BY record_due WHERE action = :action AND due_at > :now),
    (SELECT count(*) FROM record INDEXED BY record_leased
     WHERE action = :action AND due_at > :now AND due_at <= :far AND lease IS NOT NULL),
    (SELECT count(*) FROM record INDEXED BY record_leased
     WHERE action = :action AND due_at > :far AND lease IS NOT NULL),
    (SELECT created_at FROM record INDEXED BY record_due WHERE action = :action AND due_at = 0 ORDER BY seq LIMIT 1),
    (SELECT min(due_at) FROM record INDEXED BY record_due WHERE action = :action AND due_at > 0)
"""

TALLIES = "SELECT at, action, status, bound, count FROM tally WHERE at >= ?"

BEGINNING, END = -(2**63), 2**63 - 1

PREFIXES = {Order.NEWEST: "", Order.LAST_FAILED: "failed/"}
"""What says in a page's end of which list it is."""


class Place(NamedTuple):
    """Where a record stands in a list, which goes from the last to the first."""

    at: int
    """When it was created; in a list of those that failed, when it did."""
    seq: int


class SqliteOverview:
    """See Overview. What it shows at once was so at one moment."""

    def __init__(self, database: Database, clock: Clock, *, lease: timedelta) -> None:
        """`lease`: that of the queue over the same file. The database need not be durable."""
        self._database = database
        self._clock = clock
        self._lease = lease

    def find(self, wanted: Filter, limit: int, after: str | None) -> Page:
        """See Overview. Newest first, and those that failed last failed first; of one moment, what came last."""
        order = Order.LAST_FAILED if wanted.status is Status.FAILED else Order.NEWEST
        last = Place(END, 0) if after is None else _place(after, order)
        records: list[Record] = []
        size = 0
        with self._database.snapshot() as connection, _places(connection, wanted, last) as places:
            for place in places:
                if len(records) == limit or size >= MAX_PAGE_BYTES:
                    return Page(records=records, order=order, next=f"{PREFIXES[order]}{last.at}.{last.seq}")
                record = record_from(connection.execute(GET, (place[1],)).fetchone())
                records.append(record)
                size += size_of(record)
                last = Place(*place)
        return Page(records=records, order=order)

    def backlog(self) -> Backlog:
        """See Overview. Of those that are due at once the oldest is the one whose turn it is."""
        now = self._clock.now()
        times = {"now": micros(now), "far": micros(now + LEASES * self._lease)}
        with self._database.snapshot() as connection:
            loads = {
                action: _load(connection.execute(LOAD, {"action": action, **times}).fetchone(), now)
                for action in _actions(connection)
            }
        return backlog_of(loads)

    def tallies(self, since: datetime) -> list[Tally]:
        """See Overview."""
        with self._database.reading() as connection:
            rows = connection.execute(TALLIES, (micros(since),)).fetchall()
        return [
            Tally(at=moment(at), action=action, status=Status(status), bound=bound, count=count)
            for at, action, status, bound, count in rows
        ]


def _place(text: str, order: Order) -> Place:
    """Where the page in that order ended that said so."""
    read = re.fullmatch(rf"{PREFIXES[order]}([0-9]{{1,18}})\.([0-9]{{1,18}})", text)
    if not read:
        raise Misconfigured(f"no page of this store ended with {text!r}")
    return Place(int(read[1]), int(read[2]))


def _actions(connection: sqlite3.Connection) -> list[str]:
    """All that there are requests of."""
    return [action for (action,) in connection.execute(ACTIONS).fetchall()]


@contextmanager
def _places(connection: sqlite3.Connection, wanted: Filter, start: Place) -> Iterator[Iterator[tuple[int, int]]]:
    """The places of those wanted that come after the start, each read when it is asked for."""
    actions = _actions(connection) if wanted.action is None else [wanted.action]
    statuses = list(Status) if wanted.status is None else [wanted.status]
    since = BEGINNING if wanted.since is None else micros(wanted.since)
    until = END if wanted.until is None else micros(wanted.until)
    if wanted.status is Status.FAILED:
        statements = (FAILED_TIED, FAILED_BEFORE)
    else:
        statements, start = (TIED, OLDER), min(start, Place(until, 0))
    named = {"at": start.at, "seq": start.seq, "since": since, "until": until}
    with ExitStack() as stack:
        ranges = [
            stack.enter_context(closing(connection.execute(statement, {"action": action, "status": status, **named})))
            for action in actions
            for status in statuses
            for statement in statements
        ]
        yield heapq.merge(*ranges, reverse=True)


def _load(row: tuple[int, int, int, int, int | None, int | None], now: datetime) -> Load:
    due, later, running, lost, oldest_new, oldest_late = row
    oldest = [moment(one) for one in (oldest_new, oldest_late) if one is not None]
    waiting = due + lost
    return Load(
        waiting=waiting,
        delayed=later - running - lost,
        running=running,
        oldest=min([*oldest, now]) if waiting else None,
    )
