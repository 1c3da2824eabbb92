"""`acuse purge` as an operator runs it, while the service serves."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.record import Failure, Reason
from tests.acceptance.service import PATIENCE_SECONDS, Running, acuse, until
from tests.aws.local import local_aws
from tests.clock import StillClock
from tests.contract.aws import Live
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_AGO = timedelta(days=40)
LEASE = timedelta(seconds=10)
FAILURE = Failure(Reason.RAISED, "no")
PARTS = 6_000


class LongAgo:
    """The data of a service that ran long ago."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.file = folder / "acuse.db"
        self._clock = StillClock()
        self._clock.time = SystemClock().now() - LONG_AGO

    def ended(self, count: int, *, failed: bool = False) -> list[str]:
        """Requests that ended then."""
        records = [record(self._clock.now()) for _ in range(count)]
        with self._opened() as (store, queue):
            store.add(records)
            self._end_all(store, queue, failed=failed)
        return [one.id for one in records]

    def split(self, parts: int) -> str:
        """A request with so many parts that failed then."""
        one = record(self._clock.now())
        with self._opened() as (store, queue):
            store.add([one])
            [delivery] = queue.receive(1, timedelta(0))
            store.plan(delivery, [b"1"] * parts)
            self._end_all(store, queue, failed=True)
        return one.id

    def rows(self, *ids: str) -> int:
        """Requests and parts of these that are there."""
        with closing(sqlite3.connect(self.file, timeout=PATIENCE_SECONDS)) as connection:
            marks = ", ".join("?" * len(ids))
            found = connection.execute(f"SELECT count(*) FROM record WHERE id IN ({marks})", ids)  # noqa: S608
            return int(found.fetchone()[0])

    @contextmanager
    def purging(self, **environment: str) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "acuse", "purge", "--older-than", "30d", "--data", str(self.folder)]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        ) as process:
            yield process

    @contextmanager
    def _opened(self) -> Iterator[tuple[SqliteStore, SqliteQueue]]:
        with closing(Database(self.file, durable=False, busy=LEASE)) as database:
            queue = SqliteQueue(database, self._clock, lease=LEASE, bounds={"delay": None})
            yield SqliteStore(database, self._clock), queue

    def _end_all(self, store: SqliteStore, queue: SqliteQueue, *, failed: bool) -> None:
        while deliveries := queue.receive(500, timedelta(0)):
            store.settle([self._ending(one, failed=failed and not one.key.part) for one in deliveries])

    def _ending(self, delivery: Delivery, *, failed: bool) -> Ending:
        error = FAILURE if failed else None
        return Ending(delivery=delivery, at=self._clock.now(), result=None if failed else b"1", error=error)


@pytest.fixture
def old(tmp_path: Path) -> LongAgo:
    return LongAgo(tmp_path / "data")


def told(text: str) -> int:
    """Requests and parts of which it says that they are gone."""
    return sum(map(int, re.findall(r"(\d+) (?:request|part)s?", text)))


def test_a_purge_that_is_killed_is_taken_up_by_the_next_while_the_service_works(old: LongAgo, tmp_path: Path) -> None:
    large, *others = old.split(PARTS), *old.ended(20), *old.ended(20, failed=True)
    go_on = tmp_path / "go on"
    with Running(old.folder) as service:
        done = service.accept(text="before")
        service.ended(done)
        running = service.accept(action="notes", until=str(go_on))
        waiting = service.accept(action="sums", upto=20)

        with old.purging() as first:
            until(lambda: old.rows(large) <= PARTS * 0.9, "parts that are gone")
            first.kill()
        left = old.rows(large)
        assert 1 < left < PARTS
        retried = acuse("retry", large, data=old.folder)
        shown = acuse("show", large, data=old.folder)
        meanwhile = [service.accept(text=str(number)) for number in range(5)]
        second = acuse("purge", "--older-than", "30d", data=old.folder)
        go_on.touch()

        assert first.returncode == -signal.SIGKILL
        assert retried.returncode == 1
        assert '"failed"' in shown.stdout
        assert second.returncode == 0, second.stderr
        assert told(second.stdout) == left + len(others)
        assert old.rows(large, *others) == 0
        assert service.ended(waiting)["result"] == {"sum": 210}
        assert service.ended(running)["result"] == "noted"
        assert all(service.ended(one)["status"] == "finished" for one in [done, *meanwhile])
        assert service.post(id=others[0]).status_code == 201


