"""The metrics of the ops plane, and its readiness, whatever the store does."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

import httpx
import pytest

from acuse.adapters.memory import Memory, MemoryStore
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.adapters.metrics.cells import Cells, create
from acuse.adapters.metrics.counting import Counting
from acuse.application.actions import Catalogue
from acuse.config import Settings
from acuse.domain.backlog import Backlog, Load
from acuse.domain.errors import StoreUnavailable
from acuse.domain.event import Started
from acuse.domain.task import Step
from acuse.entrypoints.ops import backlogs, shared
from acuse.entrypoints.ops.app import ops_app
from acuse.entrypoints.ops.backlogs import Backlogs
from acuse.entrypoints.ops.health import STALE_SECONDS, Health
from acuse.entrypoints.ops.metrics import Metrics
from tests.acceptance.service import until
from tests.clock import StillClock
from tests.integration.server import hosted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from acuse.domain.listing import Filter, Page
    from acuse.domain.tally import Tally
    from acuse.ports import Clock, Keyring, Overview, Store

PROMETHEUS = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}


class Moody:
    """An Overview that is seen when the gate is open."""

    def __init__(self) -> None:
        self.looks = 0
        self.gate = Event()
        self.gate.set()
        self.error: Exception | None = None
        self.seen = Backlog(total=Load(), actions={"a": Load(waiting=3)})

    def backlog(self) -> Backlog:
        self.looks += 1
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        return self.seen

    def find(self, wanted: Filter, limit: int, after: str | None, /) -> Page:
        raise NotImplementedError

    def tallies(self, since: datetime, /) -> list[Tally]:
        raise NotImplementedError


class Sources:
    def __init__(self, overview: Overview) -> None:
        self.clock: Clock = StillClock()
        self.settings = Settings()
        self.catalogue = Catalogue([])
        self.store: Store = MemoryStore(Memory(self.clock))
        self.overview = overview
        self.keyring: Keyring = MemoryKeyring()


class Plane:
    """An ops plane over a moody store, and what else it looks at."""

    def __init__(self) -> None:
        self.overview = Moody()
        self.cells = {"api": create(), "worker-1": create()}
        self.ages: dict[str, float] = {"intake": 0.0}
        self.is_draining = False
        self.watches_store = False

    @contextmanager
    def open(self) -> Iterator[httpx.Client]:
        sources = Sources(self.overview)

        def make() -> object:
            seen = Backlogs(sources)
            health = Health(
                lambda: self.ages,
                answers=seen.answers if self.watches_store else None,
                is_draining=lambda: self.is_draining,
            )
            return ops_app(sources, health, str, routes=[Metrics(self.cells, seen, health).route()])

        with (
            hosted(make, sources.settings) as (where, _),
            httpx.Client(base_url="http://{}:{}".format(*where), timeout=60) as client,
        ):
            yield client
            self.overview.gate.set()


@pytest.fixture
def plane() -> Iterator[Plane]:
    made = Plane()
    yield made
    for descriptor in made.cells.values():
        os.close(descriptor)


@pytest.fixture
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scrape looks anew."""
    monkeypatch.setattr(shared, "REST_SECONDS", 0.0)
    monkeypatch.setattr(shared, "SHARE", 1.0)


def samples(client: httpx.Client, headers: Mapping[str, str] | None = None) -> dict[str, float]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_what_was_counted_and_what_waits_is_told(plane: Plane) -> None:
    Counting(Cells(plane.cells["worker-1"]))(Started("a", Step.RUN))
    plane.ages["worker-1"] = STALE_SECONDS
    with plane.open() as client:
        found = samples(client)

    assert found.pop('acuse_attempts_total{action="a",step="run"}') == 1
    assert found.pop('acuse_waiting{action="a"}') == 3
    assert found.pop('acuse_build_info{version="0.1.0"}') == 1
    assert found == {
        'acuse_running{action="a"}': 0,
        'acuse_delayed{action="a"}': 0,
        'acuse_ready{check="intake"}': 1,
        'acuse_ready{check="worker-1"}': 0,
        "acuse_store_up": 1,
    }


