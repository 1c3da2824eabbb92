"""How SQLite forgets what ended long ago: in steps of so few rows and bytes that nobody waits long for the write lock.

The steps go by the order of arrival, so that no index is kept for them. A split request goes with all its parts in one
step; where they are too many for one, its parts go first. From then on it is marked, and not opened again: a purge
that stops on the way leaves a request that has ended and shows how, and the next one takes it up.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from acuse.adapters.sqlite.rows import micros
from acuse.domain.purged import Purged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from acuse.adapters.sqlite.database import Database

MOST_BYTES = 1_048_576
"""Of what one step deletes: SQLite may write over all of it, into the log."""
GENTLY = {"synchronous": 1, "wal_autocheckpoint": 1_000}
"""Of the connection while it deletes. Its commits do not wait for the disk; the next one that does so waits for what
stands before it too. The log goes into the file in pieces so small that the disk is not kept from others for long."""

SIZE = "length(CAST(body AS BLOB)) + coalesce(length(CAST(result AS BLOB)), 0)"
ENDED = "part = 0 AND status <> 'accepted' AND finished_at < :before"

WINDOW = f"""
SELECT seq, id, CASE WHEN {ENDED} THEN {SIZE} END, parts FROM record WHERE seq > :after ORDER BY seq LIMIT :limit
"""  # noqa: S608

PARTS = f"SELECT part, {SIZE} FROM record WHERE id = ? AND part > 0 ORDER BY part LIMIT ?"  # noqa: S608
COUNT_PARTS = "SELECT count(*) FROM record WHERE id = ? AND part > 0"

# `lease` is null in all that has ended. REOPEN looks at it.
MARK = f"UPDATE record SET lease = x'' WHERE id = :id AND {ENDED}"  # noqa: S608
FORGET = f"DELETE FROM record WHERE id = :id AND {ENDED}"  # noqa: S608
FORGET_PARTS = "DELETE FROM record WHERE id = :id AND part > 0"
FORGET_SOME_PARTS = f"{FORGET_PARTS} AND part <= :last"


class Portion(NamedTuple):
    """What goes of one request: its parts up to the last one that is named; None: all of it."""

    id: str
    last: int | None


class Room:
    """Rows and bytes that a step may still delete. There is always some for the first row."""

    def __init__(self, rows: int) -> None:
        """All of it."""
        self.rows = rows
        self._bytes = MOST_BYTES
        self._is_untouched = True

    def takes(self, size: int) -> bool:
        """Whether a row of that many bytes found room, which it has then."""
        if not self._is_untouched and (self.rows < 1 or self._bytes < size):
            return False
        self._is_untouched = False
        self.rows -= 1
        self._bytes -= size
        return True


def purge(database: Database, before: datetime, limit: int, after: int) -> Purged:
    """One step. What it deletes is looked at again where it is deleted: what was opened meanwhile stays.

    A loss of power may bring back the last that went, ended as it was; the next purge deletes it.
    """
    named = {"before": micros(before), "after": after, "limit": limit}
    with database.reading() as connection:
        portions, last = _chosen(connection, connection.execute(WINDOW, named).fetchall(), limit)
    requests = parts = 0
    if portions:
        with _gently(database), database.writing() as connection:
            for portion in portions:
                gone, parts_gone = _forget(connection, portion, named["before"])
                requests += gone
                parts += parts_gone
    return Purged(requests=requests, parts=parts, next=None if last is None else str(last))


def count(database: Database, before: datetime, limit: int, after: int) -> Purged:
    """What the steps over as many rows would come to."""
    named = {"before": micros(before), "after": after, "limit": limit}
    with database.reading() as connection:
        window = connection.execute(WINDOW, named).fetchall()
        ended = [(id_, parts) for _, id_, size, parts in window if size is not None]
        parts = sum(connection.execute(COUNT_PARTS, (id_,)).fetchone()[0] for id_, parts in ended if parts)
    return Purged(requests=len(ended), parts=parts, next=str(window[-1][0]) if len(window) == limit else None)


def _chosen(
    connection: sqlite3.Connection, window: Sequence[tuple[int, str, int | None, int | None]], limit: int
) -> tuple[list[Portion], int | None]:
    """What goes in this step; and after which row the next one begins, if there is one."""
    room = Room(limit)
    portions: list[Portion] = []
    for seq, id_, size, parts in window:
        if size is None:
            continue
        fits, last = True, 0
        if parts:
            for part, part_size in connection.execute(PARTS, (id_, room.rows + 1)).fetchall():
                if not (fits := room.takes(part_size)):
                    break
                last = part
        if fits and room.takes(size):
            portions.append(Portion(id_, None))
            continue
        if last:
            portions.append(Portion(id_, last))
        return portions, seq - 1
    return portions, window[-1][0] if len(window) == limit else None


@contextmanager
def _gently(database: Database) -> Iterator[None]:
    """What the connection does is so from here on, and then again as it was."""
    with database.reading() as connection:
        before = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in GENTLY}
        _set(connection, GENTLY)
        try:
            yield
        finally:
            with suppress(sqlite3.ProgrammingError):  # Of a connection that broke nothing is left.
                _set(connection, before)


def _set(connection: sqlite3.Connection, pragmas: Mapping[str, int]) -> None:
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name} = {value}")


def _forget(connection: sqlite3.Connection, portion: Portion, before: int) -> tuple[int, int]:
    """Requests and parts that are gone."""
    named = {"id": portion.id, "before": before}
    if portion.last is None:
        if connection.execute(FORGET, named).rowcount != 1:
            return 0, 0
        return 1, connection.execute(FORGET_PARTS, named).rowcount
    if connection.execute(MARK, named).rowcount != 1:
        return 0, 0
    return 0, connection.execute(FORGET_SOME_PARTS, {**named, "last": portion.last}).rowcount
