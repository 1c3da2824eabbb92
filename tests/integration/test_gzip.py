"""Bodies in gzip, over a real socket and a real SQLite file."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from acuse.config import Settings
from acuse.entrypoints.api.body import Body
from acuse.entrypoints.api.expansion import PIECE
from tests.requests import body

if TYPE_CHECKING:
    import httpx

    from acuse.adapters.sqlite.store import SqliteStore

PATH = "/v1/requests"
JSON = "application/json"
NDJSON = "application/x-ndjson"
SETTINGS = Settings(max_body=1_000, max_array=20_000, max_expanded=5_000_000)
MANY_LINES = 40_000_000
LARGE = Settings(max_array=MANY_LINES)
TURN_BYTES = 4_096
"""Of gzip: after at most so many others get a turn."""


def post(client: httpx.Client, zipped: bytes, media_type: str = JSON, coding: str = "gzip") -> httpx.Response:
    return client.post(PATH, content=zipped, headers={"content-type": media_type, "content-encoding": coding})


def slug(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["type"]).removeprefix("urn:acuse:problem:")


def lines(response: httpx.Response) -> tuple[list[int], dict[str, Any]]:
    """The status of each item, and the last line."""
    assert response.status_code == 207, response.text
    *items, last = map(json.loads, response.text.splitlines())
    return [item["status"] for item in items], last


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "gzip , identity"])
def test_a_request_in_gzip_is_the_request(client: httpx.Client, coding: str) -> None:
    sent = body(note="é")

    zipped = post(client, gzip.compress(sent), coding=coding)
    plain = client.post(PATH, content=sent, headers={"content-type": JSON})

    assert (zipped.status_code, plain.status_code) == (201, 200)
    assert zipped.json() == plain.json()


def test_an_array_in_gzip_is_taken(client: httpx.Client) -> None:
    response = post(client, gzip.compress(b"[%b,%b]" % (body(), body(seconds=-1))))

    assert response.status_code == 207
    assert [item["status"] for item in response.json()["items"]] == [201, 422]


@pytest.mark.parametrize("prefer", ["", "handling=strict"])
def test_lines_in_gzip_are_taken(client: httpx.Client, prefer: str) -> None:
    zipped = gzip.compress(body() + b"\n") + gzip.compress(body() + b"\n" + body())
    headers = {"content-type": NDJSON, "content-encoding": "gzip", "prefer": prefer}

    statuses, last = lines(client.post(PATH, content=zipped, headers=headers))

    assert statuses == [201] * 3
    assert last["totals"]["accepted"] == 3


@pytest.mark.parametrize("prefer", ["", "handling=strict"])
@pytest.mark.parametrize(("media_type", "content"), [(JSON, b"[]"), (NDJSON, b""), (NDJSON, b"\n")])
def test_of_no_item_at_all_there_are_only_totals(
    client: httpx.Client, media_type: str, content: bytes, prefer: str
) -> None:
    headers = {"content-type": media_type, "content-encoding": "gzip", "prefer": prefer}

    response = client.post(PATH, content=gzip.compress(content), headers=headers)

    assert response.status_code == 207
    totals = response.json()["totals"]
    assert set(totals.values()) == {0}


def test_lines_in_gzip_are_answered_while_others_are_still_to_come(address: tuple[str, int]) -> None:
    first, second = gzip.compress(body() + b"\n"), gzip.compress(body() + b"\n")
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: {NDJSON}\r\ncontent-encoding: gzip\r\n"
        f"content-length: {len(first) + len(second)}\r\nconnection: close\r\n\r\n"
    )
    with socket.create_connection(address, timeout=30) as connection, connection.makefile("rb") as answer:
        connection.sendall(head.encode() + first)
        while b'"status":201' not in answer.readline():
            pass

        connection.sendall(second)

        assert b'"accepted":2' in answer.read()


def test_the_bound_is_on_what_it_expands_to(client: httpx.Client) -> None:
    whole = body(note="x" * 800).ljust(1_000)

    assert post(client, gzip.compress(whole)).status_code == 201
    refused = post(client, gzip.compress(whole + b" "))

    assert (refused.status_code, slug(refused)) == (413, "too-large")


def test_gzip_may_be_longer_than_what_it_expands_to(client: httpx.Client) -> None:
    zipped = gzip.compress(body(), 0) + gzip.compress(b"") * 100
    assert len(zipped) > SETTINGS.max_body

    assert post(client, zipped).status_code == 201


def test_an_array_in_gzip_has_the_bound_of_arrays(client: httpx.Client) -> None:
    array = b"[%b]" % b",".join(body(note="x" * 700) for _ in range(20))

    assert post(client, gzip.compress(array.ljust(20_000))).status_code == 207
    refused = post(client, gzip.compress(array.ljust(20_001)))

    assert (refused.status_code, slug(refused)) == (413, "too-large")


@pytest.mark.parametrize("start", [b"", b"["])
def test_a_bomb_is_too_large(client: httpx.Client, start: bytes) -> None:
    response = post(client, gzip.compress(start + bytes(20_000_000)))

    assert (response.status_code, slug(response)) == (413, "too-large")
    assert post(client, gzip.compress(body())).status_code == 201


def test_of_a_bomb_behind_a_line_the_last_line_tells(client: httpx.Client) -> None:
    bomb = gzip.compress(body() + b"\n" + b" " * 20_000_000)

    statuses, last = lines(post(client, bomb, NDJSON))

    assert statuses == [201]
    assert last["problem"]["status"] == 413
    assert last["totals"]["items"] == 1
    assert post(client, gzip.compress(body())).status_code == 201


def test_a_bomb_before_any_line_is_refused_as_a_whole(client: httpx.Client) -> None:
    response = post(client, gzip.compress(b"\n" * 20_000_000), NDJSON)

    assert (response.status_code, slug(response)) == (413, "too-large")


@pytest.mark.parametrize("media_type", [JSON, NDJSON])
@pytest.mark.parametrize("damage", ["none", "empty", "cut", "sum", "tail"])
def test_what_is_not_gzip_is_malformed(client: httpx.Client, store: SqliteStore, media_type: str, damage: str) -> None:
    sent = body()
    zipped = gzip.compress(sent)
    damaged = {
        "none": sent,
        "empty": b"",
        "cut": zipped[:-1],
        "sum": zipped[:-8] + bytes([zipped[-8] ^ 1]) + zipped[-7:],
        "tail": zipped + b"\n",
    }[damage]

    response = post(client, damaged, media_type)

    assert (response.status_code, slug(response)) == (400, "malformed")
    id_ = json.loads(sent)["id"]
    assert store.get([id_]) == {}


def test_lines_before_the_damage_are_answered(client: httpx.Client) -> None:
    whole = gzip.compress(body() + b"\n")

    for damage, detail in ((whole[:-1], "the gzip ends too early"), (b"xx", "the body is not gzip")):
        statuses, last = lines(post(client, whole + damage, NDJSON))

        assert statuses[:1] in ([201], [200])
        assert (last["problem"]["status"], last["problem"]["detail"]) == (400, detail)


async def turns_while(zipped: bytes, *, is_whole: bool) -> tuple[int, int]:
    """The bytes that it expands to, and how often another task got its turn meanwhile."""
    turns = size = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": zipped}

    sent = Body(receive, LARGE, is_gzip=True, length=len(zipped))
    other = asyncio.create_task(another())
    if is_whole:
        size = len(await sent.whole(lambda _: None, is_lines=True))
    else:
        async for piece in sent.pieces():
            assert 0 < len(piece) <= PIECE
            size += len(piece)
    other.cancel()
    return size, turns


@pytest.mark.parametrize("is_whole", [False, True])
def test_while_much_is_expanded_others_get_their_turn(*, is_whole: bool) -> None:
    bomb = gzip.compress(b"\n" * MANY_LINES, 9)
    assert len(bomb) < 65_536

    size, turns = asyncio.run(turns_while(bomb, is_whole=is_whole))

    assert size == MANY_LINES
    assert turns >= MANY_LINES // PIECE


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("members", [10_000, 40_000])
def test_while_nothing_comes_of_many_members_others_get_their_turn(members: int, *, is_whole: bool) -> None:
    zipped = gzip.compress(b"") * members + gzip.compress(b"7")

    size, turns = asyncio.run(turns_while(zipped, is_whole=is_whole))

    assert size == 1
    assert len(zipped) // TURN_BYTES <= turns <= len(zipped) // TURN_BYTES + 3