def test_a_dry_run_says_what_would_go(old: LongAgo) -> None:
    ids = [*old.ended(3), old.split(5)]

    dry = acuse("purge", "--older-than", "30d", "--dry-run", data=old.folder)
    assert (dry.returncode, dry.stdout) == (0, "4 requests and 5 parts would be gone\n")
    assert old.rows(*ids) == 9
    wet = acuse("purge", "--older-than", "30d", data=old.folder)
    assert (wet.returncode, wet.stdout, wet.stderr) == (0, "4 requests and 5 parts are gone\n", "")
    assert old.rows(*ids) == 0


def test_an_interrupt_ends_it_and_it_says_how_many_are_gone(old: LongAgo) -> None:
    ids = old.ended(5_000)
    with old.purging() as purge:
        until(lambda: old.rows(*ids) < 5_000, "requests that are gone")
        purge.send_signal(signal.SIGINT)
        out, error = purge.communicate(timeout=PATIENCE_SECONDS)

    left = old.rows(*ids)
    assert (purge.returncode, told(out), error) == (130, 5_000 - left, "")
    assert left > 0


def test_while_another_keeps_the_file_it_is_patient_and_then_says_how_many_are_gone(old: LongAgo) -> None:
    ids = old.ended(5_000)
    with (
        old.purging(ACUSE_BUSY="0.2") as purge,
        closing(sqlite3.connect(old.file, isolation_level=None, timeout=PATIENCE_SECONDS)) as other,
    ):
        until(lambda: old.rows(*ids) < 5_000, "requests that are gone")
        other.execute("BEGIN IMMEDIATE")
        _, error = purge.communicate(timeout=PATIENCE_SECONDS)
        left = old.rows(*ids)

    assert purge.returncode == 3
    assert "SQLITE_BUSY" in error
    assert (told(error), left > 0) == (5_000 - left, True)


def test_two_at_once_share_the_work(old: LongAgo) -> None:
    ids = [*old.ended(500), old.split(500)]
    with old.purging() as one, old.purging() as other:
        said = [purge.communicate(timeout=PATIENCE_SECONDS)[0] for purge in (one, other)]

    assert (one.returncode, other.returncode) == (0, 0)
    assert sum(map(told, said)) == 1_001
    assert old.rows(*ids) == 0


def test_an_age_must_be_given_and_have_a_unit(old: LongAgo) -> None:
    [id_] = old.ended(1)

    without = acuse("purge", data=old.folder)
    no_age = acuse("purge", "--older-than", "30", data=old.folder)

    assert (without.returncode, no_age.returncode) == (2, 2)
    assert "such as 90d" in no_age.stderr
    assert old.rows(id_) == 1


def test_it_purges_a_table_too() -> None:
    clock = StillClock()
    clock.time = SystemClock().now() - LONG_AGO
    with closing(Live(local_aws(), clock, LEASE, {"delay": None})) as aws:
        records = [record(clock.now()) for _ in range(3)]
        aws.store.add(records)
        aws.store.settle([Ending(delivery=one, at=clock.now(), result=b"1") for one in aws.queue.receive(2, LEASE)])

        purge = acuse("purge", "--older-than", "30d", env={**os.environ, **aws.settings})

        assert (purge.returncode, purge.stdout) == (0, "2 requests and 0 parts are gone\n")
        assert len(aws.store.get([one.id for one in records])) == 1
