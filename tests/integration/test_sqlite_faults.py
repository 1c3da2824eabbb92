"""A full, a locked, a corrupt and a missing file: refused while it lasts, and well again by itself."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.config import Settings
from acuse.domain.delivery import Ending
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added
from tests.integration.server import served
from tests.requests import body, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from acuse.domain.record import Record

NOW = timedelta(0)
BUSY = timedelta(seconds=0.05)
LEASE = timedelta(seconds=10)
PATH = "/v1/requests"
JSON = {"content-type": "application/json"}
PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acuse.db"


@pytest.fixture
def kept(path: Path) -> list[Record]:
    """What the file holds, all of it in the file itself and nothing in its log."""
    records = [record(note="x" * 1000) for _ in range(50)]
    with closing(Database(path, durable=True, busy=BUSY)) as database:
        SqliteStore(database, SystemClock()).add(records)
    assert not path.with_name("acuse.db-wal").exists()
    return records


@pytest.fixture
def database(path: Path, kept: list[Record]) -> Iterator[Database]:
    assert kept
    with closing(Database(path, durable=True, busy=BUSY)) as made:
        yield made


def overwrite(path: Path, start: int, data: bytes) -> bytes:
    """The bytes that were there before."""
    with path.open("r+b") as file:
        file.seek(start)
        before = file.read(len(data))
        file.seek(start)
        file.write(data)
    return before


@contextmanager
def corrupt(path: Path, start: int) -> Iterator[None]:
    """Everything from there on is rubbish."""
    before = overwrite(path, start, b"\xaa" * (path.stat().st_size - start))
    yield
    overwrite(path, start, before)


def fill(database: Database) -> None:
    """The file fails its connection."""
    with database.reading() as connection:
        connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreUnavailable, match="SQLITE_FULL"):
        SqliteStore(database, SystemClock()).add([record(note="x" * 10 * PAGE)])


@pytest.mark.parametrize("start", [0, PAGE])
def test_a_corrupt_file_is_refused_by_every_call_until_it_is_mended(
    path: Path, database: Database, kept: list[Record], start: int
) -> None:
    store = SqliteStore(database, SystemClock())
    with closing(Database(path, durable=False, busy=BUSY)) as quick:
        queue = SqliteQueue(quick, SystemClock(), lease=LEASE, bounds={"delay": None})
        [held] = queue.receive(1, NOW)
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for made in (database, quick):  # Nothing is left of it in memory.
            fill(made)
        calls: list[Callable[[], object]] = [
            lambda: store.add([record()]),
            lambda: store.get([kept[0].id]),
            lambda: store.settle([Ending(delivery=held, at=kept[0].created_at, result=b"1")]),
            lambda: store.reopen([kept[0].id]),
            lambda: queue.receive(1, NOW),
            lambda: queue.extend([held]),
            lambda: queue.release([held], NOW, charged=False),
        ]
        with corrupt(path, start):
            for call in (*calls, *calls):
                with pytest.raises(StoreUnavailable, match=r"SQLITE_(CORRUPT|NOTADB)"):
                    call()

        new = record()
        assert store.add([new]) == [Added(new)]
        assert [store.get([one.id])[one.id].body for one in kept] == [one.body for one in kept]
        queue.extend([held])
        received = {one.key.id for one in queue.receive(100, NOW)}
        assert received == {one.id for one in [*kept, new]} - {held.key.id}


def test_a_corrupt_file_is_found_by_a_store_that_was_just_opened(
    path: Path, database: Database, kept: list[Record]
) -> None:
    store = SqliteStore(database, SystemClock())

    with corrupt(path, PAGE), pytest.raises(StoreUnavailable, match="SQLITE_CORRUPT"):
        store.get([kept[0].id])

    assert store.get([kept[0].id]) == {kept[0].id: kept[0]}


def test_a_new_connection_is_as_the_first_one_was(database: Database) -> None:
    def pragmas() -> list[object]:
        names = ("synchronous", "journal_mode", "busy_timeout", "wal_autocheckpoint", "temp_store", "fullfsync")
        with database.reading() as connection:
            return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    before = pragmas()

    fill(database)

    assert pragmas() == before
    assert before[:2] == [2, "wal"]


def test_what_is_too_much_for_the_disk_is_refused_and_leaves_nothing(database: Database, kept: list[Record]) -> None:
    store = SqliteStore(database, SystemClock())
    large = record(note="x" * 10 * PAGE)
    with database.reading() as connection:
        connection.execute("PRAGMA max_page_count = 1")

    with pytest.raises(StoreUnavailable, match="SQLITE_FULL"):
        store.add([large])

    assert store.get([large.id, kept[0].id]) == {kept[0].id: kept[0]}
    assert store.add([large]) == [Added(large)]


def test_a_full_disk_is_in_the_log_once_each_time(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    store = SqliteStore(database, SystemClock())
    for _ in range(2):
        caplog.clear()
        for _ in range(3):
            fill(database)

        [said] = [vars(one)["error"] for one in caplog.records]
        assert "Make room" in said
        store.add([record()])


def test_a_file_that_is_gone_is_not_made_anew(path: Path, database: Database, kept: list[Record]) -> None:
    store = SqliteStore(database, SystemClock())
    elsewhere = path.with_name("moved")
    fill(database)
    path.rename(elsewhere)

    with pytest.raises(StoreUnavailable, match="is not there"):
        store.add([record()])

    assert not path.exists()
    elsewhere.rename(path)
    assert store.get([kept[0].id]) == {kept[0].id: kept[0]}


def test_an_empty_file_in_its_place_is_refused_and_not_touched(
    path: Path, database: Database, kept: list[Record]
) -> None:
    store = SqliteStore(database, SystemClock())
    elsewhere = path.with_name("moved")
    fill(database)
    path.rename(elsewhere)
    path.touch()

    with pytest.raises(StoreUnavailable, match="is not the file that was open"):
        store.add([record()])

    assert path.stat().st_size == 0
    elsewhere.rename(path)
    assert store.get([kept[0].id]) == {kept[0].id: kept[0]}


def test_a_database_that_is_closed_stays_closed(path: Path) -> None:
    database = Database(path, durable=True, busy=BUSY)
    database.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        SqliteStore(database, SystemClock()).add([])


def test_those_behind_one_that_waited_in_vain_do_not_wait_as_long(path: Path) -> None:
    busy = 1.0
    new = record()
    with (
        closing(Database(path, durable=True, busy=timedelta(seconds=busy))) as database,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        store = SqliteStore(database, SystemClock())
        other.execute("BEGIN EXCLUSIVE")
        waits = []
        for _ in range(4):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
                store.add([new])
            waits.append(time.monotonic() - began)
        other.execute("ROLLBACK")

        assert store.add([new]) == [Added(new)]
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            store.add([record()])
        waits.append(time.monotonic() - began)

    assert waits[0] >= busy
    assert sum(waits[1:4]) < busy
    assert waits[4] >= busy


def unavailable(response: httpx.Response) -> bool:
    assert response.status_code in {201, 503}, response.text
    if response.status_code == 503:
        assert response.json()["type"] == "urn:acuse:problem:store-unavailable"
        assert int(response.headers["retry-after"]) >= 1
    return response.status_code == 503


def test_a_corrupt_file_is_503_until_it_is_mended(path: Path, database: Database, kept: list[Record]) -> None:
    sent = body()
    with (
        served(SqliteStore(database, SystemClock()), Settings()) as address,
        httpx.Client(base_url="http://{}:{}".format(*address), headers=JSON) as client,
    ):
        with corrupt(path, PAGE):
            assert unavailable(client.post(PATH, content=sent))
            assert unavailable(client.post(PATH, content=sent))
        assert client.post(PATH, content=sent).status_code == 201
        again = client.post(PATH, content=kept[0].body)
        assert (again.status_code, again.json()["created_at"][:10]) == (200, "2026-01-01")


def test_a_worker_goes_on_when_the_file_can_be_had_again(path: Path) -> None:
    clock = SystemClock()
    with (
        closing(Database(path, durable=True, busy=BUSY)) as durable,
        closing(Database(path, durable=False, busy=BUSY)) as quick,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        store = SqliteStore(durable, clock)
        queue = SqliteQueue(quick, clock, lease=LEASE, bounds={"delay": None})
        store.add([record(clock.now()) for _ in range(2)])
        [held] = queue.receive(1, NOW)

        other.execute("BEGIN EXCLUSIVE")
        for call in (
            lambda: queue.receive(1, NOW),
            lambda: queue.extend([held]),
            lambda: queue.release([held], NOW, charged=False),
            lambda: store.settle([Ending(delivery=held, at=clock.now(), result=b"1")]),
        ):
            with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
                call()
        other.execute("ROLLBACK")

        queue.extend([held])
        assert store.settle([Ending(delivery=held, at=clock.now(), result=b"1")]) == [True]
        assert len(queue.receive(2, NOW)) == 1
