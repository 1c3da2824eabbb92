"""The contract of `POST /v1/requests`, over a real socket and a real SQLite file."""

from __future__ import annotations

import asyncio
import json
import socket
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.bootstrap import load_catalogue
from acuse.config import Settings
from acuse.domain.errors import StoreUnavailable
from acuse.entrypoints.api.app import Api
from tests.integration.server import gated, served
from tests.requests import body, new_id, submission

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    import httpx

    from acuse.adapters.sqlite.store import SqliteStore

PATH = "/v1/requests"
JSON = {"content-type": "application/json"}
SETTINGS = Settings(max_body=1_000, retry_after=timedelta(seconds=7))
HASTY = Settings(body_timeout=timedelta(seconds=0.2))


def post(client: httpx.Client, content: bytes, **headers: str) -> httpx.Response:
    return client.post(PATH, content=content, headers=JSON | headers)


def problem(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["status"] == response.status_code
    assert found["title"]
    assert found["detail"]
    found["slug"] = found["type"].removeprefix("urn:acuse:problem:")
    return found


def test_a_new_request_is_created(client: httpx.Client, store: SqliteStore) -> None:
    sent = body(seconds=2.50, note="é", nested={"a": [1, {"b": None}]})

    response = post(client, sent)

    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer | json.loads(sent) == answer
    assert {name: answer[name] for name in answer.keys() - json.loads(sent).keys() - {"created_at"}} == {
        "status": "accepted", "finished_at": None, "attempts": 0, "result": None, "error": None,
    }  # fmt: skip
    assert store.get([answer["id"]])[answer["id"]].to_json() == response.content


def test_the_same_request_again_is_answered_with_its_record(client: httpx.Client) -> None:
    sent = {"id": new_id(), "action": "delay", "seconds": 1}
    created = post(client, json.dumps(sent).encode())

    again = post(client, json.dumps(dict(reversed(sent.items())), indent=3).encode())

    assert (created.status_code, again.status_code) == (201, 200)
    assert again.json() == created.json()


def test_the_id_is_one_in_any_case(client: httpx.Client) -> None:
    id_ = new_id()
    post(client, body(id=id_))

    again = post(client, body(id=id_.upper()))

    assert (again.status_code, again.json()["id"]) == (200, id_)


def test_other_content_is_a_conflict(client: httpx.Client) -> None:
    id_ = new_id()
    post(client, body(id=id_, secret="first"))  # noqa: S106

    response = post(client, body(id=id_, note="other"))

    found = problem(response)
    assert (response.status_code, found["slug"]) == (409, "conflict")
    assert found["instance"] == f"urn:uuid:{id_}"
    assert "first" not in response.text


def test_of_many_at_once_one_creates(client: httpx.Client) -> None:
    sent = body()

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: post(client, sent).status_code, range(64)))

    assert sorted(statuses) == [200] * 63 + [201]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 400])
def test_what_is_not_strict_json_is_malformed(client: httpx.Client, content: bytes) -> None:
    response = post(client, content)

    assert (response.status_code, problem(response)["slug"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        (b"7", ["#"]),
        (b"{}", ["#/id", "#/action"]),
        (b'{"id":"x","action":"delay","status":1}', ["#/id", "#/status"]),
        (b'{"id":"%b","action":"nope"}' % new_id().encode(), ["#/action"]),
        (b'{"id":"%b","action":"delay","seconds":"2"}' % new_id().encode(), ["#/seconds"]),
        (b'{"id":"%b","action":"delay","seconds":-1}' % new_id().encode(), ["#/seconds"]),
    ],
)
def test_what_does_not_fit_is_pointed_at(client: httpx.Client, content: bytes, pointers: list[str]) -> None:
    response = post(client, content)

    found = problem(response)
    assert (response.status_code, found["slug"]) == (422, "invalid")
    assert [error["pointer"] for error in found["errors"]] == pointers
    assert all(error["detail"] for error in found["errors"])


def test_what_is_refused_leaves_nothing_behind(client: httpx.Client, store: SqliteStore) -> None:
    id_ = new_id()

    post(client, body(id=id_, seconds="2"))

    assert store.get([id_]) == {}
    assert post(client, body(id=id_, seconds=2)).status_code == 201


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "json", ""]
)
def test_another_media_type_is_not_taken(client: httpx.Client, media_type: str) -> None:
    response = post(client, body(), **{"content-type": media_type})

    assert (response.status_code, problem(response)["slug"]) == (415, "unsupported-media-type")
    assert response.headers["accept"] == "application/json, application/x-ndjson"


