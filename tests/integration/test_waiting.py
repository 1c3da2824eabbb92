"""`Prefer: wait=N`: the answer is held until the request has ended, whoever ends it."""

from __future__ import annotations

import asyncio
import socket
import struct
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
from acuse.entrypoints.api.waiting import Waiting
from tests.acceptance.service import Running, until
from tests.integration.server import hosted
from tests.requests import body, submission

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import uvicorn

    from acuse.domain.record import Record
    from acuse.entrypoints.api.waiting import _Waiter

PATH = "/v1/requests"
JSON = {"content-type": "application/json"}
SETTINGS = Settings(max_wait=timedelta(minutes=2))


class WatchedStore(SqliteStore):
    """Counts how often records are looked at, and can fail to show them."""

    looks = 0
    error: Exception | None = None

    def get(self, ids: Sequence[str]) -> Mapping[str, Record]:
        self.looks += 1
        if self.error is not None:
            raise self.error
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

    assert service.post(sent, 999_999).headers["preference-applied"] == "wait=120"


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
        service.store.error = StoreUnavailable("away")
        before = service.store.looks
        service.finish()
        until(lambda: service.store.looks > before + 1, "looks in vain")
        assert not answer.done()
        service.store.error = None

        assert answer.result(20).json()["status"] == "finished"


FAR_SECONDS = 1_050


def forget(waiter: _Waiter) -> None:
    """From now on it is as if it had waited for long, so that it is looked at seldom."""
    waiter.since -= 1_000


def test_a_new_one_is_looked_at_soon_although_an_old_one_is_looked_at_seldom(service: World) -> None:
    with ThreadPoolExecutor() as pool:
        old = pool.submit(service.post, body(), 120)
        until(lambda: service.waiting() == 1, "a client that waits")
        [waiter] = service.api._waiting._waiters
        forget(waiter)
        until(lambda: service.api._waiting._next_look > waiter.since + FAR_SECONDS, "a look that is far away")
        new = pool.submit(service.post, body(), 120)
        until(lambda: service.waiting() == 2, "another that waits")
        service.finish(2)
        try:
            assert new.result(20).json()["status"] == "finished"
            assert not old.done()
        finally:
            service.server.should_exit = True


def test_after_an_error_that_nobody_foresaw_the_next_who_waits_helps_all(
    service: World, caplog: pytest.LogCaptureFixture
) -> None:
    service.store.error = RuntimeError("broken")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(service.post, body(), 120)
        until(lambda: service.store.looks and service.api._waiting._watch is None, "the end of the looks")
        assert [record.message for record in caplog.records if record.exc_info] == ["cannot see what has ended"]
        assert not first.done()
        service.store.error = None
        second = pool.submit(service.post, body(), 120)
        until(lambda: service.waiting() == 2, "another that waits")
        service.finish(2)
        try:
            assert {answer.result(20).json()["status"] for answer in (first, second)} == {"finished"}
        finally:
            service.server.should_exit = True


BRIEF_SECONDS = 0.001
"""Over before the first look."""


def test_when_the_time_is_over_what_ended_just_before_is_told(service: World) -> None:
    sent = submission()
    service.post(sent.body, 0)
    service.finish()

    record = asyncio.run(Waiting(service.store).ended(sent.id, BRIEF_SECONDS))

    assert record is not None
    assert record.result == b"7"


@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("broken")])
def test_when_the_time_is_over_a_store_that_cannot_be_read_is_no_mistake_of_the_client(
    service: World, error: Exception
) -> None:
    service.store.error = error

    assert asyncio.run(Waiting(service.store).ended("any", BRIEF_SECONDS)) is None
    assert service.store.looks


def test_who_does_not_wait_at_all_costs_no_look(service: World) -> None:
    service.post(body(), 0)

    assert service.store.looks == 0


def test_nothing_outlives_the_last_who_waits(service: World) -> None:
    async def leave() -> None:
        waiting = Waiting(service.store)
        waits = asyncio.create_task(waiting.ended("any", 120))
        await asyncio.to_thread(until, lambda: waiting._waiters, "one that waits")
        [waiter] = waiting._waiters
        forget(waiter)
        await asyncio.to_thread(until, lambda: waiting._next_look > waiter.since + FAR_SECONDS, "a look far away")
        waits.cancel()
        await asyncio.to_thread(until, lambda: waiting._watch is None, "the end of the looks")

    asyncio.run(leave())


def test_a_client_that_leaves_is_not_waited_for(service: World) -> None:
    host, port = service.client.base_url.host, service.client.base_url.port
    assert port is not None
    sent = body()
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nPrefer: wait=120\r\n"
            b"Content-Length: %d\r\n\r\n" % len(sent) + sent
        )
        until(lambda: service.waiting() == 1, "a client that waits")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # More than a half close.

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
