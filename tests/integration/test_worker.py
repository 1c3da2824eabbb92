"""A worker with real runners over each store: what is added ends, and as it should."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.memory import Memory, MemoryQueue, MemoryStore
from acuse.adapters.runners import ProcessRunner
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.application import slot as slot_module
from acuse.application.heartbeat import Heartbeat
from acuse.application.worker import Worker
from acuse.bootstrap import load_catalogue
from acuse.config import Settings
from acuse.domain.errors import RunnerUnavailable, StoreUnavailable
from acuse.domain.record import Key, Reason, Record, Status
from tests.aws.local import local_aws
from tests.contract.aws import Live
from tests.requests import new_id, record

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from acuse.application.actions import Catalogue
    from acuse.domain.delivery import Delivery, Ending
    from acuse.domain.task import Task
    from acuse.ports import Queue, Runner, Store

ACTIONS = str(Path(__file__).parent.parent / "actions.py")
LEASE = timedelta(seconds=1)
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue([ACTIONS])


class Site:
    """A store and its queue, and workers over them."""

    def __init__(
        self, store: Store, queue: Queue, catalogue: Catalogue, data: Path, elsewhere: Mapping[str, str] = {}
    ) -> None:
        """`elsewhere`: how another process finds the store, if not in the folder."""
        self.store = store
        self.queue = queue
        self.clock = SystemClock()
        self.catalogue = catalogue
        self.data = data
        self.elsewhere = elsewhere

    def add(self, **members: Any) -> str:
        added = record(self.clock.now(), **members)
        self.store.add([added])
        return added.id

    def ended(self, id_: str) -> Record:
        """The record, once it has ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.store.get([id_])[id_]
            if found.status is not Status.ACCEPTED:
                return found
            assert time.monotonic() < deadline, f"{found} has not ended"
            threading.Event().wait(0.01)

    @contextmanager
    def working(
        self,
        runners: int = 1,
        drain: timedelta = timedelta(seconds=30),
        wrap: Callable[[Runner], Runner] = lambda it: it,
    ) -> Iterator[Worker]:
        settings = Settings(actions=(ACTIONS,), data=self.data).to_environment()
        environment = {**os.environ, **settings, **self.elsewhere}
        worker = Worker(
            self.store,
            self.queue,
            self.clock,
            self.catalogue,
            [wrap(ProcessRunner(environment)) for _ in range(runners)],
            beat=LEASE / 4,
            drain=drain,
            random=Random(1),
            polled=lambda: None,
        )
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield worker
        finally:
            worker.stop()
            thread.join()


@contextmanager
def opened(kind: str, folder: Path, catalogue: Catalogue) -> Iterator[Site]:
    clock, bounds = SystemClock(), catalogue.bounds()
    if kind == "memory":
        memory = Memory(clock)
        yield Site(MemoryStore(memory), MemoryQueue(memory, lease=LEASE, bounds=bounds), catalogue, folder)
        return
    if kind == "aws":
        with closing(Live(local_aws(), clock, LEASE, bounds)) as aws:
            yield Site(aws.store, aws.queue, catalogue, folder, aws.settings)
        return
    busy = timedelta(seconds=5)
    durable = Database(folder / "acuse.db", durable=True, busy=busy)
    quick = Database(folder / "acuse.db", durable=False, busy=busy)
    yield Site(SqliteStore(durable, clock), SqliteQueue(quick, clock, lease=LEASE, bounds=bounds), catalogue, folder)
    quick.close()
    durable.close()


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path, catalogue: Catalogue) -> Iterator[Site]:
    """Over SQLite, unless the test is over both; merges read it from another process, so that memory would not do."""
    with opened(getattr(request, "param", "sqlite"), tmp_path, catalogue) as made:
        yield made


