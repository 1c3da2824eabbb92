"""The real intake, worker and runners over a store that fails, a queue at its worst, and a clock that is set."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from acuse.adapters.memory import Memory, MemoryQueue, MemoryStore
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.application import slot as slot_module
from acuse.bootstrap import load_catalogue
from acuse.domain.outcome import Added
from acuse.domain.record import Key, Record, Status
from tests.acceptance.service import until
from tests.clock import SetClock
from tests.faults.clients import Clients, Group
from tests.faults.ledger import Ledger
from tests.faults.seam import Fate, Seeded, seam
from tests.faults.unruly import Unruly
from tests.integration.test_worker import LEASE, Site
from tests.requests import submission

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acuse.domain.submission import Submission
    from acuse.ports import Queue, Store

ACTIONS = str(Path(__file__).with_name("actions.py"))
ODDS = {Fate.BEFORE: 0.05, Fate.AFTER: 0.05, Fate.HANG: 0.005}
MISCHIEF = 0.2
HOURS = [timedelta(hours=hours) for hours in (-9, -2, -0.01, 0, 0.01, 2, 9)]
WAVES = 8
STALL_SECONDS = 0.5


@contextmanager
def opened(kind: str, folder: Path, clock: SetClock, bounds: dict[str, int | None]) -> Iterator[tuple[Store, Queue]]:
    if kind == "memory":
        memory = Memory(clock)
        yield MemoryStore(memory), MemoryQueue(memory, lease=LEASE, bounds=bounds)
        return
    busy = timedelta(seconds=5)
    durable = Database(folder / "acuse.db", durable=True, busy=busy)
    quick = Database(folder / "acuse.db", durable=False, busy=busy)
    yield SqliteStore(durable, clock), SqliteQueue(quick, clock, lease=LEASE, bounds=bounds)
    quick.close()
    durable.close()


def wave(random: Random, *, upto: int) -> list[Group]:
    """Requests of all kinds, alone and together; `upto`: the most parts of one."""

    def any_of_them() -> Submission:
        if random.random() < 0.2:
            return submission(action="lists", upto=random.randint(0, upto))
        return submission(action="doubles", number=random.randrange(1000), again=random.random() < 0.3)

    alone = [Group((any_of_them(),)) for _ in range(5)]
    many = Group(tuple(any_of_them() for _ in range(4)))
    all_or_none = Group(tuple(any_of_them() for _ in range(3)), together=True)
    return [*alone, many, all_or_none]


def result_of(body: dict[str, Any]) -> object:
    return [2 * part for part in range(body["upto"])] if body["action"] == "lists" else 2 * body["number"]


@pytest.mark.parametrize(("kind", "seed"), [("memory", 1), ("sqlite", 2), ("sqlite", 3)])
def test_what_is_acknowledged_ends_once_and_whole_whatever_fails_and_whatever_the_clock_says(
    kind: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over memory without parts: merges read their results from another process."""
    monkeypatch.setattr(slot_module, "RECOVERY", 0.02)
    random, clock, ledger = Random(seed), SetClock(), Ledger()
    plan = Seeded(seed, ODDS, LEASE * 1.3)
    catalogue = load_catalogue([ACTIONS])
    with opened(kind, tmp_path, clock, catalogue.bounds()) as (store, queue):
        faulty, unruly = seam(ledger.over(store), plan), Unruly(seam(queue, plan), Random(seed), luck=MISCHIEF)
        site = Site(faulty, unruly, catalogue, tmp_path, {"ACUSE_ACTIONS": ACTIONS})
        site.clock = clock
        clients = Clients(faulty, clock, random)
        clients.intake.start()
        left = _left_behind(store, queue, clock)
        with site.working(runners=2), site.working():
            _await_end(store, left)
            for _ in range(WAVES):
                clock.ahead = random.choice(HOURS)
                clients.send(wave(random, upto=0 if kind == "memory" else 12))
                _until_more(ledger)
            plan.calm()
            unruly.calm()
            clock.ahead = max(HOURS)
            sent = (
                [*left] + [one.id for group in clients.doubtful for one in group.submissions] + [*clients.acknowledged]
            )
            _await_end(store, sent)
        clients.intake.close()

        assert min(plan.met[Fate.BEFORE] + plan.met[Fate.AFTER], unruly.repeated + unruly.held_back) > 5
        records = store.get(sent)
        assert clients.acknowledged.keys() <= records.keys()
        for group in clients.doubtful:
            if group.together:
                assert len({one.id in records for one in group.submissions}) == 1
        for one in records.values():
            _check(one, ledger, store)
        assert sum(ledger.ended.values()) == len(records) + sum(_parts(one) for one in records.values())


def _left_behind(store: Store, queue: Queue, clock: SetClock) -> list[str]:
    """By a clock that was far ahead: one that a worker held that is gone, and one that nobody has received."""
    clock.ahead = max(HOURS)
    ids = []
    for _ in range(2):
        [added] = store.add([submission(action="doubles", number=1).accepted(clock.now())])
        assert isinstance(added, Added)
        ids.append(added.record.id)
    assert len(queue.receive(1, timedelta(0))) == 1
    clock.ahead = min(HOURS)
    return ids


def _await_end(store: Store, ids: list[str]) -> None:
    until(lambda: all(one.status is not Status.ACCEPTED for one in store.get(ids).values()), f"the end of {ids}")


def _until_more(ledger: Ledger) -> None:
    """Something has ended, or nothing does by this clock."""
    before, deadline = ledger.ended.total(), time.monotonic() + STALL_SECONDS
    while ledger.ended.total() == before and time.monotonic() < deadline:
        threading.Event().wait(0.01)


def _check(one: Record, ledger: Ledger, store: Store) -> None:
    assert one.status is Status.FINISHED, one
    assert json.loads(one.result or b"") == result_of(json.loads(one.body))
    assert one.finished_at is not None
    assert one.finished_at >= one.created_at
    keys = [Key(one.id, part) for part in range(1, _parts(one) + 1)]
    assert {key: ledger.ended[key] for key in [Key(one.id), *keys]} == dict.fromkeys([Key(one.id), *keys], 1)
    assert ledger.planned[one.id] == (one.progress is not None)
    assert {part.status for part in store.parts(keys).values()} <= {Status.FINISHED}
    assert len(store.parts(keys)) == len(keys)


def _parts(one: Record) -> int:
    return 0 if one.progress is None else one.progress.parts
