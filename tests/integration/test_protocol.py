"""HTTP/1.1 as it should not be spoken: bounds, refusals, and clients that leave, over real sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import resource
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec
import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.store import SqliteStore
from acuse.config import Settings
from acuse.entrypoints.api.body import MAX_DISCARDED
from acuse.entrypoints.protocol import MAX_PARTING, MAX_PIPELINED, Protocol
from acuse.entrypoints.refusals import BAD
from tests.acceptance.service import until
from tests.integration.server import hosted, served, serving
from tests.requests import body, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import uvicorn

    Address = tuple[str, int]

BRIEF = timedelta(seconds=0.3)
HASTY = Settings(body_timeout=BRIEF, answer_timeout=BRIEF)
LARGE = 16_777_216
"""More than the buffers of a connection hold."""
FIRST, REST = b"POST /v1/requests HTTP/1.1\r\n", b"Host: x\r\nContent-Type: application/json\r\n"
NOWHERE = b"POST /nowhere HTTP/1.1\r\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    path: Path = tmp_path_factory.mktemp("protocol") / "acuse.db"
    with closing(Database(path, durable=True, busy=timedelta(seconds=30))) as database:
        yield SqliteStore(database, SystemClock())


@pytest.fixture(scope="module")
def address(store: SqliteStore) -> Iterator[Address]:
    with served(store) as where:
        yield where


@pytest.fixture
def hasty(store: SqliteStore) -> Iterator[Address]:
    with served(store, HASTY) as where:
        yield where


def post(content: bytes | None = None, *fields: bytes, first: bytes = FIRST) -> bytes:
    """A whole request."""
    sent = body() if content is None else content
    return head(len(sent), *fields, first=first) + sent


def head(length: int, *fields: bytes, first: bytes = FIRST) -> bytes:
    lines = [*fields, b"Content-Length: %d" % length]
    return first + REST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def chunked(*chunks: bytes, fields: bytes = b"", first: bytes = FIRST) -> bytes:
    return first + REST + fields + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Client:
    """A connection on which anything can be said."""

    def __init__(self, address: Address, *, window: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(30)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer, whatever comes after it."""
        first = self.file.readline()
        assert first, "closed without an answer"
        fields = http.client.parse_headers(self.file)
        content = self.file.read(int(fields.get("content-length", "0")))
        return int(first.split()[1]), {name.lower(): value for name, value in fields.items()}, content

    def status(self) -> int:
        return self.answer()[0]

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        return self.file.read()

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def exchange(address: Address, *pieces: bytes) -> bytes:
    """What the server answers to these pieces before it closes the connection."""
    with Client(address) as client:
        for piece in pieces:
            client.send(piece)
        return client.rest()


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


App = Any


@contextmanager
def running(app: App, settings: Settings = HASTY, *, keep_alive: float = 5) -> Iterator[tuple[Address, uvicorn.Server]]:
    kept = msgspec.structs.replace(settings, keep_alive=timedelta(seconds=keep_alive))
    with hosted(lambda: app, kept) as (where, server):
        until(lambda: server.started, "the server")
        yield where, server


def connections(server: uvicorn.Server) -> list[Protocol]:
    return cast("list[Protocol]", list(server.server_state.connections))


def is_taken(address: Address) -> bool:
    """Whether there is room for a request; one for which there is none may be reset."""
    with suppress(ConnectionError):
        return statuses(exchange(address, post(None, b"Connection: close"))) == [201]
    return False


def pass_time(span: timedelta) -> None:
    deadline = time.monotonic() + span.total_seconds()
    until(lambda: time.monotonic() > deadline, "the time to pass")


def is_idle(server: uvicorn.Server) -> bool:
    return not server.server_state.connections and not server.server_state.tasks