over_both = pytest.mark.parametrize("site", ["sqlite", "aws"], indirect=True)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "aws"])
def test_what_is_added_is_run_and_finished(kind: str, tmp_path: Path, catalogue: Catalogue) -> None:
    with opened(kind, tmp_path, catalogue) as site, site.working():
        ids = [site.add(action="misbehaves", how="nothing", number=number) for number in range(50)]

        ended = [site.ended(id_) for id_ in ids]

    assert {(one.status, one.result, one.attempts) for one in ended} == {(Status.FINISHED, b'"survived"', 1)}
    assert all(one.finished_at is not None and one.finished_at >= one.created_at for one in ended)


def test_short_runs_are_received_and_settled_together(site: Site) -> None:
    settled: list[int] = []

    class Noting(SqliteStore):
        def settle(self, endings: Sequence[Ending]) -> list[bool]:
            settled.append(len(endings))
            return super().settle(endings)

    assert isinstance(site.store, SqliteStore)
    site.store = Noting(site.store._database, site.clock)
    ids = [site.add(action="echo") for _ in range(600)]

    with site.working():
        assert {site.ended(id_).status for id_ in ids} == {Status.FINISHED}

    assert sum(settled) == 600
    assert max(settled) > 10


@pytest.mark.parametrize(
    ("how", "reason", "attempts"),
    [
        ("raises", Reason.RAISED, 2),
        ("exits", Reason.RAISED, 2),
        ("leaves", Reason.CRASHED, 2),
        ("dies", Reason.CRASHED, 2),
        ("forks-and-dies", Reason.CRASHED, 2),
        ("dies-strangely", Reason.CRASHED, 2),
        ("babbles", Reason.CRASHED, 2),
        ("mistakes", Reason.RAISED, 2),
        ("hangs", Reason.TIMED_OUT, 2),
        ("stops", Reason.TIMED_OUT, 2),
        ("hangs-deaf", Reason.TIMED_OUT, 2),
        ("returns-much", Reason.BAD_RESULT, 1),
        ("returns-nonsense", Reason.BAD_RESULT, 1),
        ("refuses", Reason.REFUSED, 1),
    ],
)
def test_every_misbehaviour_ends_as_failed(site: Site, tmp_path: Path, how: str, reason: Reason, attempts: int) -> None:
    book = tmp_path / "book"
    with site.working():
        id_ = site.add(action="misbehaves", how=how, book=str(book))
        after = site.add(action="echo")

        failed = site.ended(id_)

        assert failed.error is not None
        assert (failed.status, failed.error.reason, failed.attempts) == (Status.FAILED, reason, attempts)
        assert failed.error.detail
        assert book.read_text().count("run") == attempts
        assert site.ended(after).status is Status.FINISHED


@over_both
def test_a_run_that_asks_for_it_is_run_again(site: Site) -> None:
    with site.working():
        assert (site.ended(site.add(action="misbehaves", how="postpones")).attempts) == 2


def test_only_the_run_under_way_is_charged_when_a_runner_dies(site: Site) -> None:
    """The pace is high, so that all travel together; those behind the one that dies are given back uncharged."""
    with site.working():
        for id_ in [site.add(action="echo") for _ in range(200)]:
            site.ended(id_)
        ids = [site.add(action="echo") for _ in range(20)]
        bad = site.add(action="misbehaves", how="dies")
        ids += [site.add(action="echo") for _ in range(20)]

        assert {site.ended(id_).attempts for id_ in ids} == {1}
        assert site.ended(bad).attempts == 2