def test_a_missing_media_type_is_not_taken(client: httpx.Client) -> None:
    assert client.post(PATH, content=body()).status_code == 415


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
def test_the_media_type_may_say_that_json_is_utf_8(client: httpx.Client, media_type: str) -> None:
    assert post(client, body(), **{"content-type": media_type}).status_code == 201


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "deflate", "gzip, br", "compress"])
def test_another_content_coding_is_not_taken(client: httpx.Client, coding: str) -> None:
    response = post(client, body(), **{"content-encoding": coding})

    assert (response.status_code, problem(response)["slug"]) == (415, "unsupported-media-type")
    assert response.headers["accept-encoding"] == "gzip, identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_no_content_coding_may_be_named(client: httpx.Client, coding: str) -> None:
    assert post(client, body(), **{"content-encoding": coding}).status_code == 201


def test_a_body_of_the_largest_size_is_taken_and_one_byte_more_is_not(client: httpx.Client) -> None:
    most = body(note="")[:-2]
    largest = most + b"x" * (998 - len(most)) + b'"}'

    assert post(client, largest).status_code == 201
    response = post(client, largest + b" ")
    assert (response.status_code, problem(response)["slug"]) == (413, "too-large")


def test_the_bound_holds_for_a_body_of_unknown_length(client: httpx.Client) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        sent = body(note="x" * 100 * count)
        yield from (sent[start : start + 100] for start in range(0, len(sent), 100))

    assert client.post(PATH, content=chunks(8), headers=JSON).status_code == 201
    assert client.post(PATH, content=chunks(20), headers=JSON).status_code == 413


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"])
def test_only_post_is_served(client: httpx.Client, method: str) -> None:
    response = client.request(method, PATH)

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert problem(response)["slug"] == "method-not-allowed"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/v1", "/v1/requests/", "/v1/requests/1", "/health/live", "/metrics", "/docs"])
def test_nothing_else_is_served(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path)

    assert (response.status_code, problem(response)["slug"]) == (404, "not-found")


def test_the_trace_context_is_kept_and_an_invalid_one_is_ignored(client: httpx.Client, store: SqliteStore) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    kept = post(client, body(), traceparent=trace).json()["id"]
    ignored = post(client, body(), traceparent="nonsense").json()["id"]

    found = store.get([kept, ignored])
    assert (found[kept].traceparent, found[ignored].traceparent) == (trace, None)


def exchange(address: tuple[str, int], *pieces: bytes) -> bytes:
    """What the server answers to these pieces before it closes the connection."""
    with socket.create_connection(address, timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while data := connection.recv(65_536):
            answer += data
        return answer


HEAD = b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize("begun", [b"", b'{"id":'])
def test_a_body_that_is_too_slow_is_given_up(store: SqliteStore, begun: bytes) -> None:
    with served(store, HASTY) as address:
        answer = exchange(address, HEAD + begun)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:acuse:problem:body-timeout" in answer


@pytest.mark.parametrize("cuts", [(0,), (1,), (50,), (99,), (0, 30, 60, 99)])
def test_a_body_in_pieces_is_put_together(store: SqliteStore, cuts: tuple[int, ...]) -> None:
    """The server is asked to wait for each piece, or finds the first one there."""
    sent = body(note="x").ljust(100)
    ends = [*cuts[1:], len(sent)]
    pieces = [sent[start:end] for start, end in zip(cuts, ends, strict=True)]
    pieces = [sent[: cuts[0]], *pieces] if cuts[0] else pieces

    for waiting in (False, True):
        answer = asyncio.run(_driven(store, list(pieces), waiting=waiting))
        assert answer in (200, 201)


async def _driven(store: SqliteStore, pieces: list[bytes], *, waiting: bool) -> int:
    """The status that the app answers to these pieces."""
    statuses: list[int] = []
    api = Api(store, MemoryKeyring(), SystemClock(), load_catalogue([]), SETTINGS, lambda: None)
    api.start()

    async def receive() -> dict[str, Any]:
        if waiting:
            await asyncio.sleep(0)
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: MutableMapping[str, Any]) -> None:
        statuses.append(message.get("status", 0))

    headers = [(b"content-type", b"application/json")]
    await api(
        {"type": "http", "http_version": "1.1", "path": PATH, "method": "POST", "headers": headers}, receive, send
    )
    await asyncio.to_thread(api.close)
    return statuses[0]


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(
    address: tuple[str, int], client: httpx.Client, store: SqliteStore
) -> None:
    id_ = new_id()
    sent = body(id=id_, note="x").ljust(100)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(HEAD + sent[:90])

    assert post(client, body()).status_code == 201
    assert store.get([id_]) == {}


