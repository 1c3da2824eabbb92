"""Many requests in one body, over a real socket and a real SQLite file."""

from __future__ import annotations

import gzip
import http.client
import json
import select
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from acuse.adapters.clock import SystemClock
from acuse.config import Settings
from acuse.domain.errors import StoreUnavailable
from acuse.entrypoints.api import bulk
from tests.acceptance.service import until
from tests.integration.server import gated, served
from tests.requests import body, new_id, submission

if TYPE_CHECKING:
    from pathlib import Path

    from acuse.adapters.sqlite.store import SqliteStore

PATH = "/v1/requests"
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
STRICT = {"prefer": "handling=strict"}
KINDS = pytest.mark.parametrize("kind", ["lines", "array"])
SETTINGS = Settings(max_body=1_000, max_array=20_000, max_items=150, retry_after=timedelta(seconds=7))


def send(client: httpx.Client, kind: str, items: list[bytes], **headers: str) -> httpx.Response:
    if kind == "lines":
        return client.post(PATH, content=b"\n".join(items), headers=NDJSON | headers)
    return client.post(PATH, content=b"[" + b",".join(items) + b"]", headers=JSON | headers)


def read(response: httpx.Response) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The items, and what comes after them."""
    assert response.status_code == 207, response.text
    if response.headers["content-type"] == "application/json":
        whole = response.json()
        return whole.pop("items"), whole
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.text.endswith("\n")
    *items, last = [json.loads(line) for line in response.text.splitlines()]
    return items, last


def totals(**counted: int) -> dict[str, dict[str, int]]:
    counts = {"accepted": 0, "replayed": 0, "refused": 0, "unavailable": 0} | counted
    return {"totals": {"items": sum(counts.values()), **counts}}


@KINDS
def test_each_item_is_judged_by_itself_and_answered_in_its_place(client: httpx.Client, kind: str) -> None:
    taken = submission(note="taken")
    earlier = submission(note="é", nested={"a": [1]})
    for one in (taken, earlier):
        assert client.post(PATH, content=one.body, headers=JSON).status_code == 201
    fresh, twice = body(seconds=0), body(seconds=1)
    items = [
        fresh,
        earlier.body,
        body(id=taken.id, note="other"),
        body(id="x"),
        body(seconds="2"),
        twice,
        b'{"id":"%b","id":"%b","action":"delay"}' % (new_id().encode(), new_id().encode()),
        body(note="x" * 1_000),
        twice,
        b"7",
    ]

    answers, last = read(send(client, kind, items))

    assert [answer["status"] for answer in answers] == [201, 200, 409, 422, 422, 201, 400, 413, 200, 422]
    assert [answer["index"] for answer in answers] == list(range(10))
    assert last == totals(accepted=2, replayed=2, refused=6)
    for sent, answer in zip(items, answers, strict=True):
        assert ("record" in answer) != ("problem" in answer)
        if "record" in answer:
            assert answer["record"] | json.loads(sent) == answer["record"]
            assert answer["id"] == answer["record"]["id"]
        else:
            assert answer["problem"]["status"] == answer["status"]
    assert [answers[place]["id"] for place in (2, 3, 6, 7)] == [taken.id, None, None, None]
    assert answers[4]["problem"]["errors"][0]["pointer"] == "#/seconds"


@KINDS
def test_what_is_acknowledged_in_an_item_is_stored(client: httpx.Client, store: SqliteStore, kind: str) -> None:
    answers, _ = read(send(client, kind, [body(note=str(number)) for number in range(100)]))

    found = store.get([answer["id"] for answer in answers])

    assert [json.loads(found[answer["id"]].to_json()) for answer in answers] == [one["record"] for one in answers]


@KINDS
def test_no_item_at_all_is_no_mistake(client: httpx.Client, kind: str) -> None:
    assert read(send(client, kind, [])) == ([], totals())


def test_lines_may_be_empty_or_end_with_cr_lf(client: httpx.Client) -> None:
    content = b"\r\n" + body() + b"\r\n\n  \n" + body() + b"\r\n"

    answers, last = read(client.post(PATH, content=content, headers=NDJSON))

    assert [answer["status"] for answer in answers] == [201, 201]
    assert last == totals(accepted=2)


def test_a_longer_body_of_lines_than_of_an_array_is_taken(client: httpx.Client) -> None:
    items = [body(note="x" * 100) for _ in range(1_000)]

    answers, last = read(send(client, "lines", items))

    assert [answer["id"] for answer in answers] == [json.loads(item)["id"] for item in items]
    assert last == totals(accepted=1_000)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"[", 400),
        (b"[1,]", 400),
        (b"[1 2]", 400),
        (b"[1] 2", 400),
        (b'[{"a":NaN}]', 400),
        (b"[" * 10_000, 400),
        (b"[" + b"1," * 150 + b"1]", 413),
        (b" \n[" + b" " * 20_000 + b"]", 413),
        (b" " * 1_001 + b"{}", 413),
    ],
)
def test_an_array_is_taken_as_a_whole_or_not_at_all(client: httpx.Client, content: bytes, status: int) -> None:
    assert client.post(PATH, content=content, headers=JSON).status_code == status


def test_a_broken_array_stores_nothing(client: httpx.Client, store: SqliteStore) -> None:
    id_ = new_id()

    response = client.post(PATH, content=b"[" + body(id=id_) + b",", headers=JSON)

    assert response.status_code == 400
    assert store.get([id_]) == {}


def test_an_array_of_as_many_as_are_allowed_is_taken(client: httpx.Client) -> None:
    assert read(send(client, "array", [body() for _ in range(150)]))[1] == totals(accepted=150)


@KINDS
def test_records_may_be_minimal(client: httpx.Client, kind: str) -> None:
    response = send(client, kind, [body(note="x")], prefer="return=minimal, wait=5")

    answers, _ = read(response)
    assert response.headers["preference-applied"] == "return=minimal"
    assert list(answers[0]["record"]) == [
        "id", "status", "created_at", "finished_at", "attempts", "result", "error",
    ]  # fmt: skip


@KINDS
def test_together_all_are_taken(client: httpx.Client, store: SqliteStore, kind: str) -> None:
    earlier, gone = submission(), submission(action="gone")
    store.add([one.accepted(SystemClock().now()) for one in (earlier, gone)])
    items = [body(), earlier.body, body(), gone.body]

    response = send(client, kind, items, **STRICT)

    answers, last = read(response)
    assert response.headers["preference-applied"] == "handling=strict"
    assert [answer["status"] for answer in answers] == [201, 200, 201, 200]
    assert [answer["id"] for answer in answers] == [json.loads(item)["id"] for item in items]
    assert last == totals(accepted=2, replayed=2)
    assert read(send(client, kind, items, **STRICT))[1] == totals(replayed=4)


@KINDS
@pytest.mark.parametrize(
    ("bad", "status", "pointers"),
    [
        ([b"{"], 400, ["#/1"]),
        ([body(id="x", status=1)], 422, ["#/1/id", "#/1/status"]),
        ([body(seconds="2"), b"{", body(action="nope")], 422, ["#/1/seconds", "#/3/action"]),
        ([body(note="x" * 1_000)], 413, ["#/1"]),
    ],
)
def test_together_one_that_is_refused_keeps_all_out(
    client: httpx.Client, store: SqliteStore, kind: str, bad: list[bytes], status: int, pointers: list[str]
) -> None:
    if kind == "array" and b"{" in bad:
        bad = [b'{"a":1,"a":2}' if one == b"{" else one for one in bad]
    ids = [new_id(), new_id()]

    response = send(client, kind, [body(id=ids[0]), *bad, body(id=ids[1])], **STRICT)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in response.json()["errors"]] == pointers
    assert "preference-applied" not in response.headers
    assert store.get(ids) == {}


@KINDS
def test_together_a_conflict_keeps_all_out(client: httpx.Client, store: SqliteStore, kind: str) -> None:
    taken = submission()
    store.add([taken.accepted(SystemClock().now())])
    id_ = new_id()

    response = send(client, kind, [body(id=id_), body(id=taken.id, note="other")], **STRICT)

    assert response.status_code == 409
    assert [error["pointer"] for error in response.json()["errors"]] == ["#/1/id"]
    assert store.get([id_]) == {}


@KINDS
def test_together_there_is_a_bound(client: httpx.Client, kind: str) -> None:
    assert read(send(client, kind, [body() for _ in range(100)], **STRICT))[1] == totals(accepted=100)
    assert send(client, kind, [body() for _ in range(101)], **STRICT).status_code == 413


@KINDS
def test_items_that_cannot_be_stored_now_are_503(kind: str) -> None:
    refused = submission()
    with gated(SETTINGS) as (store, client):
        store.gate.release(1_000)
        store.refused.add(refused.id)

        answers, last = read(send(client, kind, [body(), refused.body, b"{}"]))

        assert [answer["status"] for answer in answers] == [201, 503, 422]
        assert answers[1]["problem"]["type"] == "urn:acuse:problem:store-unavailable"
        assert last == totals(accepted=1, unavailable=1, refused=1)
        store.error = StoreUnavailable("secret")
        response = send(client, kind, [body(), body()])
        assert [answer["status"] for answer in read(response)[0]] == [503, 503]
        assert "secret" not in response.text


@KINDS
def test_together_a_store_that_is_away_is_503(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with gated(SETTINGS) as (store, client):

        def away(_: object) -> Any:
            raise StoreUnavailable("away")

        monkeypatch.setattr(store, "add_together", away)

        response = send(client, kind, [body(), body()], **STRICT)

        assert (response.status_code, response.headers["retry-after"]) == (503, "7")


def test_items_beyond_what_may_wait_are_503() -> None:
    with gated(SETTINGS, max_waiting=2) as (store, client), ThreadPoolExecutor() as pool:
        waits = pool.submit(client.post, PATH, content=body(), headers=JSON)
        assert store.entered.acquire(timeout=30)

        answers, _ = read(send(client, "array", [body(), body()]))

        assert {answer["status"] for answer in answers} == {503}
        assert answers[0]["problem"]["type"] == "urn:acuse:problem:overloaded"
        store.gate.release(1_000)
        assert waits.result(30).status_code == 201
        assert read(send(client, "array", [body() for _ in range(5)]))[1] == totals(accepted=5)


def test_a_body_that_needs_more_room_than_there_is_waits_for_its_own_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "GROUP", 10)
    with gated(SETTINGS, max_waiting=25) as (store, client):
        store.gate.release(1_000)

        assert read(send(client, "lines", [body() for _ in range(500)]))[1] == totals(accepted=500)


HEAD = b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"


def received(connection: socket.socket, what: bytes) -> bytes:
    """Everything up to where it says that."""
    answer = b""
    while what not in answer:
        data = connection.recv(65_536)
        assert data, answer
        answer += data
    return answer


def test_the_first_lines_are_answered_while_others_are_still_to_come(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            line = body() + b"\n"
            connection.sendall(b"%x\r\n%b\r\n" % (len(line), line))
            assert b'"status":201' in received(connection, b'"index":%d' % number)
        connection.sendall(b"0\r\n\r\n")
        assert b'"accepted":3' in received(connection, b'"totals"')


def test_a_body_that_stops_is_answered_as_far_as_it_came(store: SqliteStore) -> None:
    chosen = msgspec.structs.replace(SETTINGS, body_timeout=timedelta(seconds=0.3))
    with served(store, chosen) as where, socket.create_connection(where, timeout=30) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + body() + b'\n{"id":')

        answer = received(connection, b"}\n\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 207 ")
    assert answer.count(b'"index":') == 1
    assert b'"problem":{"type":"urn:acuse:problem:body-timeout"' in answer.partition(b'"totals"')[2]


def test_a_body_that_never_begins_is_408(store: SqliteStore) -> None:
    chosen = msgspec.structs.replace(SETTINGS, body_timeout=timedelta(seconds=0.2))
    with served(store, chosen) as where, socket.create_connection(where, timeout=30) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")

        assert received(connection, b"}").startswith(b"HTTP/1.1 408 ")


def test_a_body_that_trickles_is_given_up_although_something_always_comes(store: SqliteStore) -> None:
    chosen = msgspec.structs.replace(SETTINGS, body_timeout=timedelta(seconds=0.5), min_rate=1_000_000)
    stop = threading.Event()
    with served(store, chosen) as where, socket.create_connection(where, timeout=30) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + body() + b"\n")

        def trickle() -> None:
            while not stop.wait(0.05):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

        trickling = threading.Thread(target=trickle)
        trickling.start()
        answer = received(connection, b'"totals"')
        stop.set()
        trickling.join()

    assert b'"problem":{"type":"urn:acuse:problem:body-timeout"' in answer


def test_a_client_that_leaves_in_the_middle_keeps_what_was_acknowledged(
    address: tuple[str, int], client: httpx.Client, store: SqliteStore
) -> None:
    id_ = new_id()
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + body(id=id_) + b'\n{"id":')
        received(connection, b'"status":201')

    assert id_ in store.get([id_])
    assert read(send(client, "lines", [body()]))[1] == totals(accepted=1)


def test_only_so_many_streams_are_read_at_once(store: SqliteStore) -> None:
    chosen = msgspec.structs.replace(SETTINGS, max_streams=1)
    with (
        served(store, chosen) as where,
        httpx.Client(base_url="http://{}:{}".format(*where)) as client,
        socket.create_connection(where, timeout=30) as connection,
    ):
        line = body() + b"\n"
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (2 * len(line)) + line)
        received(connection, b'"status":201')

        response = send(client, "lines", [body()])

        assert (response.status_code, response.headers["retry-after"]) == (503, "7")
        assert send(client, "array", [body()]).status_code == 207
        connection.sendall(line)
        received(connection, b'"totals"')
        until(lambda: send(client, "lines", [body()]).status_code == 207, "room for another stream")


def test_only_so_many_bytes_of_bodies_are_held_at_once(store: SqliteStore) -> None:
    chosen = msgspec.structs.replace(SETTINGS, max_held_bytes=20_000)
    head = HEAD.replace(b"x-ndjson", b"json")
    with (
        served(store, chosen) as where,
        httpx.Client(base_url="http://{}:{}".format(*where)) as client,
        socket.create_connection(where, timeout=30) as first,
        socket.create_connection(where, timeout=30) as second,
    ):
        first.sendall(head + b"Expect: 100-continue\r\nContent-Length: 18000\r\n\r\n")
        received(first, b"100 Continue")
        first.sendall(b"[" + b" " * 15_000)
        second.sendall(head + b"Content-Length: 18000\r\n\r\n[" + b" " * 10_000)

        assert received(second, b"}").startswith(b"HTTP/1.1 503 ")
        assert client.post(PATH, content=body(), headers=JSON).status_code == 201
        first.sendall(b" " * 2_998 + b"]")
        assert received(first, b'"totals"').startswith(b"HTTP/1.1 207 ")


def test_an_answer_that_must_be_sent_as_a_whole_has_its_bound(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What finds no room in it was stored, and is replayed when it is sent again with fewer others."""
    monkeypatch.setattr("acuse.entrypoints.api.app.MOST_WHOLE", 2_000)
    sent = [body(note="x" * 500) for _ in range(6)]
    head = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")

    def answers(items: list[bytes]) -> list[dict[str, Any]]:
        content = b"\n".join(items)
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
            lines = received(connection, b'"totals"').partition(b"\r\n\r\n")[2].splitlines()
        return [json.loads(line) for line in lines if b'"index"' in line]

    first = answers(sent)
    assert [one["status"] for one in first] == [201, 201, 503, 503, 503, 503]
    assert first[2]["problem"]["type"] == "urn:acuse:problem:overloaded"
    assert first[2]["id"] == json.loads(sent[2])["id"]
    assert [one["status"] for one in answers(sent[2:4])] == [200, 200]


