"""The files of a database, what can become of them, and a store and a queue that have them open."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.delivery import Ending
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from acuse.domain.record import Record

    Change = Callable[[Path], object]

NOW = timedelta(0)
BUSY = timedelta(seconds=0.05)
LEASE = timedelta(seconds=10)
PAGE = 4096
RUBBISH = b"\xaa" * PAGE


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def index_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-shm")


def add(path: Path, count: int = 20) -> list[Record]:
    """Records in the file itself, with no log."""
    records = [record(note="x" * 1000) for _ in range(count)]
    with closing(Database(path, durable=True, busy=BUSY)) as database:
        SqliteStore(database, SystemClock()).add(records)
    return records


def assert_holds(path: Path, records: Sequence[Record]) -> None:
    """The file, as who opens it anew finds it, is sound and has them."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = dict(connection.execute("SELECT id, body FROM record"))
    assert {one.id: found.get(one.id) for one in records} == {one.id: one.body.decode() for one in records}


class Open:
    """A store and a queue over the file, as a worker has them; what the store acknowledged is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.durable = Database(path, durable=True, busy=BUSY)
        self.quick = Database(path, durable=False, busy=BUSY)
        self.store = SqliteStore(self.durable, SystemClock())
        self.queue = SqliteQueue(self.quick, SystemClock(), lease=LEASE, bounds={"delay": None})
        self.acknowledged = [record() for _ in range(3)]
        self.store.add(self.acknowledged)
        [self.held] = self.queue.receive(1, NOW)

    def close(self) -> None:
        self.durable.close()
        self.quick.close()

    def add(self) -> None:
        new = record()
        assert self.store.add([new]) == [Added(new)]
        self.acknowledged.append(new)

    def assert_refuses(self) -> None:
        ending = Ending(delivery=self.held, at=self.acknowledged[0].created_at, result=b"1")
        calls: list[Callable[[], object]] = [
            lambda: self.store.add([record()]),
            lambda: self.store.add([]),
            lambda: self.store.add_together([record()]),
            lambda: self.store.get([self.acknowledged[0].id]),
            lambda: self.store.settle([ending]),
            lambda: self.store.reopen([self.held.key.id]),
            lambda: self.queue.receive(1, NOW),
            lambda: self.queue.extend([self.held]),
            lambda: self.queue.release([self.held], NOW, charged=False),
            self.quick.version,
        ]
        for call in (*calls, *calls):
            with pytest.raises(StoreUnavailable):
                call()

    def assert_goes_on(self) -> None:
        self.add()
        self.queue.extend([self.held])
        assert set(self.store.get([one.id for one in self.acknowledged])) == {one.id for one in self.acknowledged}
        assert_holds(self.path, self.acknowledged)


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file, but for the index, which is memory."""
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.endswith("-shm")]
    return {file.relative_to(folder): file.read_bytes() for file in files}


def away(path: Path) -> Path:
    return path.with_name(f"{path.name}.away")


def at(page: int, data: bytes = RUBBISH, offset: int = 0) -> Change:
    def change(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(page * PAGE + offset)
            file.write(data)

    return change


def each(*changes: Change) -> Change:
    def change(path: Path) -> None:
        for one in changes:
            one(path)

    return change


def note(path: Path) -> None:
    path.write_text("a note\n" * 1000)