def test_a_length_over_the_bound_is_refused_before_the_body_comes(address: tuple[str, int]) -> None:
    head = HEAD.replace(b"Content-Length: 100", b"Content-Length: 100000000")

    assert exchange(address, head).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_sends_too_much_hears_so_and_may_go_on(address: tuple[str, int]) -> None:
    sent = body()
    head = HEAD.replace(b"Content-Length: 100", b"Content-Length: 3000000")
    after = HEAD.replace(b"Content-Length: 100", b"Connection: close\r\nContent-Length: %d" % len(sent))

    answer = exchange(address, head + b"x" * 3_000_000, after + sent)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"HTTP/1.1 201 " in answer


def test_a_half_closed_client_gets_its_answer(address: tuple[str, int]) -> None:
    sent = body(note="x").ljust(100)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(HEAD + sent)
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(65_536).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("name", [b"Upgrade", b"upgrade", b"UPGRADE"])
def test_an_offer_to_upgrade_is_ignored(address: tuple[str, int], name: bytes) -> None:
    """As `curl --http2` and other clients make it."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\n%b: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" % name
    sent = body(note="x").ljust(100)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(HEAD.removesuffix(b"\r\n") + offer + sent)

        assert connection.recv(65_536).startswith(b"HTTP/1.1 201 ")


def test_a_client_may_ask_before_it_sends(address: tuple[str, int]) -> None:
    sent = body(note="x").ljust(100)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(sent)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 201 ")


def test_a_head_without_end_is_given_up(address: tuple[str, int]) -> None:
    answer = exchange(address, b"POST /v1/requests HTTP/1.1\r\n" + b"x: y\r\n" * 12_000)

    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("begun", [b"", b"POST /v1/requests HTTP/1.1\r\nHost:"])
def test_a_head_that_is_too_slow_is_given_up(store: SqliteStore, begun: bytes) -> None:
    with served(store, HASTY) as address:
        assert exchange(address, begun).startswith(b"HTTP/1.1 408 ")


def test_of_a_field_that_is_repeated_every_value_counts(address: tuple[str, int]) -> None:
    for first, second in [(b"text/plain", b"application/json"), (b"application/json", b"text/plain")]:
        lines = b"Content-Type: %b\r\nContent-Type: %b\r\nConnection: close" % (first, second)
        answer = exchange(address, HEAD.replace(b"Content-Type: application/json", lines) + b" " * 100)
        assert answer.startswith(b"HTTP/1.1 415 ")


def test_a_request_from_before_its_action_went_can_still_be_read(client: httpx.Client, store: SqliteStore) -> None:
    gone = submission(action="gone", note="x")
    store.add([gone.accepted(SystemClock().now())])

    assert post(client, gone.body).status_code == 200
    assert post(client, gone.body.replace(b'"x"', b'"y"')).status_code == 409
    assert post(client, body(action="gone")).status_code == 422


def test_a_store_that_cannot_be_reached_is_503_and_says_nothing_of_itself() -> None:
    with gated(SETTINGS) as (store, client):
        store.error = StoreUnavailable("/secret/path is full")
        store.gate.release(100)

        response = post(client, body())

        assert (response.status_code, problem(response)["slug"]) == (503, "store-unavailable")
        assert response.headers["retry-after"] == "7"
        assert "secret" not in response.text
        store.error = None
        assert post(client, body()).status_code == 201


def test_past_the_bound_of_what_waits_it_is_503_and_what_waits_is_not_lost() -> None:
    with gated(SETTINGS, max_waiting=3) as (store, client), ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(post, client, body()) for _ in range(8)]
        refused = [one.result() for one in islice(as_completed(waiting, timeout=30), 5)]
        store.gate.release(1_000)
        answers = [one.result() for one in waiting]

    assert {(answer.status_code, problem(answer)["slug"]) for answer in refused} == {(503, "overloaded")}
    assert {answer.headers["retry-after"] for answer in refused} == {"7"}
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [503] * 5
