"""Whatever is amiss after a power loss, the judge sees it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.keyring import SqliteKeyring
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.api_key import ApiKey
from acuse.domain.delivery import Ending
from acuse.domain.record import Failure, Key, Reason
from tests.clock import StillClock
from tests.power.judge import BOUNDS, BUSY, FILE, Verdict, judge
from tests.power.ledger import Begun, Done, Ledger, State, Together
from tests.requests import CREATED, record

if TYPE_CHECKING:
    from pathlib import Path

PLAIN, SPLIT, WAITING = record(), record(), record()
PARTS = (b'"one"', b'"two"')
ENDED = State(content=PLAIN.body, status="finished", result=b"1")
FAILED = State(content=PARTS[0], status="failed", detail="it broke")
KEY = ApiKey(name="k", hash=b"hash", created_at=CREATED)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Of a database with a request that ended, one of two parts of which one failed, one that waits, and a key."""
    database = Database(tmp_path / FILE, durable=True, busy=BUSY)
    store = SqliteStore(database, StillClock())
    queue = SqliteQueue(database, StillClock(), lease=timedelta(seconds=10), bounds=BOUNDS)
    SqliteKeyring(database).put(KEY)
    store.add([PLAIN, SPLIT])
    plain, split = queue.receive(2, timedelta(0))
    assert store.settle([Ending(delivery=plain, at=CREATED, result=b"1")]) == [True]
    assert store.plan(split, PARTS)
    [part] = queue.receive(1, timedelta(0))
    assert store.settle([Ending(delivery=part, at=CREATED, error=Failure(Reason.RAISED, "it broke"))]) == [True]
    store.add([WAITING])
    database.close()

    ledger = Ledger()
    for name, *states in (
        (Key(PLAIN.id), State(content=PLAIN.body), ENDED),
        (Key(SPLIT.id), State(content=SPLIT.body), State(content=SPLIT.body, parts=2)),
        (Key(SPLIT.id, 1), State(content=PARTS[0]), FAILED),
        (Key(SPLIT.id, 2), State(content=PARTS[1])),
        (Key(WAITING.id), State(content=WAITING.body)),
        (KEY.name, State(content=KEY.hash)),
    ):
        for state in states:
            ledger.read(Begun(name, state))
        ledger.read(Done(name, len(states) - 1, CREATED))
    return ledger


def test_all_that_was_promised_is_there(tmp_path: Path, ledger: Ledger) -> None:
    assert judge(tmp_path, ledger) == Verdict([], [])


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        (Key(WAITING.id), "DELETE FROM record WHERE id = :waiting"),
        (
            Key(PLAIN.id),
            "UPDATE record SET status = 'accepted', finished_at = NULL, result = NULL, due_at = 0 WHERE id = :plain",
        ),
        ("k", "DELETE FROM api_key"),
    ],
)
def test_a_loss_is_seen(tmp_path: Path, ledger: Ledger, name: object, harm: str) -> None:
    do(tmp_path, harm)

    assert judge(tmp_path, ledger) == Verdict([name], [])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("harm", "seen"),
    [
        ("UPDATE record SET body = '{}' WHERE id = :plain", "nobody asked for"),
        ("UPDATE record SET result = '2' WHERE id = :plain", "nobody asked for"),
        ("UPDATE record SET detail = 'other' WHERE status = 'failed'", "nobody asked for"),
        ("UPDATE record SET created_at = created_at - 1 WHERE id = :plain", "created at another time"),
        ("UPDATE record SET id = 'x' WHERE id = :waiting", "nobody sent"),
        ("UPDATE record SET part = 3 WHERE part = 2", "a plan is torn"),
        ("DELETE FROM record WHERE part = 2", "a plan is torn"),
        ("DELETE FROM record WHERE part = 0 AND id = :split", "a plan is torn"),
        ("UPDATE record SET parts_left = 2 WHERE id = :split AND part = 0", "a plan is torn"),
        ("UPDATE record SET parts_failed = 0 WHERE id = :split AND part = 0", "a plan is torn"),
        ("UPDATE record SET due_at = NULL WHERE id = :waiting", "due and is not delivered"),
        ("UPDATE record SET due_at = 0 WHERE id = :split AND part = 0", "delivered and is not due"),
    ],
)
def test_what_may_not_be_there_is_seen(tmp_path: Path, ledger: Ledger, harm: str, seen: str) -> None:
    do(tmp_path, harm)

    assert any(seen in one for one in judge(tmp_path, ledger).wrong)


def test_a_part_of_what_was_to_be_stored_together_is_seen(tmp_path: Path, ledger: Ledger) -> None:
    absent = [Key(record().id) for _ in range(2)]
    for names in ([Key(PLAIN.id), Key(WAITING.id)], absent, [Key(PLAIN.id), *absent]):
        ledger.read(Together(tuple(names)))

    [wrong] = judge(tmp_path, ledger).wrong

    assert str(absent[0]) in wrong
    assert "which were to be stored together" in wrong


def test_an_index_that_does_not_fit_its_table_is_seen(tmp_path: Path, ledger: Ledger) -> None:
    do(tmp_path, "PRAGMA writable_schema = ON")
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'due_at IS NOT NULL', 'seq = 0') WHERE type = 'index'"
        )
        connection.commit()

    assert any("record_due" in one for one in judge(tmp_path, ledger).wrong)


def test_of_a_file_that_cannot_be_read_all_is_lost(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / FILE).write_bytes(b"noise" * 5_000)

    verdict = judge(tmp_path, ledger)

    assert set(verdict.lost) == set(ledger.names)
    assert "cannot be read" in verdict.wrong[0]


@pytest.mark.parametrize("promised", [False, True])
def test_what_was_only_asked_for_may_be_there_or_not(tmp_path: Path, ledger: Ledger, *, promised: bool) -> None:
    late = record()
    later = State(content=PLAIN.body, status="accepted")
    for name, state in ((Key(late.id), State(content=late.body)), (Key(PLAIN.id), later)):
        ledger.read(Begun(name, state))
        if promised:
            ledger.read(Done(name, len(ledger.names[name].states) - 1))

    assert set(judge(tmp_path, ledger).lost) == ({Key(late.id), Key(PLAIN.id)} if promised else set())


def do(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        connection.execute(statement, {"plain": PLAIN.id, "split": SPLIT.id, "waiting": WAITING.id})
        connection.commit()