def test_an_action_that_is_unknown_is_no_conflict_with_what_comes_after_it(client: httpx.Client) -> None:
    id_ = new_id()

    answers, _ = read(send(client, "array", [body(id=id_, action="nope"), body(id=id_)]))

    assert [answer["status"] for answer in answers] == [422, 201]


def test_a_client_that_reads_nothing_is_cut_off_although_it_goes_on_sending(store: SqliteStore) -> None:
    chosen = msgspec.structs.replace(SETTINGS, max_spool=1_000, answer_timeout=timedelta(seconds=0.5))
    much = gzip.compress(b"1\n" * 400_000)
    with served(store, chosen) as where, socket.create_connection(where, timeout=30) as connection:
        connection.sendall(HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"%x\r\n%b\r\n" % (len(much), much))

        def is_cut_off() -> bool:
            try:
                connection.sendall(b"1\r\nx\r\n")
            except OSError:
                return True
            return False

        until(is_cut_off, "the end of a connection that nobody reads")


def test_a_client_that_knows_no_chunks_gets_a_length(address: tuple[str, int]) -> None:
    """As a proxy that speaks HTTP/1.0 to what is behind it."""
    content = b"\n".join(body() for _ in range(100))
    with socket.create_connection(address, timeout=30) as connection:
        head = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        answer = b""
        while data := connection.recv(65_536):
            answer += data

    found, _, lines = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in found
    assert b"content-length: %d" % len(lines) in found
    assert json.loads(lines.splitlines()[-1]) == totals(accepted=100)