async def large(_: Any, __: Any, send: Any) -> None:
    """Answers with more than a client takes that does not read."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


async def hanging(_: Any, receive: Any, __: Any) -> None:
    """Waits until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def test_one_connection_too_many_is_told_so_and_the_others_stay(store: SqliteStore) -> None:
    settings = Settings(max_connections=2, retry_after=timedelta(seconds=7))
    with served(store, settings) as where, Client(where) as first, Client(where) as second, Client(where) as third:
        assert third.status() == 503
        for client in (first, second, first):
            client.send(post())
            assert client.status() == 201
        for _ in range(3):
            with Client(where) as another:
                assert another.status() == 503
        with Client(where) as fourth:
            status, fields, content = fourth.answer()
        assert (status, fields["retry-after"], fields["connection"]) == (503, "7", "close")
        assert fields["content-type"] == "application/problem+json"
        assert json.loads(content)["type"] == "urn:acuse:problem:overloaded"
        assert third.rest() == b""

        first.close()
        until(lambda: is_taken(where), "room again")


def test_one_connection_too_many_hears_it_although_it_has_sent_a_request(store: SqliteStore) -> None:
    with served(store, Settings(max_connections=1)) as where, Client(where) as only:
        only.send(post())
        assert only.status() == 201
        for _ in range(50):
            assert statuses(exchange(where, post(body(note="x" * 100_000)))) == [503]


def test_those_that_were_refused_take_up_no_room(store: SqliteStore) -> None:
    patient = Settings(max_connections=1, body_timeout=timedelta(minutes=2), drain=timedelta(minutes=2))
    with serving(store, patient) as (where, server):
        only = Client(where)
        only.send(post())
        assert only.status() == 201
        lingering = [Client(where) for _ in range(MAX_PARTING + 50)]
        assert {client.status() for client in lingering} == {503}
        until(lambda: len(server.server_state.connections) == MAX_PARTING + 1, "those beyond to be closed")
        only.close()
        until(lambda: is_taken(where), "room again")
        began = time.monotonic()
    assert time.monotonic() - began < 30, "they kept the service from ending"
    for client in lingering:
        client.close()


