"""What a purge does to the SQLite file, and what comes between two of its statements."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.delivery import Ending
from acuse.domain.outcome import Added
from acuse.domain.record import Failure, Key, Reason, Status
from tests.clock import StillClock
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from acuse.domain.delivery import Delivery

NOW = timedelta(0)
A_WHILE = timedelta(seconds=60)
BUSY = timedelta(seconds=5)
FAILURE = Failure(Reason.RAISED, "no")
MIB = 1_048_576


class File:
    """A store over one file, with a queue, and a clock that stands still."""

    def __init__(self, path: Path, database: Database) -> None:
        self.path = path
        self.clock = StillClock()
        self.database = database
        self.store = SqliteStore(database, self.clock)
        self.queue = SqliteQueue(database, self.clock, lease=A_WHILE, bounds={"delay": None})

    def receive(self, count: int) -> list[Delivery]:
        return sorted(self.queue.receive(count, NOW), key=lambda one: one.key)

    def end(self, *deliveries: Delivery, result: bytes = b"1", failed: bool = False) -> None:
        at, error = self.clock.now(), FAILURE if failed else None
        result_ = None if failed else result
        endings = [Ending(delivery=one, at=at, result=result_, error=error) for one in deliveries]
        assert self.store.settle(endings) == [True] * len(endings)

    def ended(self, count: int, *, failed: bool = False, note: str = "", result: bytes = b"1") -> list[str]:
        """Requests that ended just now."""
        records = [record(self.clock.now(), note=note) for _ in range(count)]
        assert self.store.add(records) == [Added(one) for one in records]
        self.end(*self.receive(count), result=result, failed=failed)
        return [one.id for one in records]

    def merged(self, parts: int, value: bytes = b"1", *, failed: bool = False) -> str:
        """A request whose parts and merge have ended, the first part and the merge as failed where it did."""
        one = record(self.clock.now())
        assert self.store.add([one]) == [Added(one)]
        [delivery] = self.receive(1)
        assert self.store.plan(delivery, [value] * parts)
        first, *others = [found for _ in range(0, parts, 500) for found in self.receive(500)]
        self.end(*others)
        self.end(first, failed=failed)
        self.end(*self.receive(1), failed=failed)
        return one.id

    def pragma(self, name: str) -> int:
        with self.database.reading() as connection:
            return int(connection.execute(f"PRAGMA {name}").fetchone()[0])

    def rows(self, id_: str) -> int:
        with self.database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM record WHERE id = ?", (id_,)).fetchone()[0])

    def empty_log(self) -> None:
        with self.database.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def log_size(self) -> int:
        return self.path.with_name(f"{self.path.name}-wal").stat().st_size

    def purge(self, limit: int = 64) -> int:
        """What ended by now is gone: requests and parts."""
        gone, after = 0, None
        while True:
            step = self.store.purge(self.clock.now(), limit, after, dry=False)
            gone += step.requests + step.parts
            if (after := step.next) is None:
                return gone


class Intruded(Database):
    """Somebody else comes before its next transaction, whose choice has been made by then."""

    intrude: Callable[[], object] | None = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        if intrude := self.intrude:
            self.intrude = None
            intrude()
        with super().writing() as connection:
            yield connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acuse.db"


@pytest.fixture
def file(path: Path) -> Iterator[File]:
    with closing(Database(path, durable=False, busy=BUSY)) as database:
        yield File(path, database)


def test_a_file_from_which_as_much_goes_as_comes_grows_no_more(file: File) -> None:
    empty = file.pragma("page_count")
    sizes: list[int] = []
    for number in range(16):
        file.ended(90, note="x" * 200 * (number % 3))
        file.ended(10, failed=True, note="y" * 20_000)
        file.merged(40, b'"%b"' % (b"z" * 500), failed=number % 2 == 0)
        file.clock.advance(A_WHILE)
        assert file.purge() == 141
        sizes.append(file.pragma("page_count"))

    assert sizes[-1] <= max(sizes[:4])
    assert file.pragma("freelist_count") > (file.pragma("page_count") - empty) * 0.9


def test_the_log_of_a_step_is_bounded_whatever_it_deletes(file: File) -> None:
    file.ended(24, note="x" * 200_000, result=b'"%b"' % (b"y" * 60_000))
    file.merged(120, b'"%b"' % (b"z" * 60_000))
    file.ended(300)
    file.merged(1_000)
    file.clock.advance(A_WHILE)
    logs: list[int] = []
    gone, after = 0, None
    while True:
        file.empty_log()
        step = file.store.purge(file.clock.now(), 64, after, dry=False)
        logs.append(file.log_size())
        assert step.requests + step.parts <= 64
        gone += step.requests + step.parts
        if (after := step.next) is None:
            break

    assert gone == 24 + 121 + 300 + 1_001
    assert max(logs) < 2 * MIB


def test_what_is_as_large_as_a_step_may_be_goes_alone(file: File) -> None:
    large = file.ended(2, note="x" * 3 * MIB)
    file.clock.advance(A_WHILE)

    steps = [file.store.purge(file.clock.now(), 64, None, dry=False).requests for _ in range(2)]

    assert steps == [1, 1]
    assert file.store.get(large) == {}


def test_after_a_step_the_connection_is_as_it_was(path: Path) -> None:
    with closing(Database(path, durable=True, busy=BUSY)) as database:
        file = File(path, database)
        before = [file.pragma(name) for name in ("synchronous", "wal_autocheckpoint")]
        file.ended(1)
        file.clock.advance(A_WHILE)

        file.purge()

        assert [file.pragma(name) for name in ("synchronous", "wal_autocheckpoint")] == before
        assert before[0] == 2  # Every commit waits for the disk.


def test_the_log_stays_small_while_much_is_deleted(file: File) -> None:
    file.merged(3_000, b'"%b"' % (b"z" * 4_000))
    file.clock.advance(A_WHILE)
    file.empty_log()

    assert file.purge() == 3_001

    assert file.log_size() < 8 * MIB


@pytest.mark.parametrize("limit", [100, 3], ids=["in one step", "in several"])
def test_what_is_opened_again_between_the_look_and_the_write_stays_whole(path: Path, limit: int) -> None:
    with closing(Intruded(path, durable=True, busy=BUSY)) as database:
        file = File(path, database)
        alone, [split] = file.ended(1, failed=True), [file.merged(5, failed=True)]
        file.clock.advance(A_WHILE)
        database.intrude = lambda: file.store.reopen([*alone, split])

        assert file.purge(limit) == 0

        assert [one.status for one in file.store.get([*alone, split]).values()] == [Status.ACCEPTED] * 2
        file.end(*file.receive(2))
        file.end(*file.receive(1))
        assert file.store.get([split])[split].status is Status.FINISHED
        assert len(file.store.parts([Key(split, part) for part in range(1, 6)])) == 5


@pytest.mark.parametrize("limit", [100, 3], ids=["in one step", "in several"])
def test_what_is_opened_again_and_ends_between_the_look_and_the_write_stays_whole(path: Path, limit: int) -> None:
    with closing(Intruded(path, durable=True, busy=BUSY)) as database:
        file = File(path, database)
        ids = [*file.ended(1, failed=True), file.merged(5, failed=True)]
        file.clock.advance(A_WHILE)

        def ends_again() -> None:
            file.store.reopen(ids)
            file.end(*file.receive(2))
            file.end(*file.receive(1))

        database.intrude = ends_again

        assert file.purge(limit) == 0

        assert [one.status for one in file.store.get(ids).values()] == [Status.FINISHED] * 2
        assert len(file.store.parts([Key(ids[1], part) for part in range(1, 6)])) == 5


def test_what_went_and_came_again_between_the_look_and_the_write_stays(path: Path) -> None:
    with closing(Intruded(path, durable=True, busy=BUSY)) as database:
        file = File(path, database)
        id_ = file.merged(5)
        file.clock.advance(A_WHILE)

        def goes_and_comes() -> None:
            assert file.purge() == 6
            file.store.add([record(file.clock.now(), id=id_)])
            [delivery] = file.receive(1)
            assert file.store.plan(delivery, [b"1"] * 5)

        database.intrude = goes_and_comes

        assert file.store.purge(file.clock.now(), 3, None, dry=False).parts == 0
        assert file.rows(id_) == 6


def test_a_step_that_fails_leaves_all_of_it(file: File) -> None:
    """The parts of a request never go without it, nor it without them."""
    id_ = file.merged(5)
    file.clock.advance(A_WHILE)
    with file.database.writing() as connection:
        connection.execute(
            "CREATE TRIGGER no BEFORE DELETE ON record WHEN old.part = 3 BEGIN SELECT raise(ABORT, 'no'); END"
        )

    with pytest.raises(Exception, match="no"):
        file.purge()

    assert file.rows(id_) == 6
