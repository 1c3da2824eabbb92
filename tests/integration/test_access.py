"""Who is let in, and how often, over a real socket."""

from __future__ import annotations

import json
import secrets
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.memory import Memory, MemoryStore
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.keyring import SqliteKeyring
from acuse.adapters.sqlite.store import SqliteStore
from acuse.config import Settings
from acuse.domain.api_key import SECRET_BYTES, ApiKey, new_key
from acuse.domain.errors import StoreUnavailable
from acuse.entrypoints.api import access
from acuse.entrypoints.api import bulk as bulk_module
from tests.acceptance.service import Running, acuse, until
from tests.integration.server import served
from tests.requests import body, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from acuse.ports import Keyring, Store

PATH = "/v1/requests"
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
AT_ONCE = timedelta(0)
NEVER = timedelta(hours=1)
CHALLENGE = 'Bearer realm="acuse"'
INVALID = 'Bearer realm="acuse", error="invalid_token"'


class FailingKeyring(MemoryKeyring):
    """One that can be out of reach."""

    is_away = False

    def keys(self) -> list[ApiKey]:
        if self.is_away:
            raise StoreUnavailable("the cellar is locked")
        return super().keys()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("access") / "acuse.db"
    made = Database(path, durable=True, busy=timedelta(seconds=5))
    yield made
    made.close()


@pytest.fixture(scope="module")
def store(database: Database) -> Store:
    return SqliteStore(database, SystemClock())


def make_key(keyring: Keyring, name: str) -> str:
    """The field that shows the new key."""
    key, text = new_key(name, secrets.token_bytes(SECRET_BYTES), datetime.now(UTC))
    assert keyring.put(key)
    return f"Bearer {text}"


@contextmanager
def clients(
    store: Store, keyring: Keyring, *, keys_refresh: timedelta = AT_ONCE, rate: int = 0
) -> Iterator[httpx.Client]:
    settings = Settings(keys_refresh=keys_refresh, rate=rate, retry_after=timedelta(seconds=7))
    with (
        served(store, settings, keyring) as where,
        httpx.Client(base_url="http://{}:{}".format(*where), timeout=60) as client,
    ):
        yield client


def post(client: httpx.Client, authorization: str | None = None, content: bytes | None = None) -> httpx.Response:
    headers = JSON if authorization is None else JSON | {"authorization": authorization}
    return client.post(PATH, content=body() if content is None else content, headers=headers)


def bulk(client: httpx.Client, count: int, authorization: str | None = None) -> list[int]:
    """The statuses of so many new requests that are sent in one body."""
    response = post(client, authorization, b"[%b]" % b",".join(body() for _ in range(count)))
    assert response.status_code == 207, response.text
    return [item["status"] for item in response.json()["items"]]


def slug(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    return str(response.json()["type"]).removeprefix("urn:acuse:problem:")


def test_where_no_key_was_ever_made_anyone_is_let_in(store: Store) -> None:
    with clients(store, MemoryKeyring()) as client:
        for authorization in (None, "Bearer x", "Basic eDp5"):
            assert post(client, authorization).status_code == 201


@pytest.fixture(params=["memory", "sqlite"])
def keyring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keyring]:
    if request.param == "memory":
        yield MemoryKeyring()
        return
    database = Database(tmp_path / "keys.db", durable=True, busy=timedelta(seconds=5))
    yield SqliteKeyring(database)
    database.close()


def test_a_key_is_asked_for_from_the_first_one_on_and_a_revoked_one_is_none(store: Store, keyring: Keyring) -> None:
    with clients(store, keyring) as client:
        assert post(client).status_code == 201

        first = make_key(keyring, "first")
        assert post(client).status_code == 401
        assert post(client, first).status_code == 201

        second = make_key(keyring, "second")
        assert keyring.revoke("first", datetime.now(UTC))
        assert (post(client, first).status_code, post(client, second).status_code) == (401, 201)

        assert keyring.revoke("second", datetime.now(UTC))
        assert (post(client).status_code, post(client, second).status_code) == (401, 401)