def taken_unread(connection: socket.socket, data: bytes) -> int:
    """How many bytes of it the server takes from a client that reads nothing."""
    connection.setblocking(False)
    taken = 0
    while taken < len(data) and select.select([], [connection], [], 1)[1]:
        taken += connection.send(data[taken : taken + 65_536])
    connection.settimeout(60)
    return taken


def test_a_client_that_does_not_read_is_not_read_any_further_and_gets_all_when_it_does(store: SqliteStore) -> None:
    count = 20_000
    wrong = {"id": 1, "action": 1, "status": 1, "created_at": 1, "finished_at": 1, "attempts": 1, "result": 1}
    line = json.dumps(wrong).encode().ljust(999) + b"\n"
    data = line * count
    chosen = msgspec.structs.replace(SETTINGS, max_spool=10_000)
    with served(store, chosen) as where, socket.socket() as connection:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            connection.setsockopt(socket.SOL_SOCKET, option, 16_384)
        connection.settimeout(60)
        connection.connect(where)
        connection.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(data))

        taken = taken_unread(connection, data)

        assert taken < len(data)
        sending = threading.Thread(target=connection.sendall, args=(data[taken:],))
        sending.start()
        with http.client.HTTPResponse(connection) as answer:
            answer.begin()
            *items, last = map(json.loads, answer)
        sending.join()

    assert [item["index"] for item in items] == list(range(count))
    assert last == totals(refused=count)