def test_it_is_told_in_the_form_that_is_accepted_to_anyone_by_any_name(plane: Plane) -> None:
    with plane.open() as client:
        answers = [client.get("/metrics", headers={**accept, "host": "scraped"}) for accept in ({}, PROMETHEUS)]

    assert [answer.headers["content-type"] for answer in answers] == [
        "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
    ]


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("error", [StoreUnavailable("away"), ZeroDivisionError()])
def test_while_the_store_is_away_the_rest_is_told(plane: Plane, error: Exception) -> None:
    Counting(Cells(plane.cells["api"]))(Started("a", Step.RUN))
    plane.overview.error = error
    with plane.open() as client:
        away = samples(client)
        plane.overview.error = None
        back = samples(client)

    assert (away["acuse_store_up"], back["acuse_store_up"]) == (0, 1)
    assert away['acuse_attempts_total{action="a",step="run"}'] == 1
    assert not any(name.startswith("acuse_waiting") for name in away)
    assert back['acuse_waiting{action="a"}'] == 3


def test_scrapes_at_once_and_soon_after_share_one_look(plane: Plane) -> None:
    plane.overview.gate.clear()
    with plane.open() as client, ThreadPoolExecutor(8) as threads:
        scrapes = [threads.submit(samples, client) for _ in range(8)]
        until(lambda: plane.overview.looks, "a look")
        plane.overview.gate.set()
        found = [scrape.result() for scrape in scrapes]

        assert plane.overview.looks == 1
        assert all(one == found[0] for one in found)
        assert found[0]["acuse_store_up"] == 1


def test_what_took_long_to_see_is_not_told_of_for_more_than_a_minute(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, look = [100.0], plane.overview.backlog

    def slow() -> Backlog:
        now[0] += 3_600.0
        return look()

    monkeypatch.setattr(shared, "monotonic", lambda: now[0])
    monkeypatch.setattr(plane.overview, "backlog", slow)
    with plane.open() as client:
        samples(client)
        now[0] += 59.0
        samples(client)
        assert plane.overview.looks == 1
        now[0] += 2.0
        samples(client)
        assert plane.overview.looks == 2


def test_a_store_that_does_not_answer_in_time_is_not_waited_for(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlogs, "PATIENCE", 0.05)
    plane.overview.gate.clear()
    with plane.open() as client:
        assert samples(client)["acuse_store_up"] == 0
        assert samples(client)["acuse_store_up"] == 0
        assert plane.overview.looks == 1, "who looks already is not joined by another"
        plane.overview.gate.set()
        until(lambda: samples(client)["acuse_store_up"] == 1, "what was seen at last")
        assert plane.overview.looks == 1


def test_what_is_damaged_is_left_out_and_the_rest_is_told(plane: Plane) -> None:
    for descriptor in plane.cells.values():
        Counting(Cells(descriptor))(Started("a", Step.RUN))
    os.pwrite(plane.cells["api"], b"damage", 0)
    with plane.open() as client:
        assert samples(client)['acuse_attempts_total{action="a",step="run"}'] == 1


def test_a_service_that_ends_is_not_ready_although_all_of_it_works(plane: Plane) -> None:
    with plane.open() as client:
        assert client.get("/health/ready").json() == {"status": "ready", "checks": {"intake": True}}
        plane.is_draining = True
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "draining", "checks": {"intake": True}})
        assert client.get("/health/live").status_code == 200


@pytest.mark.usefixtures("restless")
def test_an_ops_plane_alone_is_ready_while_the_store_answers(plane: Plane) -> None:
    plane.ages.clear()
    plane.watches_store = True
    with plane.open() as client:
        ready = client.get("/health/ready")
        plane.overview.error = StoreUnavailable("away")
        away = client.get("/health/ready")
        found = samples(client)

    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": {"store": True}})
    assert (away.status_code, away.json()) == (503, {"status": "not ready", "checks": {"store": False}})
    assert (found['acuse_ready{check="store"}'], found["acuse_store_up"]) == (0, 0)


def test_readiness_looks_at_the_store_no_more_often_than_scrapes_do(plane: Plane) -> None:
    plane.watches_store = True
    with plane.open() as client:
        for _ in range(5):
            client.get("/health/ready")
            samples(client)

        assert plane.overview.looks == 1


def test_for_how_long_the_oldest_has_waited_is_as_it_was_when_it_was_seen(plane: Plane) -> None:
    since = StillClock().now() - timedelta(seconds=7)
    plane.overview.seen = Backlog(total=Load(waiting=1, oldest=since), actions=None)
    with plane.open() as client:
        assert samples(client)['acuse_oldest_waiting_seconds{action="all"}'] == 7