def test_a_run_longer_than_patience_is_watched_to_its_time_limit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at thousands of times, as one that lasts for minutes would be."""
    monkeypatch.setattr(slot_module, "TICK", 0.0001)
    with site.working():
        failed = site.ended(site.add(action="misbehaves", how="hangs"))

    assert failed.error is not None
    assert failed.error.reason is Reason.TIMED_OUT


def test_what_may_have_taken_a_worker_down_travels_alone(site: Site) -> None:
    """It is received alone or what is received with it is given back, so that no other is charged with it."""
    chunks: list[list[Delivery]] = []
    with site.working():
        for id_ in [site.add(action="echo") for _ in range(200)]:
            site.ended(id_)
    ids = [site.add(action="echo") for _ in range(12)]
    held = site.queue.receive(12, timedelta(0))
    assert len(held) == 12
    _until(lambda: site.clock.now() > site.store.get(ids)[ids[0]].created_at + LEASE * 1.2)

    class Noting(slot_module.Slot):
        def _cut(self, assigned: list[slot_module.Assignment]) -> deque[slot_module.Assignment]:
            chunk = super()._cut(assigned)
            chunks.append([delivery for delivery, _ in chunk])
            return chunk

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("acuse.application.worker.Slot", Noting)
        with site.working():
            assert {site.ended(id_).attempts for id_ in ids} == {2}

    assert {len(chunk) for chunk in chunks if any(one.was_cut_off for one in chunk)} == {1}


def test_an_action_with_a_single_attempt_travels_alone(site: Site, tmp_path: Path) -> None:
    """However short it is known to be: a worker that is killed would take the only attempt of those that wait."""
    book, go = tmp_path / "book", tmp_path / "go"
    with site.working():
        for id_ in [site.add(action="once") for _ in range(60)]:
            site.ended(id_)
        records = [record(site.clock.now(), action="once", book=str(book), until=str(go)) for _ in range(4)]
        site.store.add(records)
        ids = [one.id for one in records]

        _until(book.exists)

        assert sorted(one.attempts for one in site.store.get(ids).values()) == [0, 0, 0, 1]
        go.touch()
        assert {site.ended(id_).status for id_ in ids} == {Status.FINISHED}


def test_a_worker_goes_on_after_what_nobody_foresaw_and_charges_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_module, "RECOVERY", 0.01)

    class Broken(SqliteStore):
        failures = 2

        def get(self, ids: Sequence[str]) -> Mapping[str, Record]:
            if threading.current_thread().name.startswith("acuse-slot") and self.failures:
                self.failures -= 1
                raise ZeroDivisionError
            return super().get(ids)

    assert isinstance(site.store, SqliteStore)
    site.store = Broken(site.store._database, site.clock)
    with site.working():
        assert site.ended(site.add(action="echo")).attempts == 3


def test_nothing_is_received_while_the_leases_cannot_be_renewed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the worker itself holds may have run out meanwhile, and must not be taken for another's."""
    rounds = threading.Semaphore(0)
    well = threading.Event()

    class Unwell(Heartbeat):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.is_well = False

        def beat(self) -> None:
            if not well.is_set():
                raise StoreUnavailable("not now")
            super().beat()

    class Counted:
        def __init__(self, runner: Runner) -> None:
            self.runner = runner
            self.begin, self.outcome, self.kill, self.end = runner.begin, runner.outcome, runner.kill, runner.end

        def ready(self) -> None:
            self.runner.ready()
            rounds.release()

    monkeypatch.setattr("acuse.application.worker.Heartbeat", Unwell)
    id_ = site.add(action="echo")
    with site.working(wrap=Counted):
        for _ in range(3):
            assert rounds.acquire(timeout=30)
        assert site.store.get([id_])[id_].attempts == 0

        well.set()

        assert site.ended(id_).attempts == 1


def test_a_run_that_leaves_for_another_folder_takes_no_other_along(site: Site) -> None:
    with site.working():
        site.ended(site.add(action="misbehaves", how="wanders"))

        assert site.ended(site.add(action="sums", upto=3)).result == b'{"sum":6}'


