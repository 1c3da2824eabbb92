"""The Store in SQLite."""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from acuse.adapters.sqlite.purge import count, purge
from acuse.adapters.sqlite.rows import PART, RECORD, micros, part_from, record_from
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added, Addition, Existing, Together
from acuse.domain.together import together

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from acuse.adapters.sqlite.database import Database
    from acuse.domain.delivery import Delivery, Ending
    from acuse.domain.purged import Purged
    from acuse.domain.record import Key, Part, Record
    from acuse.ports import Clock

T = TypeVar("T")

# Rows that one statement reads or writes. One step for many rows gives up the interpreter's lock once, not once a row.
# Fewer are padded with rows of nulls to the next multiple, so that there are few statements and they stay prepared.
MOST_ROWS = 512
FINE, COARSE = 8, 64

ADD = """
INSERT INTO record (id, part, action, body, fingerprint, traceparent, created_at, due_at)
SELECT column1, 0, column2, column3, column4, column5, column6, 0
FROM (VALUES {rows}) WHERE column1 IS NOT NULL
ON CONFLICT (id, part) DO NOTHING
"""

GET = f"SELECT seq, {RECORD} FROM record WHERE part = 0 AND id IN ({{rows}})"  # noqa: S608

# A join, since `(id, part) IN (VALUES …)` reads the whole table; CROSS, so that the keys are gone through.
GET_PARTS = f"""
SELECT {PART} FROM (VALUES {{rows}}) CROSS JOIN record ON id = column1 AND part = column2 WHERE part > 0
"""  # noqa: S608

SETTLE = """
UPDATE record
SET status = ?, finished_at = max(?, created_at), attempts = ?, result = ?, reason = ?, detail = ?,
    due_at = NULL, lease = NULL
WHERE id = ? AND part = ? AND lease = ? AND status = 'accepted'
"""

COUNT_PART = """
UPDATE record
SET parts_left = parts_left - 1,
    parts_failed = parts_failed + (:status = 'failed'),
    attempts = CASE parts_left WHEN 1 THEN 0 ELSE attempts END,
    due_at = CASE parts_left WHEN 1 THEN 0 END
WHERE id = :id AND part = 0 AND status = 'accepted'
"""

PLAN = """
UPDATE record
SET parts = :parts, parts_left = :parts, parts_failed = 0, attempts = 0, lease = NULL,
    due_at = CASE :parts WHEN 0 THEN 0 END
WHERE id = :id AND part = 0 AND lease = :lease AND status = 'accepted' AND parts IS NULL
RETURNING action
"""

ADD_PART = "INSERT INTO record (id, part, action, body, created_at, due_at) VALUES (?, ?, ?, ?, ?, 0)"

REOPEN_PARTS = """
UPDATE record
SET status = 'accepted', finished_at = NULL, attempts = 0, result = NULL, reason = NULL, detail = NULL, due_at = 0
WHERE id = :id AND part > 0 AND status = 'failed'
"""

REOPEN = """
UPDATE record
SET status = 'accepted', finished_at = NULL, attempts = 0, result = NULL, reason = NULL, detail = NULL,
    parts_left = CASE WHEN parts IS NOT NULL THEN :reopened END,
    parts_failed = CASE WHEN parts IS NOT NULL THEN 0 END,
    due_at = CASE :reopened WHEN 0 THEN 0 END
WHERE id = :id AND part = 0 AND status = 'failed' AND lease IS NULL
"""


