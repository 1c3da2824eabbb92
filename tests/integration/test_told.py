"""What the public plane tells who counts: each answer once, whatever comes alone, with many, or below the app."""

from __future__ import annotations

import gzip
import random
import socket
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from acuse.adapters.memory import Memory, MemoryStore
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.config import Settings
from acuse.domain.api_key import ApiKey
from acuse.domain.errors import StoreUnavailable
from acuse.domain.event import Committed, Event, Refused, Replayed
from tests.clock import StillClock
from tests.integration.server import serving
from tests.requests import CREATED, body, record, submission
from tests.unit.desk import GatedStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acuse.ports import Keyring, Store

PATH = "/v1/requests"
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
KINDS = pytest.mark.parametrize("kind", ["lines", "array"])


class Told:
    """A service, a client of it, and what was told of it."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.events: list[Event] = []

    def post(self, content: bytes, **headers: str) -> int:
        return self.client.post(PATH, content=content, headers=JSON | headers).status_code

    def send(self, kind: str, items: list[bytes], **headers: str) -> int:
        if kind == "array":
            return self.post(b"[" + b",".join(items) + b"]", **headers)
        return self.client.post(PATH, content=b"\n".join(items), headers=NDJSON | headers).status_code

    @property
    def refused(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for event in self.events:
            if isinstance(event, Refused):
                found[event.problem] += event.count
        return dict(found)

    @property
    def accepted(self) -> int:
        return sum(sum(event.accepted.values()) for event in self.events if isinstance(event, Committed))

    @property
    def replayed(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for event in self.events:
            if isinstance(event, Committed):
                found.update(event.replayed)
            elif isinstance(event, Replayed):
                found.update(event.actions)
        return dict(found)


@contextmanager
def telling(
    store: Store | None = None, settings: Settings | None = None, keys: Keyring | None = None
) -> Iterator[Told]:
    with httpx.Client(timeout=60) as client:
        told = Told(client)
        with serving(store or MemoryStore(Memory(StillClock())), settings, keys, told.events.append) as (where, _):
            client.base_url = httpx.URL("http://{}:{}".format(*where))
            yield told


def test_each_answer_is_told_once() -> None:
    sent = submission()
    with telling(settings=Settings(max_body=1_000)) as told:
        assert [told.post(sent.body), told.post(sent.body)] == [201, 200]
        assert told.post(body(id=sent.id, more=1)) == 409
        assert told.post(b"{") == 400
        assert told.post(body(seconds="x")) == 422
        assert told.post(b"x" * 1_001) == 413
        assert told.post(body(), **{"content-type": "text/html"}) == 415
        assert told.client.get(PATH).status_code == 405
        assert told.client.post("/").status_code == 404

    assert (told.accepted, told.replayed) == (1, {"delay": 1})
    assert told.refused == dict.fromkeys(
        ("conflict", "malformed", "invalid", "too-large", "unsupported-media-type", "method-not-allowed", "not-found"),
        1,
    )


@KINDS
def test_of_many_in_one_body_each_is_told_for_itself(kind: str) -> None:
    sent = submission()
    conflicting = [body(id=sent.id, more=number) for number in range(3)]
    with telling(settings=Settings(max_body=1_000)) as told:
        assert told.post(sent.body) == 201
        items = [body(), *conflicting, b"7", body(), sent.body, body(note="x" * 1_000), b"true"]
        assert told.send(kind, items) == 207

    assert (told.accepted, told.replayed) == (3, {"delay": 1})
    assert told.refused == {"conflict": 3, "invalid": 2, "too-large": 1}


@KINDS
def test_a_body_that_is_stored_as_a_whole_or_not_at_all_is_refused_as_one(kind: str) -> None:
    sent = submission()
    with telling() as told:
        assert told.post(sent.body) == 201
        for _ in range(2):
            assert told.send(kind, [body(), body(id=sent.id, more=1), body()], prefer="handling=strict") == 409
        assert told.send(kind, [body(), sent.body], prefer="handling=strict") == 207

    assert (told.accepted, told.replayed) == (2, {"delay": 1})
    assert told.refused == {"conflict": 2}


def test_what_breaks_off_a_body_is_told_beside_its_items() -> None:
    with telling(settings=Settings(max_array=100_000, max_items=2)) as told:
        assert told.send("array", [body(), body(), body()]) == 413
        assert told.send("lines", [b"{", body()], **{"content-encoding": "br"}) == 415
        answer = told.client.post(PATH, content=b'[{"id": 1}, nonsense', headers=JSON)

    assert answer.status_code == 400
    assert told.refused == {"too-large": 1, "unsupported-media-type": 1, "malformed": 1}
    assert told.accepted == 0


def test_what_breaks_off_a_body_after_some_items_is_told_beside_them() -> None:
    whole = gzip.compress(b"\n".join([body(), b"7", *(body(note=random.Random(n).random()) for n in range(2_000))]))
    with telling() as told:
        answer = told.client.post(PATH, content=whole[: len(whole) // 2], headers=NDJSON | {"content-encoding": "gzip"})

    assert answer.status_code == 207
    assert '"problem":' in answer.text.splitlines()[-1]
    assert told.refused == {"invalid": 1, "malformed": 1}
    assert told.accepted == answer.text.count('"status":201')


@KINDS
def test_what_is_known_although_its_action_is_gone_is_a_replay(kind: str) -> None:
    store = MemoryStore(Memory(StillClock()))
    known = record(CREATED, action="gone")
    store.add([known])
    with telling(store) as told:
        assert told.post(known.body) == 200
        assert told.send(kind, [known.body, body(action="gone"), body()]) == 207

    assert (told.accepted, told.replayed) == (1, {"gone": 2})
    assert told.refused == {"invalid": 1}


def test_who_may_not_send_is_told_too() -> None:
    keys = MemoryKeyring()
    keys.put(ApiKey(name="one", hash=b"x" * 32, created_at=CREATED))
    with telling(keys=keys) as told:
        assert told.post(body()) == 401
    with telling(settings=Settings(rate=1)) as measured:
        assert [measured.post(body()), measured.post(body())] == [201, 429]

    assert told.refused == {"unauthorized": 1}
    assert measured.refused == {"too-many-requests": 1}


@KINDS
def test_what_the_store_does_not_take_is_refused_and_not_accepted(kind: str) -> None:
    store = GatedStore()
    store.gate.release(1_000)
    store.error = StoreUnavailable("away")
    with telling(store) as told:
        assert told.post(body()) == 503
        assert told.send(kind, [body(), body()]) == 207

    assert (told.accepted, told.refused) == (0, {"store-unavailable": 3})


def test_a_connection_for_which_there_is_no_room_is_told() -> None:
    with telling(settings=Settings(max_connections=1)) as told:
        assert told.post(body()) == 201
        with socket.create_connection((told.client.base_url.host, told.client.base_url.port or 0), 60) as another:
            assert another.recv(12) == b"HTTP/1.1 503"

    assert told.refused == {"overloaded": 1}


@KINDS
def test_an_observer_that_fails_changes_no_answer(kind: str) -> None:
    def fails(_: Event) -> None:
        raise ZeroDivisionError

    sent = submission()
    with (
        serving(MemoryStore(Memory(StillClock())), Settings(max_connections=1), observe=fails) as (where, _),
        httpx.Client(base_url="http://{}:{}".format(*where), timeout=60) as client,
    ):
        told = Told(client)
        assert [told.post(sent.body), told.post(sent.body), told.post(b"{")] == [201, 200, 400]
        assert told.send(kind, [body(), b"7"]) == 207
        assert told.client.get("/").status_code == 404
        with socket.create_connection(where, 60) as another:
            assert another.recv(12) == b"HTTP/1.1 503"