def test_a_process_may_open_as_many_files_as_its_connections_need() -> None:
    code = (
        "import resource; from acuse.entrypoints import server;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]));"
        "server._allow_files({count}); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    for count in (32, 128):
        done = subprocess.run([sys.executable, "-c", code.format(count=count)], capture_output=True, check=True)
        assert int(done.stdout) == max(64, count)
    if hard != resource.RLIM_INFINITY:
        done = subprocess.run([sys.executable, "-c", code.format(count=hard + 1)], capture_output=True, check=True)
        assert int(done.stdout) == hard
        assert b"fewer files" in done.stderr


def test_after_a_refusal_the_rest_is_thrown_away_and_the_next_request_is_served(address: Address) -> None:
    with Client(address) as client:
        client.send(head(3_000_000, first=NOWHERE))
        assert client.status() == 404
        client.send(b"x" * 3_000_000 + post())
        assert client.status() == 201
        client.send(chunked(chunk(b"x"), first=NOWHERE))
        assert client.status() == 404
        client.send(chunk(b"y") * 1_000 + b"0\r\n\r\n" + post())
        assert client.status() == 201


def test_after_the_rest_has_come_in_time_the_next_request_has_time_of_its_own(hasty: Address) -> None:
    with Client(hasty) as client:
        client.send(head(100, first=NOWHERE))
        assert client.status() == 404
        client.send(b"x" * 100)
        pass_time(2 * BRIEF)
        client.send(post())
        assert client.status() == 201


def test_after_a_refusal_a_rest_that_does_not_come_is_given_up(hasty: Address) -> None:
    assert statuses(exchange(hasty, head(100, first=NOWHERE) + b"x")) == [404]


def test_after_a_refusal_a_rest_without_end_is_given_up(address: Address) -> None:
    with Client(address) as client:
        client.send(chunked(first=NOWHERE))
        assert client.status() == 404
        sent, piece = 0, chunk(b"x" * 65_536)
        with suppress(ConnectionError):
            while sent < 20 * MAX_DISCARDED:
                client.send(piece)
                sent += len(piece)

    assert MAX_DISCARDED <= sent < 10 * MAX_DISCARDED


def test_a_client_that_goes_on_sending_hears_the_answer_that_closes(address: Address) -> None:
    with Client(address) as client:
        client.send(head(5 * MAX_DISCARDED) + b"x" * (MAX_DISCARDED // 2))
        status, fields, _ = client.answer()
        client.send(b"x" * 1_000)
        assert (status, fields["connection"], client.rest()) == (413, "close", b"")


def test_a_connection_is_closed_when_nothing_comes_after_the_rest_of_a_refused_body() -> None:
    async def refusing(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    with running(refusing, Settings(), keep_alive=0.1) as (where, _), Client(where) as client:
        client.send(head(100))
        assert client.status() == 404
        client.send(b"x" * 100)
        assert client.rest() == b""
        for empty in (b"", b"\r\n", b"\r\n\r\n"):
            assert statuses(exchange(where, post(), empty)) == [404]


def test_a_client_that_does_not_read_is_cut_off() -> None:
    with running(large) as (where, server), Client(where, window=4096) as client:
        client.send(post())
        until(lambda: server.server_state.connections, "the connection")
        until(lambda: is_idle(server), "the end")
        assert len(client.rest()) < LARGE


def test_a_client_that_reads_slowly_gets_everything() -> None:
    """It takes more than the time in which it must have read something."""
    with running(large) as (where, server), Client(where, window=4096) as client:
        client.send(post(None, b"Connection: close"))
        read = 0
        began = time.monotonic()
        while data := client.socket.recv(65_536):
            read += len(data)
            if time.monotonic() - began < 4 * BRIEF.total_seconds():
                threading.Event().wait(BRIEF.total_seconds() / 20)
        assert read > LARGE
        until(lambda: is_idle(server), "the end")


@pytest.mark.parametrize("fields", [(), (b"Connection: close",)])
def test_a_little_that_stays_unread_does_not_keep_a_connection(fields: tuple[bytes, ...]) -> None:
    """So little that the transport goes on taking more."""
    served_by: list[uvicorn.Server] = []
    left: list[int] = []

    async def brimful(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        [connection] = connections(served_by[0])
        while not connection._socket.get_write_buffer_size():
            await send({"type": "http.response.body", "body": bytes(8_192), "more_body": True})
            for _ in range(3):
                await asyncio.sleep(0)
        left.append(connection._socket.get_write_buffer_size())
        await send({"type": "http.response.body"})

    with running(brimful, keep_alive=0.1) as (where, server), Client(where, window=4096) as client:
        served_by.append(server)
        client.send(post(None, *fields))
        until(lambda: left, "the answer")
        assert 0 < left[0] < 65_536
        until(lambda: is_idle(server), "the end")


def test_a_client_that_is_still_sending_is_not_cut_off() -> None:
    async def both(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": bytes(LARGE - 1), "more_body": True})
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.body", "body": b"."})

    with running(both) as (where, _), Client(where, window=65_536) as client:
        client.send(chunked(chunk(b"x")))
        deadline = time.monotonic() + 4 * BRIEF.total_seconds()
        while time.monotonic() < deadline:
            client.send(chunk(b"x"))
            threading.Event().wait(BRIEF.total_seconds() / 10)
        client.send(b"0\r\n\r\n")
        status, _, content = client.answer()
        assert (status, len(content), content[-1:]) == (200, LARGE, b".")


JUNK = {
    "no host": b"POST /v1/requests HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "two hosts": post(b"", b"Host: y"),
    "the same host twice": post(b"", b"Host: x"),
    "two hosts in 1.0": post(b"", b"Host: y", first=b"POST /v1/requests HTTP/1.0\r\n"),
    "an unknown method": post(first=b"FROB /v1/requests HTTP/1.1\r\n"),
    "a method in lower case": post(first=b"post /v1/requests HTTP/1.1\r\n"),
    "connect": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect with a path": b"CONNECT /v1/requests HTTP/1.1\r\nHost: x\r\n\r\n",
    "version 0.9": b"GET /v1/requests\r\n\r\n",
    "version 2.0": post(first=b"POST /v1/requests HTTP/2.0\r\n"),
    "version 1.2": post(first=b"POST /v1/requests HTTP/1.2\r\n"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x8f" * 500,
    "garbage": bytes(range(256)),
    "lines that end in LF": post().replace(b"\r\n", b"\n"),
    "one line that ends in LF": post(b"", b"X: y\nZ: z"),
    "a folded field": post(b"", b"X: y\r\n z"),
    "a bare CR": post(b"", b"X: y\rz"),
    "a NUL": post(b"", b"X: y\0z"),
    "a space before the colon": post(b"", b"X : y"),
    "a space in the target": post(first=b"POST /v1/re quests HTTP/1.1\r\n"),
    "bytes beyond ASCII in the path": post(first=b"POST /v1/requests\xff HTTP/1.1\r\n"),
    "bytes beyond ASCII in the query": post(first=b"POST /v1/requests?\xff HTTP/1.1\r\n"),
    "a relative target": post(first=b"POST v1/requests HTTP/1.1\r\n"),
    "a target without a path": post(first=b"POST http://x HTTP/1.1\r\n"),
    "a signed length": FIRST + REST + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": FIRST + REST + b"Content-Length: -2\r\n\r\n{}",
    "a length in hexadecimal": FIRST + REST + b"Content-Length: 0x2\r\n\r\n{}",
    "an empty length": FIRST + REST + b"Content-Length: \r\n\r\n{}",
    "a huge length": FIRST + REST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "two lengths": post(b"{}", b"Content-Length: 3"),
    "the same length twice": post(b"{}", b"Content-Length: 2"),
    "two lengths in one": FIRST + REST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length and chunks": post(b"2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    "chunks and a length": chunked(b"2\r\n{}\r\n0\r\n\r\n", fields=b"Content-Length: 2\r\n"),
    "a transfer coding that is not known": FIRST + REST + b"Transfer-Encoding: gzip\r\n\r\n",
    "a transfer coding under the chunks": FIRST + REST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a transfer coding over the chunks": FIRST + REST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a transfer coding in two lines": FIRST + REST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a transfer coding much like it": FIRST + REST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": FIRST + REST + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
    "chunks in 1.0": chunked(b"0\r\n\r\n", first=b"POST /v1/requests HTTP/1.0\r\n"),
    "a chunk of no size": chunked(b"\r\n{}\r\n0\r\n\r\n"),
    "a chunk of a signed size": chunked(b"+2\r\n{}\r\n0\r\n\r\n"),
    "a chunk of a negative size": chunked(b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk of a size in C": chunked(b"0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk of a size too large": chunked(b"FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than it says": chunked(b"1\r\n{}\r\n0\r\n\r\n"),
    "a chunk whose line ends in LF": chunked(b"2\n{}\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
def test_what_is_not_sound_is_refused_and_ends_the_connection(address: Address, junk: bytes) -> None:
    assert exchange(address, junk + post()) == BAD


def test_a_chunk_shorter_than_it_says_swallows_what_follows(address: Address) -> None:
    assert statuses(exchange(address, chunked(b"5\r\n{}\r\n0\r\n\r\n"))) == [400]


def test_a_chunk_that_would_never_end_is_too_large(address: Address) -> None:
    assert statuses(exchange(address, chunked(b"FFFFFFFFFFFFFFF\r\n" + b"x" * 500_000))) == [413]


@pytest.mark.parametrize("name", [b"1.0", b"1.0\r\nConnection: keep-alive", b"1.0\r\nExpect: 100-continue"])
def test_version_1_0_is_answered_without_a_host_and_closed(address: Address, name: bytes) -> None:
    sent = post(first=b"POST /v1/requests HTTP/%b\r\n" % name).replace(b"Host: x\r\n", b"")

    answer = exchange(address, sent)

    assert statuses(answer) == [201]
    assert b"connection: close" in answer


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (b"POST http://x/v1/requests HTTP/1.1\r\n", 201),
        (b"POST /v1/requests?a=b&c HTTP/1.1\r\n", 201),
        (b"POST //v1/requests HTTP/1.1\r\n", 404),
        (b"POST /v1//requests HTTP/1.1\r\n", 404),
        (b"POST /v1/../v1/requests HTTP/1.1\r\n", 404),
        (b"POST /v1/requests%00 HTTP/1.1\r\n", 404),
        (b"POST /v1/requests%ff HTTP/1.1\r\n", 404),
        (b"POST /v1/requests%zz HTTP/1.1\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\n", 404),
        (b"TRACE /v1/requests HTTP/1.1\r\n", 405),
        (b"QUERY /v1/requests HTTP/1.1\r\n", 405),
    ],
)
def test_a_target_is_served_or_is_not(address: Address, first: bytes, status: int) -> None:
    assert statuses(exchange(address, post(None, b"Connection: close", first=first))) == [status]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (b"/v1/requests", 201),
        (b"/v1/%72equests", 201),
        (b"/%761/%72%65quests", 201),
        (b"/v1%2Frequests", 404),
        (b"/v1%2frequests", 404),
        (b"%2Fv1/requests", 400),
        (b"/v1/requests/", 404),
        (b"/v1/requests%2F", 404),
        (b"/v1/requests%", 404),
        (b"/v1/requests%7", 404),
        (b"/v1/requests%FF", 404),
        (b"/v1/requests%00", 404),
        (b"/v1/%2572equests", 404),
        (b"/V1/requests", 404),
        (b"", 400),
        (b"*", 404),
    ],
)
def test_one_path_is_served_however_its_letters_are_written(address: Address, path: bytes, status: int) -> None:
    first = b"POST %b HTTP/1.1\r\n" % path

    assert statuses(exchange(address, post(None, b"Connection: close", first=first))) == [status]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head(100, b"Expect: 100-continue", first=NOWHERE), 404),
        (head(100, b"Expect: 100-continue", first=b"PUT /v1/requests HTTP/1.1\r\n"), 405),
        (head(100, b"Expect: 100-continue").replace(b"application/json", b"text/plain"), 415),
        (head(1_000_000_000, b"Expect: 100-continue"), 413),
    ],
)
def test_a_client_that_asks_first_is_not_told_to_go_on_in_vain(hasty: Address, sent: bytes, status: int) -> None:
    assert statuses(exchange(hasty, sent)) == [status]


def test_a_head_in_one_piece_is_bounded_too(store: SqliteStore) -> None:
    with served(store, Settings(max_head=1_000)) as where:
        assert statuses(exchange(where, post(None, b"X: " + b"y" * 2_000))) == [431]
        assert statuses(exchange(where, post(body(note="x" * 2_000), b"Connection: close"))) == [201]


def test_a_head_that_begins_behind_a_large_body_is_not_taken_for_large(store: SqliteStore) -> None:
    with served(store, Settings(max_head=1_000)) as where, Client(where) as client:
        second = post()
        client.send(post(body(note="x" * 2_000)) + second[:20])
        assert client.status() == 201
        client.send(second[20:])
        assert client.status() == 201


def test_thousands_of_fields_within_the_bound_are_taken(address: Address) -> None:
    assert statuses(exchange(address, post(None, *[b"x: y"] * 8_000, b"Connection: close"))) == [201]


def test_chunks_with_extensions_and_trailers_are_put_together(address: Address) -> None:
    sent = body(note="x" * 100)
    chunks = [b'%x;a=b;c="d"\r\n%b\r\n' % (len(piece), piece) for piece in (sent[:1], sent[1:60], sent[60:])]

    answer = exchange(address, chunked(*chunks, b"0\r\nX-Sum: 1\r\n\r\n", fields=b"Connection: close\r\n"))

    assert statuses(answer) == [201]


def test_a_trailer_is_not_taken_for_a_field() -> None:
    seen: list[Any] = []

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        seen.extend(scope["headers"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with running(reading) as (where, _), Client(where) as client:
        client.send(chunked(b"0\r\nAuthorization: Bearer x\r\n\r\n"))
        assert client.status() == 204

    assert {name for name, _ in seen} == {b"host", b"content-type", b"transfer-encoding"}


@pytest.mark.parametrize("trailer", [b"x: y\r\n" * 100_000, b"x: " + b"y" * 600_000])
def test_trailers_are_bounded(address: Address, trailer: bytes) -> None:
    with Client(address) as client:
        client.send(chunked(chunk(b"{"), b"0\r\n"))
        client.send(trailer)
        assert client.status() == 431


def test_a_body_shorter_than_its_length_is_not_taken(hasty: Address, store: SqliteStore) -> None:
    id_ = new_id()
    sent = body(id=id_)

    assert statuses(exchange(hasty, head(len(sent) + 1) + sent)) == [408]
    with Client(hasty) as client:
        client.send(head(len(sent) + 1) + sent)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.rest() == b""

    assert store.get([id_]) == {}


def test_a_body_cannot_move_the_end_of_its_request(address: Address) -> None:
    """A line of it that looks like an offer to upgrade is a line of it."""
    inner = post()
    sent = b"{}" + b"\r\nupgrade: x" * 20 + inner[-40:]
    with Client(address) as client:
        client.send(post(sent) + inner)
        assert client.status() == 400
        assert client.status() == 201


@pytest.mark.parametrize("cut", [1, 5, 12, 14, 15])
def test_an_offer_to_upgrade_is_ignored_in_whatever_pieces_it_comes(cut: int) -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        assert b"upgrade" not in dict(scope["headers"])
        fields = [(b"content-length", b"%d" % len(message["body"]))]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": message["body"]})

    sent = post(b"abc", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c")
    where_cut = sent.index(b"Upgrade: h2c") + cut
    with running(echo, Settings()) as (where, server), Client(where) as client:
        for _ in range(2):
            client.send(sent[:where_cut])
            until(lambda: any(one._head_size == where_cut for one in connections(server)), "the first piece")
            client.send(sent[where_cut:])
            assert client.answer()[2] == b"abc"


def test_requests_in_one_write_are_answered_in_their_order(address: Address) -> None:
    ids = [new_id() for _ in range(10)]
    with Client(address) as client:
        client.send(b"".join(post(body(id=id_)) for id_ in ids))
        assert [json.loads(client.answer()[2])["id"] for _ in ids] == ids
        client.send(b"".join(post(body(id=id_)) for id_ in ids))
        assert [client.status() for _ in ids] == [200] * 10


def test_a_half_closed_client_gets_all_its_answers(address: Address) -> None:
    with Client(address) as client:
        client.send(post() + b"".join(post() for _ in range(9)) + head(100) + b"x")
        client.socket.shutdown(socket.SHUT_WR)
        assert statuses(client.rest()) == [201] * 10


def test_what_is_not_sound_is_refused_after_the_answers_to_those_before(address: Address) -> None:
    for junk in (b"garbage\r\n\r\n", chunked(b"x"), JUNK["two hosts"], post(None, b"X: " + b"y" * 100_000)):
        first, second, *more = statuses(exchange(address, post() + post() + junk))
        assert (first, second, more) == (201, 201, [431 if len(junk) > 65_536 else 400])


def test_a_head_that_begins_in_one_piece_with_another_request_is_bounded_too(address: Address) -> None:
    junk = post(None, b"X: " + b"y" * 100_000)
    with Client(address) as client:
        client.send(post() + junk[:60_000])
        assert client.status() == 201
        client.send(junk[60_000:])
        assert statuses(client.rest()) == [431]


def test_of_more_than_may_wait_the_rest_is_left_and_the_connection_closed(address: Address) -> None:
    ids = [new_id() for _ in range(5 * MAX_PIPELINED)]

    answer = exchange(address, b"".join(post(body(id=id_)) for id_ in ids))

    found = statuses(answer)
    assert set(found) == {201}
    assert MAX_PIPELINED <= len(found) < len(ids)
    assert answer.count(b"connection: close") == 1
    assert all(id_.encode() in answer for id_ in ids[: len(found)])


def test_while_requests_wait_no_more_are_read() -> None:
    semaphore = threading.Semaphore(0)

    async def slow(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await asyncio.to_thread(semaphore.acquire)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    one = post(b"x" * 50_000)
    with running(slow, Settings()) as (where, server), Client(where) as client:
        sender = threading.Thread(target=lambda: client.send(one * 100))
        sender.start()
        most = 0
        for _ in range(100):
            semaphore.release()
            assert client.status() == 200
            [connection] = connections(server)
            most = max(most, len(connection.pipeline))
        sender.join()

    assert most <= 6


def test_a_client_is_not_blamed_for_what_the_server_has_not_read() -> None:
    begin = threading.Event()

    async def slow(_: Any, __: Any, send: Any) -> None:
        await asyncio.to_thread(begin.wait)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    third = post()
    with running(slow) as (where, server), Client(where) as client:
        client.send(post() + post() + third[:20])
        until(lambda: any(one.pipeline for one in connections(server)), "the second request")
        pass_time(2 * BRIEF)
        client.send(third[20:])
        begin.set()
        assert [client.status() for _ in range(3)] == [200] * 3


def test_there_is_one_answer_to_a_refused_request_whose_rest_is_not_sound(address: Address) -> None:
    with Client(address) as client:
        client.send(chunked(chunk(b"x"), first=NOWHERE))
        assert client.status() == 404
        client.send(b"no chunk\r\n")
        assert client.rest() == b""


def test_an_answer_that_has_begun_is_broken_off_when_the_body_is_not_sound() -> None:
    async def begun(_: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 207, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await hanging(None, receive, None)

    with running(begun) as (where, server):
        answer = exchange(where, chunked(chunk(b"x"), b"no chunk\r\n"))
        until(lambda: is_idle(server), "the end")

    assert statuses(answer) in ([207], [400])
    with running(begun) as (where, server), Client(where) as client:
        client.send(chunked(chunk(b"x")))
        assert client.socket.recv(12) == b"HTTP/1.1 207"
        client.send(b"no chunk\r\n")
        rest = client.rest()
        until(lambda: is_idle(server), "the end")

    assert rest.endswith(b"5\r\nbegun\r\n")


def test_a_request_that_runs_hears_that_its_client_left_although_others_wait() -> None:
    async def begun(_: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(LARGE), "more_body": True})
        await hanging(None, receive, None)

    with running(begun) as (where, server), Client(where, window=4096) as client:
        client.send(post() + post() + post())
        until(lambda: any(len(one.pipeline) == 2 for one in connections(server)), "all three")
        until(lambda: is_idle(server), "the end")


def test_a_client_that_resets_while_it_is_answered_leaves_nothing() -> None:
    with running(large, Settings()) as (where, server):
        for _ in range(20):
            client = Client(where, window=4096)
            client.send(post())
            until(lambda read=client: read.socket.recv(100), "the beginning")  # type: ignore[misc]
            client.reset()
        until(lambda: is_idle(server), "the end")


def test_what_was_sent_is_stored_although_the_client_left_before_the_commit(tmp_path: Path) -> None:
    path = tmp_path / "acuse.db"
    id_ = new_id()
    with (
        closing(Database(path, durable=True, busy=timedelta(seconds=30))) as database,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        store = SqliteStore(database, SystemClock())
        with serving(store) as (where, server):
            other.execute("BEGIN IMMEDIATE")
            with Client(where) as client:
                client.send(post(body(id=id_)))
                until(lambda: server.server_state.tasks, "the request")
            with Client(where) as client:
                client.send(head(100, first=NOWHERE))
                assert client.status() == 404
            other.execute("ROLLBACK")

            assert until(lambda: store.get([id_]), "the record")[id_].id == id_
            until(lambda: is_idle(server), "the end")


def leave_before(_: Client) -> None:
    pass


def leave_in_the_head(client: Client) -> None:
    client.send(FIRST)


def leave_in_the_body(client: Client) -> None:
    client.send(head(100) + b"{")


def leave_in_a_chunk(client: Client) -> None:
    client.send(chunked(b"5\r\n{"))


def leave_after_the_body(client: Client) -> None:
    client.send(post() + post() + head(100))


def leave_after_a_refusal(client: Client) -> None:
    client.send(head(100, first=NOWHERE))
    client.status()


def leave_after_junk(client: Client) -> None:
    client.send(b"junk\r\n\r\n" * 10)


LEAVE: list[Callable[[Client], None]] = [
    leave_before, leave_in_the_head, leave_in_the_body, leave_in_a_chunk, leave_after_the_body, leave_after_a_refusal,
    leave_after_junk,
]  # fmt: skip


def files() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208


def test_hundreds_of_clients_that_leave_early_leave_nothing_behind(store: SqliteStore) -> None:
    with serving(store) as (where, server):
        acknowledged = []
        with Client(where) as steady:
            steady.send(post())
            assert steady.status() == 201
            before = files()
            for turn in range(40):
                for leave in LEAVE:
                    client = Client(where)
                    leave(client)
                    if turn % 2:
                        client.reset()
                    else:
                        client.close()
                acknowledged.append(body())
                steady.send(post(acknowledged[-1]))
                assert steady.status() == 201
            until(lambda: len(server.server_state.connections) == 1, "the others to be gone")
            until(lambda: not server.server_state.tasks, "their requests to be gone")
            until(lambda: files() <= before, "their files to be gone")
            for sent in acknowledged:
                steady.send(post(sent))
                assert steady.status() == 200
