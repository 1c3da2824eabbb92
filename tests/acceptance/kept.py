"""The data of a service that is not running now: what the commands of an operator find."""

from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.delivery import Ending
from acuse.domain.record import Failure, Reason
from tests.acceptance.service import PATIENCE_SECONDS, acuse
from tests.clock import StillClock
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from acuse.domain.record import Record

LEASE = timedelta(seconds=10)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
TOOK = timedelta(seconds=1.5)
FAILURE = Failure(Reason.RAISED, "no")


class Kept:
    """Requests are created one second after another from FIRST on; what ends does so TOOK later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.clock = StillClock()

    def accepted(self, count: int = 1, **members: Any) -> list[str]:
        """Their ids, in the order in which they were created. Nothing else can be given an end after them."""
        with self.opened() as (store, _):
            return [self._created(store, members).id for _ in range(count)]

    def finished(self, count: int = 1, *, result: bytes = b"1", **members: Any) -> list[str]:
        return self._ended(count, members, result=result)

    def failed(self, count: int = 1, *, detail: str = "no", **members: Any) -> list[str]:
        return self._ended(count, members, error=Failure(Reason.RAISED, detail))

    def many(self, count: int, *, noise: int = 0) -> list[str]:
        """As many that failed, all at one moment, with so many bytes in each that no format makes less of."""
        records = [record(self.clock.now(), noise=secrets.token_hex(noise)) for _ in range(count)]
        with self.opened() as (store, queue):
            store.add(records)
            while deliveries := queue.receive(500, timedelta(0)):
                store.settle([Ending(delivery=one, at=self.clock.now(), error=FAILURE) for one in deliveries])
        return [one.id for one in records]

    def split(self, *details: str | None) -> str:
        """A request with a part for each detail, which failed with it; or, for None, finished."""
        with self.opened() as (store, queue):
            one = self._created(store, {})
            [delivery] = queue.receive(1, timedelta(0))
            store.plan(delivery, [b"%d" % number for number in range(1, len(details) + 1)])
            for part in queue.receive(len(details), timedelta(0)):
                detail = details[part.key.part - 1]
                error = None if detail is None else Failure(Reason.RAISED, detail)
                result = b'"done"' if error is None else None
                store.settle([Ending(delivery=part, at=self.clock.now(), result=result, error=error)])
            [delivery] = queue.receive(1, timedelta(0))
            error = Failure(Reason.PARTS_FAILED, "part 1")
            store.settle([Ending(delivery=delivery, at=self.clock.now(), error=error)])
        return one.id

    def reopen(self, ids: list[str]) -> None:
        with self.opened() as (store, _):
            assert all(store.reopen(ids))

    def counted(self, status: str) -> int:
        with closing(sqlite3.connect(self.folder / "acuse.db", timeout=PATIENCE_SECONDS)) as connection:
            found = connection.execute("SELECT count(*) FROM record WHERE part = 0 AND status = ?", (status,))
            return int(found.fetchone()[0])

    def run(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """One command over this data."""
        return acuse(*arguments, data=self.folder, **options)

    def listed(self, *arguments: object) -> list[str]:
        """The ids that the list tells."""
        told = self.run("list", *arguments)
        assert told.returncode == 0, told.stderr
        return [line.split("\t")[0] for line in told.stdout.splitlines()]

    @contextmanager
    def running(self, *arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """A command over this data, whose output has to be read."""
        command = [sys.executable, "-m", "acuse", *map(str, arguments), "--data", str(self.folder)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        ) as process:
            yield process

    @contextmanager
    def opened(self, action: str = "delay") -> Iterator[tuple[SqliteStore, SqliteQueue]]:
        with closing(Database(self.folder / "acuse.db", durable=False, busy=LEASE)) as database:
            queue = SqliteQueue(database, self.clock, lease=LEASE, bounds={action: None})
            yield SqliteStore(database, self.clock), queue

    def _created(self, store: SqliteStore, members: dict[str, Any]) -> Record:
        one = record(self.clock.now(), **members)
        store.add([one])
        self.clock.advance(timedelta(seconds=1))
        return one

    def _ended(self, count: int, members: dict[str, Any], **ending: Any) -> list[str]:
        ids: list[str] = []
        with self.opened(**{name: value for name, value in members.items() if name == "action"}) as (store, queue):
            for _ in range(count):
                one = self._created(store, members)
                ids.append(one.id)
                [delivery] = queue.receive(1, timedelta(0))
                store.settle([Ending(delivery=delivery, at=one.created_at + TOOK, **ending)])
        return ids
