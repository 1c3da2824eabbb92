"""The Store in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from acuse.adapters.sqlite.rows import PART, RECORD, blob_id, micros, part_from, record_from
from acuse.domain.outcome import Added, Addition, Existing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from acuse.adapters.sqlite.database import Database
    from acuse.domain.delivery import Delivery, Ending
    from acuse.domain.record import Key, Part, Record
    from acuse.ports import Clock

T = TypeVar("T")

# Rows an INSERT takes at once. One step for many rows gives up the interpreter's lock once, not once a row; a few fixed
# sizes keep the statements prepared.
SIZES = (64, 16, 4, 1)

ADD = """
INSERT INTO record (id, part, action, body, fingerprint, traceparent, created_at, due_at)
VALUES """
ADD_ROW = "(?, 0, ?, ?, ?, ?, ?, ?)"

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
    due_at = CASE parts_left WHEN 1 THEN :now END
WHERE id = :id AND part = 0 AND status = 'accepted'
"""

PLAN = """
UPDATE record
SET parts = :parts, parts_left = :parts, parts_failed = 0, attempts = 0, lease = NULL,
    due_at = CASE :parts WHEN 0 THEN :now END
WHERE id = :id AND part = 0 AND lease = :lease AND status = 'accepted' AND parts IS NULL
RETURNING action
"""

ADD_PART = "INSERT INTO record (id, part, action, body, created_at, due_at) VALUES (?, ?, ?, ?, ?, ?)"

REOPEN_PARTS = """
UPDATE record
SET status = 'accepted', finished_at = NULL, attempts = 0, result = NULL, reason = NULL, detail = NULL, due_at = :now
WHERE id = :id AND part > 0 AND status = 'failed'
"""

REOPEN = """
UPDATE record
SET status = 'accepted', finished_at = NULL, attempts = 0, result = NULL, reason = NULL, detail = NULL,
    parts_left = CASE WHEN parts IS NOT NULL THEN :reopened END,
    parts_failed = CASE WHEN parts IS NOT NULL THEN 0 END,
    due_at = CASE :reopened WHEN 0 THEN :now END
WHERE id = :id AND part = 0 AND status = 'failed'
"""


class SqliteStore:
    """Every method is one transaction; what it wrote is on disk when it returns."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """The database must be durable."""
        self._database = database
        self._clock = clock

    def add(self, records: Sequence[Record]) -> list[Addition]:
        """See Store."""
        with self._database.writing() as connection:
            known = dict(_existing(connection, [record.id for record in records]))
            fresh: dict[str, Record] = {}
            additions: list[Addition] = []
            for record in records:
                earlier = known.get(record.id) or fresh.get(record.id)
                if earlier is None:
                    fresh[record.id] = record
                additions.append(Added(record) if earlier is None else Existing(earlier))
            _insert(connection, list(fresh.values()))
        return additions

    def settle(self, endings: Sequence[Ending]) -> list[bool]:
        """See Store."""
        with self._database.writing() as connection:
            return [_settle(connection, ending) for ending in endings]

    def plan(self, delivery: Delivery, parts: Sequence[bytes]) -> bool:
        """See Store."""
        now = micros(self._clock.now())
        id_ = blob_id(delivery.key.id)
        named = {"id": id_, "lease": delivery.token, "parts": len(parts), "now": now}
        with self._database.writing() as connection:
            planned = connection.execute(PLAN, named).fetchone()
            if planned is None:
                return False
            rows = [(id_, part, planned[0], value.decode(), now, now) for part, value in enumerate(parts, 1)]
            connection.executemany(ADD_PART, rows)
        return True

    def get(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """See Store."""
        with self._database.reading() as connection:
            return dict(_existing(connection, ids))

    def parts(self, keys: Sequence[Key]) -> Mapping[Key, Part]:
        """See Store."""
        found: dict[Key, Part] = {}
        with self._database.reading() as connection:
            for few in _few(keys):
                places = ", ".join(["(?, ?)"] * len(few))
                query = f"SELECT {PART} FROM record WHERE (id, part) IN (VALUES {places}) AND part > 0"  # noqa: S608
                values = [value for key in few for value in (blob_id(key.id), key.part)]
                found.update((part.key, part) for part in map(part_from, connection.execute(query, values)))
        return found

    def reopen(self, ids: Sequence[str]) -> list[bool]:
        """See Store."""
        now = micros(self._clock.now())
        with self._database.writing() as connection:
            return [_reopen(connection, blob_id(id_), now) for id_ in ids]


def _existing(connection: sqlite3.Connection, ids: Sequence[str]) -> Iterator[tuple[str, Record]]:
    for few in _few(ids):
        places = ", ".join("?" * len(few))
        query = f"SELECT {RECORD} FROM record WHERE part = 0 AND id IN ({places})"  # noqa: S608
        for row in connection.execute(query, [blob_id(id_) for id_ in few]).fetchall():
            record = record_from(row)
            yield record.id, record


def _insert(connection: sqlite3.Connection, records: Sequence[Record]) -> None:
    for few in _few(records):
        values: list[object] = []
        for one in few:
            created = micros(one.created_at)
            values += (
                blob_id(one.id), one.action, one.body.decode(), one.fingerprint, one.traceparent, created, created,
            )  # fmt: skip
        connection.execute(ADD + ", ".join([ADD_ROW] * len(few)), values)


def _settle(connection: sqlite3.Connection, ending: Ending) -> bool:
    key, at = ending.delivery.key, micros(ending.at)
    id_ = blob_id(key.id)
    result = None if ending.result is None else ending.result.decode()
    reason, detail = (None, None) if ending.error is None else (ending.error.reason, ending.error.detail)
    values = (ending.status, at, ending.delivery.attempt, result, reason, detail, id_, key.part, ending.delivery.token)
    if connection.execute(SETTLE, values).rowcount != 1:
        return False
    if key.part:
        connection.execute(COUNT_PART, {"status": ending.status, "now": at, "id": id_})
    return True


def _reopen(connection: sqlite3.Connection, id_: bytes, now: int) -> bool:
    reopened = connection.execute(
        "SELECT count(*) FROM record WHERE id = ? AND part > 0 AND status = 'failed'", (id_,)
    ).fetchone()[0]
    if connection.execute(REOPEN, {"id": id_, "now": now, "reopened": reopened}).rowcount != 1:
        return False
    connection.execute(REOPEN_PARTS, {"id": id_, "now": now})
    return True


def _few(items: Sequence[T]) -> Iterable[Sequence[T]]:
    start = 0
    for size in SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size
