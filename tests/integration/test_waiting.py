"""`Prefer: wait=N`: the answer is held until the request has ended, whoever ends it."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.bootstrap import load_catalogue
from acuse.config import Settings
from acuse.domain.delivery import Ending
from acuse.domain.errors import StoreUnavailable
from acuse.entrypoints.api.app import Api
from tests.acceptance.service import Running, until
from tests.integration.server import hosted
from tests.requests import body, submission

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import uvicorn

    from acuse.domain.record import Record

PATH = "/v1/requests"
JSON = {"content-type": "application/json"}
SETTINGS = Settings(max_wait=timedelta(seconds=30))


class WatchedStore(SqliteStore):
    """Counts how often records are looked at, and can fail to show them."""

    looks = 0
    is_away = False

    def get(self, ids: Sequence[str]) -> Mapping[str, Record]:
        self.looks += 1
        if self.is_away:
            raise StoreUnavailable("away")
        return super().get(ids)


class World:
    """A service without workers; another connection to the file stands for one in another process."""

    def __init__(self, folder: Path) -> None:
        busy = timedelta(seconds=5)
        self._databases = [Database(folder / "acuse.db", durable=durable, busy=busy) for durable in (True, True, False)]
        self.store = WatchedStore(self._databases[0], SystemClock())
        self._elsewhere = SqliteStore(self._databases[1], SystemClock())
        self._queue = SqliteQueue(self._databases[2], SystemClock(), lease=timedelta(minutes=1), bounds={"delay": None})
        self.client: httpx.Client
        self.api: Api
        self.server: uvicorn.Server

    def post(self, content: bytes, wait: int | str = 20) -> httpx.Response:
        return self.client.post(PATH, content=content, headers=JSON | {"prefer": f"wait={wait}"})

    def finish(self, count: int = 1) -> None:
        """So many that were accepted have ended."""
        left = count
        while left:
            deliveries = self._queue.receive(left, timedelta(seconds=20))
            assert deliveries
            now = SystemClock().now()
            self._elsewhere.settle([Ending(delivery=one, at=now, result=b"7") for one in deliveries])
            left -= len(deliveries)

    def waiting(self) -> int:
        return len(self.api._waiting._waiters)

    def close(self) -> None:
        for database in self._databases:
            database.close()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    made = World(folder)

    def make() -> Api:
        made.api = Api(made.store, MemoryKeyring(), SystemClock(), load_catalogue([]), SETTINGS, lambda: None)
        return made.api

    with hosted(make, SETTINGS) as (where, made.server):
        limits = httpx.Limits(max_connections=300)
        with httpx.Client(base_url="http://{}:{}".format(*where), timeout=60, limits=limits) as made.client:
            yield made
    made.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_the_answer_comes_when_the_request_has_ended(service: World) -> None:
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(service.post, body())
        until(lambda: service.waiting() == 1, "a client that waits")
        assert not answer.done()
        service.finish()
        response = answer.result(20)

    assert response.status_code == 201
    assert response.headers["preference-applied"] == "wait=20"
    assert (response.json()["status"], response.json()["result"]) == ("finished", 7)


def test_the_same_request_again_may_wait_too(service: World) -> None:
    sent = body()
    service.post(sent, 0)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(service.post, sent)
        until(lambda: service.waiting() == 1, "a client that waits")
        service.finish()

        assert (answer.result(20).status_code, answer.result(20).json()["status"]) == (200, "finished")


def test_what_has_ended_is_not_waited_for(service: World) -> None:
    sent = body()
    service.post(sent, 0)
    service.finish()
    looks = service.store.looks

    assert service.post(sent).json()["status"] == "finished"
    assert service.store.looks == looks


def test_when_the_time_is_over_the_answer_is_the_record_as_it_is(service: World) -> None:
    response = service.post(body(), 1)

    assert (response.status_code, response.json()["status"]) == (201, "accepted")
    assert response.headers["preference-applied"] == "wait=1"
    assert service.waiting() == 0


@pytest.mark.parametrize(("wait", "applied"), [("0", "wait=0"), ("-1", None), ("1.5", None), ("soon", None)])
def test_what_makes_no_sense_is_ignored(service: World, wait: str, applied: str | None) -> None:
    response = service.post(body(), wait)

    assert response.status_code == 201
    assert response.headers.get("preference-applied") == applied


def test_no_wait_is_longer_than_the_bound(service: World) -> None:
    sent = body()
    service.post(sent, 0)
    service.finish()

    assert service.post(sent, 999_999).headers["preference-applied"] == "wait=30"


def test_a_refusal_is_not_waited_for(service: World) -> None:
    taken = submission()
    service.post(taken.body, 0)

    response = service.post(body(id=taken.id, note="other"))

    assert response.status_code == 409
    assert "preference-applied" not in response.headers


def test_many_who_wait_share_each_look(service: World) -> None:
    with ThreadPoolExecutor(100) as pool:
        answers = [pool.submit(service.post, body()) for _ in range(100)]
        until(lambda: service.waiting() == 100, "a hundred that wait")
        before = service.store.looks
        service.finish(100)
        ended = [answer.result(20).json()["status"] for answer in answers]

    assert ended == ["finished"] * 100
    assert service.store.looks - before < 100


def test_while_the_store_cannot_be_read_the_wait_goes_on(service: World) -> None:
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(service.post, body())
        until(lambda: service.waiting() == 1, "a client that waits")
        service.store.is_away = True
        before = service.store.looks
        service.finish()
        until(lambda: service.store.looks > before + 1, "looks in vain")
        assert not answer.done()
        service.store.is_away = False

        assert answer.result(20).json()["status"] == "finished"


def test_a_client_that_leaves_is_not_waited_for(service: World) -> None:
    host, port = service.client.base_url.host, service.client.base_url.port
    assert port is not None
    sent = body()
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nPrefer: wait=30\r\n"
            b"Content-Length: %d\r\n\r\n" % len(sent) + sent
        )
        until(lambda: service.waiting() == 1, "a client that waits")

    until(lambda: service.waiting() == 0, "nobody that waits")
    assert service.post(sent, 0).status_code == 200


def test_when_the_service_ends_all_are_answered_at_once(service: World) -> None:
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(service.post, body(), 30)
        until(lambda: service.waiting() == 1, "a client that waits")
        service.server.should_exit = True

        assert (answer.result(10).status_code, answer.result(10).json()["status"]) == (201, "accepted")


def test_once_the_service_ends_nobody_begins_to_wait(service: World) -> None:
    service.api._waiting.end()

    assert asyncio.run(service.api._waiting.ended("any", 30)) is None


def test_the_worker_may_be_another_process(tmp_path: Path) -> None:
    with Running(tmp_path / "data") as running:
        sent: dict[str, Any] = {"id": "0192f0c1-0000-7000-8000-00000000fffe", "action": "delay", "seconds": 0.2}
        response = running.client.post(running.url, json=sent, headers={"prefer": "wait=30, return=minimal"})

    assert response.status_code == 201
    assert response.headers["preference-applied"] == "wait=30, return=minimal"
    assert (response.json()["status"], response.json()["result"]) == ("finished", {"seconds": 0.2})
    assert "seconds" not in response.json()