def test_keys_are_looked_up_no_oftener_than_is_set(store: Store, keyring: Keyring) -> None:
    with clients(store, keyring, keys_refresh=NEVER) as client:
        assert post(client).status_code == 201
        make_key(keyring, "late")

        assert post(client).status_code == 201

    old = make_key(keyring, "old")
    with clients(store, keyring, keys_refresh=NEVER) as client:
        assert post(client, old).status_code == 201
        keyring.revoke("old", datetime.now(UTC))
        new = make_key(keyring, "new")

        assert (post(client, old).status_code, post(client, new).status_code) == (201, 401)


def test_a_key_is_known_when_the_time_is_over(store: Store) -> None:
    keyring = MemoryKeyring()
    with clients(store, keyring, keys_refresh=timedelta(seconds=0.2)) as client:
        assert post(client).status_code == 201
        make_key(keyring, "erp")

        until(lambda: post(client).status_code == 401, "a key is asked for")


def test_who_shows_no_key_is_challenged(store: Store) -> None:
    keyring = MemoryKeyring()
    text = make_key(keyring, "erp").removeprefix("Bearer ")
    with clients(store, keyring) as client:
        for authorization in (None, "", "Basic eDp5", text, f"Key {text}", f"Bearer{text}"):
            response = post(client, authorization)

            assert (response.status_code, slug(response)) == (401, "unauthorized")
            assert response.headers["www-authenticate"] == CHALLENGE


def test_a_key_that_is_none_is_refused(store: Store) -> None:
    keyring = MemoryKeyring()
    authorization = make_key(keyring, "erp")
    other = make_key(keyring, "other")
    wrong = authorization[:-43] + "A" * 43
    swapped = other[:-43] + authorization[-43:]
    with clients(store, keyring) as client:
        for shown in (
            "Bearer", "Bearer x", "Bearer acuse_erp", wrong, swapped, authorization[:-1], authorization + "A",
            authorization.upper(), authorization + ", " + authorization, f"{authorization} x", "Bearer " + "x" * 9_999,
        ):  # fmt: skip
            response = post(client, shown)

            assert (response.status_code, slug(response)) == (401, "unauthorized"), shown
            assert response.headers["www-authenticate"].startswith(CHALLENGE)
            assert len(shown) < 20 or shown.removeprefix("Bearer ") not in response.text
        assert post(client, wrong).headers["www-authenticate"] == INVALID
        assert post(client, authorization).status_code == 201


def test_of_two_fields_none_counts(store: Store) -> None:
    keyring = MemoryKeyring()
    authorization = make_key(keyring, "erp")
    with clients(store, keyring) as client:
        for fields in ([authorization, authorization], [authorization, "Bearer x"], ["Bearer x", authorization]):
            headers = [*JSON.items(), *(("authorization", field) for field in fields)]

            assert client.post(PATH, content=body(), headers=headers).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "bEaReR  "])
def test_the_scheme_is_one_in_any_case(store: Store, scheme: str) -> None:
    keyring = MemoryKeyring()
    text = make_key(keyring, "erp").removeprefix("Bearer ")
    with clients(store, keyring) as client:
        assert post(client, scheme + text).status_code == 201


def test_what_is_not_served_is_not_served_whoever_asks_and_nothing_else_is_told_without_a_key(store: Store) -> None:
    keyring = MemoryKeyring()
    authorization = make_key(keyring, "erp")
    with clients(store, keyring) as client:
        assert client.post("/other").status_code == 404
        assert client.get(PATH).status_code == 405

        for content, fields in (
            (body(), {"content-type": "text/plain"}),
            (body(), JSON | {"content-encoding": "br"}),
            (b"x" * 300_000, JSON),
            (b"{", JSON),
            (b"[]", JSON),
            (b"", NDJSON),
            (b"", {}),
        ):
            response = client.post(PATH, content=content, headers=fields)
            assert response.status_code == 401
            assert "accept" not in response.headers
            known = client.post(PATH, content=content, headers={**fields, "authorization": authorization})
            assert known.status_code in (207, 400, 413, 415)


