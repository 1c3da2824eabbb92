"""What people look at in a file of SQLite: never more of it is read than is shown."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.sqlite import database as module
from acuse.adapters.sqlite import overview
from acuse.adapters.sqlite.backend import SqliteBackend
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.delivery import Ending
from acuse.domain.errors import Misconfigured
from acuse.domain.listing import Filter
from acuse.domain.record import Failure, Reason, Status
from acuse.domain.tally import BOUNDS as BOUNDS_OF_TIME
from acuse.domain.tally import KEPT, SPAN, tally_of
from tests.clock import StillClock
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from acuse.domain.listing import Page
    from acuse.domain.record import Record

BUSY, LEASE, NOW = timedelta(seconds=5), timedelta(seconds=10), timedelta(0)
TICK = timedelta(microseconds=1)
ACTIONS = [f"action-{number}" for number in range(5)]
BOUNDS = dict.fromkeys(["delay", *ACTIONS])
VERSION_BEFORE = 2


class Steps:
    """Those of SQLite's machine, in thousands."""

    def __init__(self) -> None:
        self.taken = 0

    def count(self) -> None:
        self.taken += 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acuse.db"


def opened(path: Path, *, anew: bool = True) -> closing[SqliteBackend]:
    return closing(SqliteBackend(StillClock(), file=path, lease=LEASE, busy=BUSY, bounds=lambda: BOUNDS, anew=anew))


@pytest.fixture
def backend(path: Path) -> Iterator[SqliteBackend]:
    with opened(path) as made:
        yield made


def end_all(backend: SqliteBackend, error: Failure | None = None) -> None:
    at, result = StillClock().now(), b"1" if error is None else None
    while deliveries := backend.queue.receive(500, NOW):
        backend.store.settle([Ending(delivery=one, at=at, result=result, error=error) for one in deliveries])


def filled(backend: SqliteBackend, number: int) -> list[Record]:
    """So many of each of the three statuses, of each action; half of them of one moment."""
    at = StillClock().now()
    records = [
        record(at + (place % 2) * place * TICK, action=ACTIONS[place % len(ACTIONS)]) for place in range(3 * number)
    ]
    backend.store.add(records[:number])
    end_all(backend)
    backend.store.add(records[number : 2 * number])
    end_all(backend, Failure(Reason.RAISED, "no"))
    backend.store.add(records[2 * number :])
    return records


STATEMENTS = [
    overview.ACTIONS, overview.TIED, overview.OLDER, overview.FAILED_TIED, overview.FAILED_BEFORE, overview.GET,
    overview.LOAD,
]  # fmt: skip


@pytest.mark.parametrize("statement", [*STATEMENTS, overview.TALLIES])
def test_no_statement_goes_through_a_whole_table(path: Path, statement: str) -> None:
    named = dict.fromkeys(["action", "status", "at", "seq", "since", "until", "now", "far"], 1)
    values = named if ":" in statement else [1] * statement.count("?")
    with closing(Database(path, durable=False, busy=BUSY)) as database, database.reading() as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]

    looked_at = [line for line in plan if "record" in line or "tally" in line]
    assert looked_at
    assert all(line.startswith("SEARCH") for line in looked_at)
    assert not any("TEMP B-TREE" in line for line in plan)


WANTED = [
    Filter(),
    Filter(status=Status.ACCEPTED),
    Filter(status=Status.FAILED),
    Filter(action=ACTIONS[0]),
    Filter(status=Status.FINISHED, action=ACTIONS[0]),
    Filter(since=StillClock().now() + TICK, until=StillClock().now() + 99 * TICK),
]