@over_both
def test_what_waits_behind_a_long_run_is_taken_by_another_runner(site: Site, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with site.working(runners=2):
        for id_ in [site.add(action="notes") for _ in range(100)]:
            site.ended(id_)
        site.add(action="notes", until=str(go))
        ids = [site.add(action="notes") for _ in range(10)]

        assert {site.ended(id_).status for id_ in ids} == {Status.FINISHED}

        go.touch()


def test_runs_that_turn_out_longer_than_thought_are_shared_with_other_runners(site: Site) -> None:
    """Each is shorter than a tick, so that the slot never comes to rest while they last."""
    with site.working(runners=2):
        for id_ in [site.add(action="echo") for _ in range(300)]:
            site.ended(id_)
        longer = [record(site.clock.now(), action="echo", seconds=0.04) for _ in range(80)]
        site.store.add(longer)

        results = [site.ended(one.id).result or b"" for one in longer]

    assert len({msgspec.json.decode(result)["pid"] for result in results}) == 2
    assert {site.store.get([one.id])[one.id].attempts for one in longer} == {1}


@over_both
def test_a_lease_is_kept_as_long_as_the_run_lasts(site: Site, tmp_path: Path) -> None:
    book = tmp_path / "book"
    with site.working(runners=2):
        id_ = site.add(action="notes", book=str(book), seconds=LEASE.total_seconds() * 2.5)

        assert site.ended(id_).attempts == 1

    assert book.read_text() == "run\n"


@over_both
def test_an_action_runs_no_more_often_at_once_than_its_bound(site: Site, tmp_path: Path) -> None:
    book = tmp_path / "book"
    with site.working(runners=3), site.working(runners=2):
        for id_ in [site.add(action="alone", book=str(book)) for _ in range(12)]:
            site.ended(id_)

    assert book.read_text().split() == ["begin", "end"] * 12


@over_both
def test_a_split_action_is_merged_once(site: Site, tmp_path: Path) -> None:
    book = tmp_path / "book"
    with site.working(runners=2), site.working():
        merged = site.ended(site.add(action="sums", upto=150, book=str(book)))

    assert merged.result == b'{"sum":11325}'
    lines = book.read_text().splitlines()
    assert sorted(lines) == sorted(["merge", *(f"part {number}" for number in range(1, 151))])


@over_both
def test_a_split_into_nothing_is_merged(site: Site) -> None:
    with site.working():
        assert site.ended(site.add(action="sums", upto=0)).result == b'{"sum":0}'


@over_both
def test_a_request_with_a_failed_part_fails_and_names_it(site: Site) -> None:
    with site.working():
        failed = site.ended(site.add(action="sums", upto=130, bad=120))

    assert failed.error is not None
    assert failed.error.reason is Reason.PARTS_FAILED
    assert failed.error.detail == "1 of 130 parts failed; part 120: raised: ValueError: part 120 is bad"


@over_both
def test_only_the_failed_parts_of_a_reopened_request_are_run_again(site: Site, tmp_path: Path) -> None:
    book = tmp_path / "book"
    with site.working():
        id_ = site.add(action="sums", upto=5, bad=2, book=str(book))
        site.ended(id_)

        site.store.reopen([id_])

        assert site.ended(id_).status is Status.FAILED
    assert book.read_text().splitlines().count("part 2") == 4
    assert book.read_text().splitlines().count("part 3") == 1


@over_both
def test_a_delivery_whose_attempts_are_used_up_is_not_run(site: Site, tmp_path: Path) -> None:
    book = tmp_path / "book"
    id_ = site.add(action="misbehaves", how="nothing", book=str(book))
    for _ in range(2):
        [held] = site.queue.receive(1, timedelta(0))
        site.queue.release([held], timedelta(0), charged=True)

    with site.working():
        abandoned = site.ended(id_)

    assert abandoned.error is not None
    assert (abandoned.error.reason, abandoned.attempts) == (Reason.ABANDONED, 3)
    assert not book.exists()


@over_both
def test_what_ended_before_is_dropped(site: Site) -> None:
    class Forgetful:
        """Delivers what is not there, and never again."""

        def __init__(self, queue: Queue) -> None:
            self.queue = queue
            self.acked = threading.Event()

        def receive(self, limit: int, wait: timedelta) -> list[Delivery]:
            found = self.queue.receive(limit, wait)
            if found and not self.acked.is_set():
                ghost = type(found[0])(key=Key(new_id()), attempt=1, token=b"none")
                return [ghost, *found]
            return found

        def extend(self, deliveries: Sequence[Delivery]) -> None:
            self.queue.extend(deliveries)

        def release(self, deliveries: Sequence[Delivery], delay: timedelta, *, charged: bool) -> None:
            self.queue.release(deliveries, delay, charged=charged)

        def ack(self, deliveries: Sequence[Delivery]) -> None:
            self.queue.ack(deliveries)
            self.acked.set()

    forgetful = Forgetful(site.queue)
    site.queue = forgetful
    with site.working():
        assert site.ended(site.add(action="echo")).status is Status.FINISHED
    assert forgetful.acked.is_set()


def test_stopping_lets_the_run_under_way_end(site: Site, tmp_path: Path) -> None:
    book = tmp_path / "book"
    with site.working() as worker:
        id_ = site.add(action="notes", book=str(book), seconds=0.3)
        _until(book.exists)
        worker.stop()

    assert site.store.get([id_])[id_].status is Status.FINISHED


@over_both
def test_a_run_that_outlasts_the_drain_is_given_back_uncharged(site: Site, tmp_path: Path) -> None:
    book, go = tmp_path / "book", tmp_path / "go"
    with site.working(drain=timedelta(seconds=0.2)):
        id_ = site.add(action="notes", book=str(book), until=str(go))
        _until(book.exists)

    [again] = site.queue.receive(10, timedelta(0))
    assert (again.key.id, again.attempt) == (id_, 1)


class Refusing(SqliteStore):
    """Takes no ending the first three times."""

    failures = 3

    def settle(self, endings: Sequence[Ending]) -> list[bool]:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("not now")
        return super().settle(endings)


@pytest.mark.parametrize(("tries", "attempts"), [(30, 1), (2, 2)])
def test_a_store_that_takes_no_ending_costs_a_wait_or_a_repetition(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: int, attempts: int
) -> None:
    monkeypatch.setattr(slot_module, "RECOVERY", 0.01)
    monkeypatch.setattr(slot_module, "SETTLE_TRIES", tries)
    book = tmp_path / "book"
    assert isinstance(site.store, SqliteStore)
    site.store = refusing = Refusing(site.store._database, site.clock)

    with site.working():
        ended = site.ended(site.add(action="notes", book=str(book)))

    assert refusing.failures == 0
    assert (ended.status, ended.attempts) == (Status.FINISHED, attempts)
    assert book.read_text() == "run\n" * attempts


def test_a_runner_that_cannot_be_had_costs_no_attempt(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_module, "RECOVERY", 0.01)

    class Unwilling:
        refusals = 2

        def __init__(self, runner: Runner) -> None:
            self.runner = runner
            self.ready, self.outcome, self.kill, self.end = runner.ready, runner.outcome, runner.kill, runner.end

        def begin(self, task: Task, /) -> None:
            if self.refusals:
                self.refusals -= 1
                raise RunnerUnavailable("no process")
            self.runner.begin(task)

    with site.working(wrap=Unwilling):
        assert site.ended(site.add(action="echo")).attempts == 1


def test_an_ending_that_came_too_late_is_not_recorded(site: Site, tmp_path: Path) -> None:
    book, go = tmp_path / "book", tmp_path / "go"
    with site.working():
        id_ = site.add(action="notes", book=str(book), until=str(go))
        _until(book.exists)
        assert isinstance(site.store, SqliteStore)
        with site.store._database.writing() as connection:
            connection.execute("UPDATE record SET lease = x'00', due_at = 0")

        with site.working(runners=1):
            go.touch()
            ended = site.ended(id_)

    assert (ended.status, ended.attempts) == (Status.FINISHED, 2)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