class SqliteStore:
    """Every method is one transaction; what it wrote is on disk when it returns."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """The database must be durable."""
        self._database = database
        self._clock = clock

    def add(self, records: Sequence[Record]) -> list[Addition]:
        """See Store."""
        if not records:
            with self._database.writing():  # Nothing to write still shows whether it could be.
                return []
        return [addition for few in _few(records) for addition in self._add(few)]

    def add_together(self, records: Sequence[Record]) -> list[Together]:
        """See Store."""
        with self._database.writing() as connection:
            stored: dict[str, Record] = {}
            for few in _few([record.id for record in records]):
                stored.update((id_, record) for id_, (_, record) in _stored(connection, few).items())
            answers = together(records, stored)
            for few_new in _few([one.record for one in answers if isinstance(one, Added)]):
                connection.execute(*_insert(few_new))
        return answers

    def settle(self, endings: Sequence[Ending]) -> list[bool]:
        """See Store."""
        with self._database.writing() as connection:
            return [_settle(connection, ending) for ending in endings]

    def plan(self, delivery: Delivery, parts: Sequence[bytes]) -> bool:
        """See Store."""
        now = micros(self._clock.now())
        id_ = delivery.key.id
        named = {"id": id_, "lease": delivery.token, "parts": len(parts)}
        with self._database.writing() as connection:
            planned = connection.execute(PLAN, named).fetchone()
            if planned is None:
                return False
            rows = [(id_, part, planned[0], value.decode(), now) for part, value in enumerate(parts, 1)]
            connection.executemany(ADD_PART, rows)
        return True

    def get(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """See Store."""
        with self._database.reading() as connection:
            found = [_stored(connection, few) for few in _few(ids)]
        return {id_: record for few in found for id_, (_, record) in few.items()}

    def parts(self, keys: Sequence[Key]) -> Mapping[Key, Part]:
        """See Store."""
        found: dict[Key, Part] = {}
        with self._database.reading() as connection:
            for few in _few(keys):
                size, values = _padded(few)
                rows = connection.execute(_statement(GET_PARTS, "(?, ?)", size), values)
                found.update((part.key, part) for part in map(part_from, rows))
        return found

    def reopen(self, ids: Sequence[str]) -> list[bool]:
        """See Store."""
        with self._database.writing() as connection:
            return [_reopen(connection, id_) for id_ in ids]

    def purge(self, before: datetime, limit: int, after: str | None, *, dry: bool) -> Purged:
        """See Store."""
        step = count if dry else purge
        return step(self._database, before, limit, int(after or 0))

    def _add(self, records: Sequence[Record]) -> Iterable[Addition]:
        cursor = self._database.write(*_insert(records))
        added = cursor.rowcount
        if added == len(records):
            return map(Added, records)
        with self._database.reading() as connection:
            stored = _stored(connection, [record.id for record in records])
        # What one statement inserts has consecutive places in the order of arrival (SQLite, "Rowid Tables").
        last = cursor.lastrowid or 0
        fresh = {id_ for id_, (seq, _) in stored.items() if added and last - added < seq <= last}
        return [_addition(record, stored, fresh) for record in records]


def _insert(records: Sequence[Record]) -> tuple[str, list[object]]:
    """The statement that adds those that are new, and its values."""
    rows = [
        (one.id, one.action, one.body.decode(), one.fingerprint, one.traceparent, micros(one.created_at))
        for one in records
    ]
    size, values = _padded(rows)
    return _statement(ADD, "(?, ?, ?, ?, ?, ?)", size), values


def _addition(record: Record, stored: Mapping[str, tuple[int, Record]], fresh: set[str]) -> Addition:
    """Added for the first of the batch with a fresh id; a second one meets it as existing."""
    if record.id in fresh:
        fresh.remove(record.id)
        return Added(record)
    if record.id not in stored:
        raise StoreUnavailable("a record that was there is being deleted")
    return Existing(stored[record.id][1])


def _stored(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, tuple[int, Record]]:
    """The records, each with its place in the order of arrival."""
    size, values = _padded([(id_,) for id_ in ids])
    rows = connection.execute(_statement(GET, "?", size), values).fetchall()
    return {row[1]: (row[0], record_from(row[1:])) for row in rows}


def _padded(rows: Sequence[tuple[object, ...]]) -> tuple[int, list[object]]:
    """How many rows with those of nulls, and all their values."""
    step = FINE if len(rows) <= COARSE else COARSE
    size = -(-len(rows) // step) * step
    values = list(itertools.chain.from_iterable(rows))
    values += [None] * (len(rows[0]) * (size - len(rows)))
    return size, values


@cache
def _statement(template: str, row: str, size: int) -> str:
    return template.replace("{rows}", ", ".join([row] * size))


def _settle(connection: sqlite3.Connection, ending: Ending) -> bool:
    key, at = ending.delivery.key, micros(ending.at)
    result = None if ending.result is None else ending.result.decode()
    reason, detail = (None, None) if ending.error is None else (ending.error.reason, ending.error.detail)
    settled = (ending.status, at, ending.delivery.attempt, result, reason, detail, *key, ending.delivery.token)
    if connection.execute(SETTLE, settled).rowcount != 1:
        return False
    if key.part:
        connection.execute(COUNT_PART, {"status": ending.status, "id": key.id})
    return True


def _reopen(connection: sqlite3.Connection, id_: str) -> bool:
    reopened = connection.execute(
        "SELECT count(*) FROM record WHERE id = ? AND part > 0 AND status = 'failed'", (id_,)
    ).fetchone()[0]
    if connection.execute(REOPEN, {"id": id_, "reopened": reopened}).rowcount != 1:
        return False
    connection.execute(REOPEN_PARTS, {"id": id_})
    return True


def _few(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[start : start + MOST_ROWS] for start in range(0, len(items), MOST_ROWS))