def test_of_who_is_not_let_in_nothing_is_read_or_stored(store: Store) -> None:
    keyring = MemoryKeyring()
    make_key(keyring, "erp")
    with clients(store, keyring) as client:
        id_ = new_id()
        for content in (body(id=id_), b"[%b]" % body(id=id_)):
            assert post(client, content=content).status_code == 401
        assert client.post(PATH, content=body(id=id_), headers=NDJSON).status_code == 401
        assert store.get([id_]) == {}

        address = (client.base_url.host, client.base_url.port)
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n"
        for more in ("", "expect: 100-continue\r\n"):
            with socket.create_connection(address, timeout=30) as connection:
                connection.sendall(f"{head}{more}\r\n".encode())

                assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_keys_that_cannot_be_read_are_503_and_later_the_old_ones_count(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    keyring = FailingKeyring()
    keyring.is_away = True
    authorization = make_key(keyring, "erp")
    with clients(store, keyring) as client:
        for shown in (None, authorization):
            response = post(client, shown)
            assert (response.status_code, slug(response)) == (503, "store-unavailable")
            assert response.headers["retry-after"] == "7"
            assert "cellar" not in response.text

        keyring.is_away = False
        assert post(client, authorization).status_code == 201

        keyring.is_away = True
        other = make_key(keyring, "other")
        assert keyring.revoke("erp", datetime.now(UTC))
        assert post(client, authorization).status_code == 201
        assert (post(client).status_code, post(client, other).status_code) == (401, 401)

        keyring.is_away = False
        assert (post(client, authorization).status_code, post(client, other).status_code) == (401, 201)
    assert "keys not read" in caplog.text


def test_no_key_is_ever_in_the_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    text = acuse("keys", "new", "erp", data=data).stdout.strip()
    wrong = new_key("erp", bytes(range(32)), datetime.now(UTC))[1]
    with Running(data, ACUSE_LOG_LEVEL="DEBUG", ACUSE_RATE="2") as service:
        url = service.url
        statuses = [
            service.client.post(url, json={"id": new_id(), "action": "echo"}, headers=headers).status_code
            for headers in (
                {"authorization": f"Bearer {text}"},
                {"authorization": f"Bearer {wrong}"},
                {"authorization": text},
                {"authorization": f"Bearer {text} x"},
                {"authorization": f"Bearer {text}", "content-type": "text/plain"},
                {"authorization": f"Bearer {text}"},
            )
        ]
    assert statuses == [201, 401, 401, 401, 415, 429]
    log = service.log.read_text()
    assert log
    for secret in (text[-43:], wrong[-43:]):
        assert secret not in log


def test_beyond_loopback_nothing_is_served_before_there_is_a_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    everywhere = "0.0.0.0"  # noqa: S104
    refused = acuse("serve", "--host", everywhere, "--port", "0", "--ops-port", "0", data=data)

    assert (refused.returncode, refused.stdout) == (2, "")
    for way in ("acuse keys new NAME", "loopback", "ACUSE_ALLOW_ANYONE=true"):
        assert way in refused.stderr
    with Running(data, "--host", everywhere, ACUSE_ALLOW_ANYONE="true") as service:
        assert service.post().status_code == 201

    key = acuse("keys", "new", "erp", data=data).stdout.strip()
    with Running(data, "--host", everywhere) as service:
        assert service.post().status_code == 401
        service.client.headers["authorization"] = f"Bearer {key}"
        assert service.post().status_code == 201


def rate_of(response: httpx.Response) -> tuple[str, int]:
    """The policy, and what is left."""
    name, left, seconds = response.headers["ratelimit"].split(";")
    assert (name, left[:2], seconds[:2]) == ('"key"', "r=", "t=")
    assert int(seconds[2:]) >= 0
    return response.headers["ratelimit-policy"], int(left[2:])


def test_after_its_quota_a_key_has_to_wait_and_others_do_not() -> None:
    store, keyring = MemoryStore(Memory(SystemClock())), MemoryKeyring()
    one, other = make_key(keyring, "one"), make_key(keyring, "other")
    with clients(store, keyring, rate=3) as client:
        for left in (2, 1, 0):
            response = post(client, one)
            assert response.status_code == 201
            assert rate_of(response) == ('"key";q=3;w=60', left)

        refused = post(client, one)

        assert (refused.status_code, slug(refused)) == (429, "too-many-requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert rate_of(refused) == ('"key";q=3;w=60', 0)
        assert len(refused.headers.get_list("ratelimit")) == 1
        assert refused.headers["ratelimit"].endswith(f"t={refused.headers['retry-after']}")
        assert post(client, other).status_code == 201
        assert post(client, "Bearer x").status_code == 401


def test_without_keys_all_share_one_rate() -> None:
    with clients(MemoryStore(Memory(SystemClock())), MemoryKeyring(), rate=1) as client:
        assert [post(client, shown).status_code for shown in (None, "Bearer x")] == [201, 429]


def test_what_is_refused_otherwise_counts_too_and_says_what_is_left(store: Store) -> None:
    keyring = MemoryKeyring()
    authorization = make_key(keyring, "erp")
    with clients(store, keyring, rate=5) as client:
        for left, (content, fields, status) in enumerate(
            [
                (b"", {"content-type": "text/plain"}, 415),
                (b"{", JSON, 400),
                (b"x" * 300_000, JSON, 413),
                (body(id="x"), JSON, 422),
                (b"[]", JSON, 207),
            ]
        ):
            response = client.post(PATH, content=content, headers={**fields, "authorization": authorization})

            assert response.status_code == status
            assert rate_of(response) == ('"key";q=5;w=60', 4 - left)
        for shown in (post(client), client.get(PATH)):
            assert "ratelimit" not in shown.headers


def test_without_a_rate_nothing_is_said_of_one(store: Store) -> None:
    with clients(store, MemoryKeyring()) as client:
        assert not {"ratelimit", "ratelimit-policy"} & post(client).headers.keys()


def test_what_a_key_may_do_comes_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with clients(MemoryStore(Memory(SystemClock())), MemoryKeyring(), rate=1) as client:
        assert post(client).status_code == 201
        refused = post(client)
        assert refused.status_code == 429
        seconds = int(refused.headers["retry-after"])
        assert 1 <= seconds <= 60

        monkeypatch.setattr(access, "monotonic", lambda: time.monotonic() + seconds)

        assert post(client).status_code == 201


@pytest.mark.parametrize("kind", ["array", "lines"])
def test_many_in_one_body_are_slowed_down_and_not_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_module, "GROUP", 10)
    with clients(MemoryStore(Memory(SystemClock())), MemoryKeyring(), rate=60) as client:
        items = [body() for _ in range(70)]
        began = time.monotonic()

        if kind == "array":
            response = client.post(PATH, content=b"[%b]" % b",".join(items), headers=JSON)
            statuses = [item["status"] for item in response.json()["items"]]
        else:
            response = client.post(PATH, content=b"\n".join(items), headers=NDJSON)
            statuses = [json.loads(line)["status"] for line in response.text.splitlines()[:-1]]

        assert statuses == [201] * len(items)
        assert time.monotonic() - began > 0.99, "what is more than the rate, before the last ten, is a second's"
        assert post(client).status_code == 429


@pytest.mark.parametrize("count", [15, 40])
def test_a_body_that_would_be_held_up_for_long_is_read_no_further(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A slow body takes up room that others want."""
    monkeypatch.setattr(bulk_module, "GROUP", 10)
    where = served(MemoryStore(Memory(SystemClock())), Settings(rate=2))
    with where as (host, port), httpx.Client(base_url=f"http://{host}:{port}") as client:
        lines = b"".join(body() + b"\n" for _ in range(count))

        response = client.post(PATH, content=lines, headers=NDJSON)

    *items, last = [json.loads(line) for line in response.text.splitlines()]
    assert {item["status"] for item in items} == {201}
    assert len(items) == 10
    assert last["problem"]["type"] == "urn:acuse:problem:too-many-requests"
    assert last["totals"]["accepted"] == len(items)