FEW, MANY = 300, 3_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """One with few, and one with many."""
    folder = tmp_path_factory.mktemp("files")
    found = {number: folder / f"{number}.db" for number in (FEW, MANY)}
    for number, file in found.items():
        with opened(file) as backend:
            filled(backend, number)
    return found


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_a_page_costs_the_same_however_much_there_is(files: dict[int, Path], wanted: Filter) -> None:
    def steps(number: int) -> tuple[int, int]:
        """For the first page, and for one far behind it."""
        found = []
        with closing(Database(files[number], durable=False, busy=BUSY)) as database, database.reading() as connection:
            looking = overview.SqliteOverview(database, StillClock(), lease=LEASE)
            after = None
            for _ in range(2):
                counted = Steps()
                connection.set_progress_handler(counted.count, 10)
                looking.find(wanted, 10, after)
                connection.set_progress_handler(None, 0)
                found.append(counted.taken)
                after = looking.find(wanted, number // 10, after).next
        return found[0], found[1]

    few, many = steps(FEW), steps(MANY)

    assert all(there < 1.5 * before + 20 for before, there in zip(few, many, strict=True))


def test_a_listing_goes_on_after_a_restart(path: Path) -> None:
    with opened(path) as backend:
        records = filled(backend, 20)

    def page(after: str | None) -> Page:
        with opened(path, anew=False) as backend:
            return backend.overview.find(Filter(), 7, after)

    pages = [page(None)]
    while (after := pages[-1].next) is not None:
        pages.append(page(after))

    found = [one.id for page in pages for one in page.records]
    assert sorted(found) == sorted(one.id for one in records)


def test_the_last_page_says_that_it_is_the_last(backend: SqliteBackend) -> None:
    backend.store.add([record() for _ in range(4)])
    first = backend.overview.find(Filter(), 2, None)

    assert first.next is not None
    assert backend.overview.find(Filter(), 2, first.next).next is None


def test_each_bound_is_in_the_schema(path: Path) -> None:
    clock = StillClock()
    with closing(Database(path, durable=True, busy=BUSY)) as database:
        store, queue = SqliteStore(database, clock), SqliteQueue(database, clock, lease=LEASE, bounds=BOUNDS)
        store.add([record(clock.now()) for _ in range(2 * len(BOUNDS_OF_TIME))])
        deliveries = queue.receive(500, NOW)
        late = [timedelta(seconds=bound) + tick for bound in BOUNDS_OF_TIME for tick in (NOW, TICK)]
        looking = overview.SqliteOverview(database, clock, lease=LEASE)
        told: dict[tuple[datetime, int], int] = {}
        for delivery, by in zip(deliveries, late, strict=True):
            store.settle([Ending(delivery=delivery, at=clock.now() + by)])
            tallies = [one for one in looking.tallies(clock.now()) if one.status is Status.FINISHED]
            told |= {(one.at, one.bound): one.count for one in tallies}  # Those of the last hour.
        records = store.get([one.key.id for one in deliveries]).values()

    assert told == Counter((one.at, one.bound) for one in map(tally_of, records))


def test_what_lies_too_far_back_is_no_longer_counted_once_something_new_is(backend: SqliteBackend) -> None:
    began = StillClock().now()
    oldest = began - KEPT - SPAN
    times = [oldest, oldest - TICK, oldest - SPAN, began]
    backend.store.add([record(one) for one in times[:3]])
    assert len(backend.overview.tallies(began - 2 * KEPT)) == 2

    backend.store.add([record(times[3])])

    assert {one.at for one in backend.overview.tallies(began - 2 * KEPT)} == {oldest, began}


def test_what_is_shown_at_once_was_so_at_one_moment(backend: SqliteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is found as accepted and as finished, if it ends between the two looks."""
    backend.store.add([record() for _ in range(3)])
    actions = overview._actions

    def meanwhile(connection: sqlite3.Connection) -> list[str]:
        found = actions(connection)
        end_all(backend)
        return found

    monkeypatch.setattr(overview, "_actions", meanwhile)

    assert {one.status for one in backend.overview.find(Filter(), 10, None).records} == {Status.ACCEPTED}
    assert {one.status for one in backend.overview.find(Filter(), 10, None).records} == {Status.FINISHED}


@pytest.fixture
def old(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """A file that the version before wrote, and what is in it."""
    steps = module._migrations()
    monkeypatch.setattr(module, "_migrations", lambda: steps[:VERSION_BEFORE])
    records = [record(action=action) for action in ACTIONS]
    with closing(Database(path, durable=True, busy=BUSY)) as database:
        SqliteStore(database, StillClock()).add(records)
    monkeypatch.setattr(module, "_migrations", lambda: steps)
    return records


def test_a_file_of_the_version_before_is_listed_and_counted_from_now_on(path: Path, old: list[Record]) -> None:
    with opened(path) as backend:
        assert len(backend.overview.find(Filter(), 10, None).records) == len(old)
        assert set(backend.overview.backlog().actions or ()) == set(ACTIONS)
        assert backend.overview.tallies(StillClock().now() - KEPT) == []
        end_all(backend)
        assert {one.status for one in backend.overview.tallies(StillClock().now())} == {Status.FINISHED}
    with opened(path, anew=False) as backend:
        assert backend.store.get([old[0].id])[old[0].id].status is Status.FINISHED


def test_who_comes_later_does_not_migrate_a_file(path: Path, old: list[Record]) -> None:
    with opened(path, anew=False) as backend, pytest.raises(Misconfigured):
        _ = backend.overview

    with opened(path) as backend:
        assert backend.store.get([old[0].id])
