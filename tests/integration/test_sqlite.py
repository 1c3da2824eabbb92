"""What is SQLite's own: the file, its versions, its locks, its plans."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.sqlite import database as module
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import DUE, EXTEND, IS_DUE, LEASED, NEXT, SqliteQueue
from acuse.adapters.sqlite.store import SETTLE, SqliteStore
from acuse.bootstrap import Service, part_results
from acuse.config import Settings
from acuse.domain.delivery import Ending
from acuse.domain.errors import Misconfigured, StoreUnavailable
from acuse.domain.outcome import Added
from acuse.domain.record import Failure, Reason
from acuse.domain.together import together
from tests.clock import StillClock
from tests.requests import new_id, record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from acuse.domain.outcome import Together
    from acuse.domain.record import Record

NOW = timedelta(0)
LEASE = timedelta(seconds=10)
BUSY = timedelta(seconds=0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acuse.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with closing(Database(path, durable=True, busy=BUSY)) as made:
        yield made


@pytest.fixture
def store(database: Database) -> SqliteStore:
    return SqliteStore(database, StillClock())


def schema(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_a_commit_is_on_disk_when_it_returns(path: Path) -> None:
    with closing(Database(path, durable=True, busy=BUSY)) as durable, durable.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with closing(Database(path, durable=False, busy=BUSY)) as quick, quick.reading() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_an_old_database_is_brought_up_step_by_step(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = module._migrations()
    later = [*steps, ["ALTER TABLE record ADD COLUMN later TEXT", "CREATE INDEX later ON record (later)"]]
    with closing(Database(path, durable=True, busy=BUSY)) as old:
        kept = record()
        SqliteStore(old, StillClock()).add([kept])

    monkeypatch.setattr(module, "_migrations", lambda: later)

    for _ in range(2):
        with closing(Database(path, durable=True, busy=BUSY)) as new:
            assert SqliteStore(new, StillClock()).get([kept.id]) == {kept.id: kept}
    with closing(Database(tmp_path / "fresh.db", durable=True, busy=BUSY)):
        assert schema(tmp_path / "fresh.db") == schema(path)


def test_a_step_that_fails_leaves_the_database_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Database(path, durable=True, busy=BUSY)):
        before = schema(path)
    broken = [*module._migrations(), ["ALTER TABLE record ADD COLUMN later TEXT", "nonsense"]]
    monkeypatch.setattr(module, "_migrations", lambda: broken)

    with pytest.raises(StoreUnavailable):
        Database(path, durable=True, busy=BUSY)

    assert schema(path) == before


def test_many_may_open_a_new_database_at_once(path: Path) -> None:
    barrier = threading.Barrier(8)
    failures: list[Exception] = []

    def open_it() -> None:
        barrier.wait()
        try:
            Database(path, durable=True, busy=timedelta(seconds=30)).close()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    with closing(Database(path, durable=True, busy=BUSY)), closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(Misconfigured, match="schema 99"):
        Database(path, durable=True, busy=BUSY)


def test_a_database_of_another_application_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")

    with pytest.raises(Misconfigured, match="another application"):
        Database(path, durable=True, busy=BUSY)


def test_what_is_no_database_is_not_touched(path: Path) -> None:
    path.write_bytes(b"not a database " * 100)

    with pytest.raises(StoreUnavailable, match="SQLITE_NOTADB"):
        Database(path, durable=True, busy=BUSY)

    assert path.read_bytes() == b"not a database " * 100


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="SQLITE_CANTOPEN"):
        Database(tmp_path / "no" / "acuse.db", durable=True, busy=BUSY)


def test_a_database_that_another_holds_is_unavailable_until_it_lets_go(path: Path, store: SqliteStore) -> None:
    one = record()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            store.add([one])
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            store.add([])
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            store.settle([])
        assert store.get([one.id]) == {}
        other.execute("COMMIT")

    assert store.add([one]) == [Added(one)]


def test_a_writer_waits_for_another_to_let_go(path: Path) -> None:
    one = record()
    with (
        closing(Database(path, durable=True, busy=timedelta(seconds=30))) as database,
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.1, lambda: other.execute("COMMIT"))
        timer.start()

        assert SqliteStore(database, StillClock()).add([one]) == [Added(one)]

        timer.join()


def test_a_transaction_that_fails_leaves_nothing(database: Database, store: SqliteStore) -> None:
    one = record()
    store.add([one])

    def delete_then_fail() -> None:
        with database.writing() as connection:
            connection.execute("DELETE FROM record")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        delete_then_fail()

    assert store.get([one.id]) == {one.id: one}


def test_a_record_that_is_deleted_meanwhile_is_unavailable(path: Path) -> None:
    """Between the insert that meets it and the look at it; the client will try again."""

    class Deleting(Database):
        def write(self, statement: str, values: Sequence[object]) -> sqlite3.Cursor:
            cursor = super().write(statement, values)
            if cursor.rowcount == 0:
                super().write("DELETE FROM record", ())
            return cursor

    one = record()
    with closing(Deleting(path, durable=True, busy=BUSY)) as database:
        store = SqliteStore(database, StillClock())
        store.add([one])

        with pytest.raises(StoreUnavailable, match="being deleted"):
            store.add([one])
        assert store.add([one]) == [Added(one)]


def test_nobody_comes_between_the_look_and_the_write_of_what_is_added_together(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [record(), record()]
    rival = record(id=batch[1].id, note="other")
    looks = 0
    with closing(Database(path, durable=True, busy=BUSY)) as another:

        def intruded(records: Sequence[Record], stored: Mapping[str, Record]) -> list[Together]:
            nonlocal looks
            looks += 1
            with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
                SqliteStore(another, StillClock()).add([rival])
            return together(records, stored)

        monkeypatch.setattr("acuse.adapters.sqlite.store.together", intruded)

        assert store.add_together(batch) == [Added(one) for one in batch]

    assert looks == 1
    assert store.get([one.id for one in batch]) == {one.id: one for one in batch}


def test_what_cannot_be_stored_together_leaves_nothing(path: Path, store: SqliteStore) -> None:
    one = record()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            store.add_together([one])
        other.execute("COMMIT")

    assert store.get([one.id]) == {}
    assert store.add_together([one]) == [Added(one)]


def test_a_late_worker_cannot_overwrite_what_another_does(path: Path, store: SqliteStore) -> None:
    """The lease token is the fence: until the current holder has ended it, nobody else can."""
    clock = StillClock()
    with closing(Database(path, durable=False, busy=BUSY)) as quick:
        queue = SqliteQueue(quick, clock, lease=LEASE, bounds={"delay": None, "a": None, "z": None})
        store.add([record(clock.now())])
        [late] = queue.receive(1, NOW)
        clock.advance(LEASE)
        [current] = queue.receive(1, NOW)

        assert store.settle([Ending(delivery=late, at=clock.now(), result=b'"late"')]) == [False]
        assert store.settle([Ending(delivery=current, at=clock.now(), result=b'"current"')]) == [True]


def test_the_oldest_is_delivered_first_whatever_its_action(path: Path, store: SqliteStore) -> None:
    clock = StillClock()
    ids = [new_id() for _ in range(4)]
    with closing(Database(path, durable=False, busy=BUSY)) as quick:
        queue = SqliteQueue(quick, clock, lease=LEASE, bounds={"delay": None, "a": None, "z": None})
        for id_, action in zip(ids, "zaza", strict=True):
            store.add([record(clock.now(), id=id_, action=action)])
            clock.advance(timedelta(seconds=1))

        received = [queue.receive(1, NOW)[0].key.id for _ in ids]

    assert received == ids


def test_what_was_held_up_goes_before_what_is_new_and_that_in_order_of_arrival(path: Path, store: SqliteStore) -> None:
    clock = StillClock()
    with closing(Database(path, durable=False, busy=BUSY)) as quick:
        queue = SqliteQueue(quick, clock, lease=LEASE, bounds={"delay": None, "a": None})
        ids = [new_id() for _ in range(5)]
        store.add([record(clock.now(), id=id_) for id_ in ids[:2]])
        held, _ = queue.receive(2, NOW)
        queue.release([held], LEASE / 2, charged=True)
        for id_, action in zip(ids[2:], ["delay", "a", "delay"], strict=True):
            store.add([record(clock.now(), id=id_, action=action)])
            clock.advance(-LEASE / 10)
        clock.advance(LEASE * 1.5)

        received = [queue.receive(1, NOW)[0].key.id for _ in ids]

    assert received == ids


def test_what_is_given_back_keeps_its_place(path: Path, store: SqliteStore) -> None:
    clock = StillClock()
    with closing(Database(path, durable=False, busy=BUSY)) as quick:
        queue = SqliteQueue(quick, clock, lease=LEASE, bounds={"delay": None})
        ids = [new_id() for _ in range(3)]
        store.add([record(clock.now(), id=id_) for id_ in ids])

        queue.release(queue.receive(2, NOW), NOW, charged=False)

        assert [queue.receive(1, NOW)[0].key.id for _ in ids] == ids


def test_what_an_older_version_queued_is_delivered(path: Path, database: Database, store: SqliteStore) -> None:
    """It wrote the time of creation where it had nothing to wait for."""
    clock = StillClock()
    with closing(Database(path, durable=False, busy=BUSY)) as quick:
        queue = SqliteQueue(quick, clock, lease=LEASE, bounds={"delay": None})
        old, new = record(clock.now()), record(clock.now())
        store.add([new, old])
        database.write("UPDATE record SET due_at = created_at WHERE id = ?", (old.id,))

        assert [one.key.id for one in queue.receive(2, NOW)] == [old.id, new.id]


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (DUE, {"action": "a", "now": 1, "far": 9, "free": 1}, "record_due"),
        (DUE, {"action": "a", "now": 1, "far": 9, "free": 1}, "record_leased"),
        (IS_DUE, {"action": "a", "now": 1, "far": 9}, "record_due"),
        (IS_DUE, {"action": "a", "now": 1, "far": 9}, "record_leased"),
        (LEASED, {"action": "a", "now": 1, "far": 9}, "record_leased"),
        (NEXT, ("a", 1), "record_due"),
        (SETTLE, (1, 1, 1, 1, 1, 1, "x", 0, b""), "record_key"),
        (EXTEND, (1, "x", 0, b""), "record_key"),
    ],
)
def test_no_frequent_statement_scans_the_table(
    database: Database, statement: str, values: tuple[object, ...] | dict[str, object], index: str
) -> None:
    with database.reading() as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    assert index in plan
    assert "SCAN record" not in plan
    assert "TEMP B-TREE" not in plan


def test_a_part_without_a_result_is_not_merged_as_if_it_had_one(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    service = Service(settings)
    added = record(service.clock.now())
    service.store.add([added])
    [delivery] = service.queue.receive(1, NOW)
    service.store.plan(delivery, [b"1", b"2"])
    first, _ = service.queue.receive(2, NOW)
    service.store.settle([Ending(delivery=first, at=service.clock.now(), result=b"10")])

    results = part_results(settings)(added.id, 2)

    assert next(results) == b"10"
    with pytest.raises(LookupError, match="part 2 has no result"):
        next(results)


def test_nothing_that_a_store_or_a_queue_does_scans_the_table(path: Path, database: Database) -> None:
    """Whatever statements there are: they are taken down as they are made."""
    made: set[str] = set()
    clock = StillClock()
    with closing(Database(path, durable=False, busy=BUSY)) as quick:
        for opened in (database, quick):
            with opened.reading() as connection:
                connection.set_trace_callback(made.add)
        store, queue = SqliteStore(database, clock), SqliteQueue(quick, clock, lease=LEASE, bounds={"delay": 9})
        whole, split, failed = (record(clock.now()) for _ in range(3))
        store.add([whole, split])
        store.add([split, failed])
        store.add_together([record(clock.now()), whole])
        one, two, three = queue.receive(3, NOW)
        queue.extend([one])
        queue.release([one], LEASE, charged=True)
        store.plan(two, [b"1", b"2"])
        store.settle([Ending(delivery=three, at=clock.now(), error=Failure(Reason.RAISED, "no"))])
        store.reopen([failed.id])
        parts = [part for part in queue.receive(9, NOW) if part.key.part]
        store.settle([Ending(delivery=part, at=clock.now(), result=b"1") for part in parts])
        store.get([whole.id])
        store.parts([part.key for part in parts])
        for opened in (database, quick):
            with opened.reading() as connection:
                connection.set_trace_callback(None)
    asked = [statement for statement in made if " record" in statement]
    assert len(asked) > 12
    with database.reading() as connection:
        plans = {text: connection.execute(f"EXPLAIN QUERY PLAN {text}").fetchall() for text in asked}
    assert [text for text, plan in plans.items() if any(step[3].startswith("SCAN record") for step in plan)] == []