SERVER = """
import socket, sys, uvloop
from pathlib import Path
from acuse.bootstrap import Service
from acuse.config import Settings
from acuse.entrypoints.process import serve_api
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvloop.run(serve_api(Service(Settings(data=Path(sys.argv[1]))), listening, lambda: None))
"""
LINES = 150_000


def resident(pid: int) -> int:
    """Megabytes, at most so far."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) // 1024


@pytest.mark.timeout(300)
def test_neither_a_long_body_nor_an_answer_that_nobody_reads_takes_memory(tmp_path: Path) -> None:
    """A client that sends everything before it reads anything, as most do, is not waited for in vain."""
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        where = ("127.0.0.1", int(process.stdout.readline()))
        with socket.create_connection(where, timeout=120) as connection:
            warm = body() + b"\n"
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(warm) + warm)
            received(connection, b"0\r\n\r\n")
            before = resident(process.pid)
            line = b"x" * 700 + b"\n"  # Refused, so that nothing but the reading and the answering is measured.
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (len(line) * LINES))
            for _ in range(LINES // 1_000):
                connection.sendall(line * 1_000)
            answer = b""
            while b'"totals"' not in answer:
                answer = answer[-100:] + connection.recv(1_048_576)

            assert b'"refused":%d' % LINES in answer
            assert resident(process.pid) - before < 30
    finally:
        process.terminate()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()
