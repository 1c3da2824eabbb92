"""Another program holds the file: it is refused while it does, and well again however that one ends."""

from __future__ import annotations

import sqlite3
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
from tests.integration.another import Another
from tests.integration.server import served
from tests.requests import body, new_id, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY = timedelta(seconds=0.05)
LEASE = timedelta(seconds=10)
NOW = timedelta(0)
THEIRS = """
INSERT INTO record (id, part, action, body, created_at, due_at) VALUES ('{}', 0, 'delay', '{{}}', 1, 1)
"""


class Served:
    """The public plane and a queue over one file, and another program that holds it."""

    def __init__(self, path: Path, client: httpx.Client, database: Database, another: Another) -> None:
        self.path = path
        self.another = another
        clock = SystemClock()
        self._client = client
        self._store = SqliteStore(database, clock)
        self._queue = SqliteQueue(database, clock, lease=LEASE, bounds={"delay": None})
        self._store.add([record(clock.now()) for _ in range(2)])
        [self._held] = self._queue.receive(1, NOW)
        self._sent = [body() for _ in range(3)]
        self._ending = Ending(delivery=self._held, at=clock.now(), result=b"1")

    def assert_refuses(self) -> None:
        for sent in self._sent:
            refused = self._client.post("/v1/requests", content=sent)
            assert (refused.status_code, refused.json()["type"]) == (503, "urn:acuse:problem:store-unavailable")
            assert int(refused.headers["retry-after"]) >= 1
        for call in (
            lambda: self._queue.receive(1, NOW),
            lambda: self._queue.extend([self._held]),
            lambda: self._queue.release([self._held], NOW, charged=False),
            lambda: self._store.settle([self._ending]),
        ):
            with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
                call()

    def assert_goes_on(self) -> None:
        for status in (201, 200):
            assert [self._client.post("/v1/requests", content=one).status_code for one in self._sent] == [status] * 3
        self._queue.extend([self._held])
        assert self._store.settle([self._ending]) == [True]
        assert len(self._queue.receive(9, NOW)) >= 1 + len(self._sent)

    def has(self, id_: str) -> bool:
        with closing(sqlite3.connect(self.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return bool(connection.execute("SELECT 1 FROM record WHERE id = ?", (id_,)).fetchall())


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    path = tmp_path / "acuse.db"
    with (
        closing(Database(path, durable=True, busy=BUSY)) as database,
        closing(Database(path, durable=False, busy=BUSY)) as quick,
        served(SqliteStore(database, SystemClock()), Settings()) as address,
        httpx.Client(
            base_url="http://{}:{}".format(*address), headers={"content-type": "application/json"}, timeout=30
        ) as client,
        Another(path) as another,
    ):
        yield Served(path, client, quick, another)


@contextmanager
def writing(service: Served, mode: str = "EXCLUSIVE") -> Iterator[str]:
    """The other is in the middle of a transaction: the id that it writes."""
    id_ = new_id()
    assert service.another.execute(f"BEGIN {mode}") == []
    assert service.another.execute(THEIRS.format(id_)) == []
    service.assert_refuses()
    yield id_
    service.assert_goes_on()


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_file_that_another_holds_for_long_is_refused_until_it_is_let_go(service: Served, mode: str) -> None:
    with writing(service, mode) as theirs:
        assert service.another.execute("COMMIT") == []

    assert service.has(theirs)


def test_a_file_that_one_holds_who_stands_still_is_refused_until_he_goes_on(service: Served) -> None:
    with writing(service) as theirs:
        service.another.stop()
        service.assert_refuses()
        service.another.go_on()
        assert service.another.execute("COMMIT") == []

    assert service.has(theirs)


def test_what_one_has_not_committed_who_was_killed_is_as_if_it_never_was(service: Served) -> None:
    with writing(service) as theirs:
        service.another.end()

    assert not service.has(theirs)


def test_who_is_killed_while_he_stands_still_lets_go(service: Served) -> None:
    with writing(service) as theirs:
        service.another.stop()
        service.another.end()

    assert not service.has(theirs)
