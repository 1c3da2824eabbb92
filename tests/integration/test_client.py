"""The client against the real service, and against one that fails as it was told to."""

from __future__ import annotations

import json
import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from itertools import chain, count, islice
from threading import Thread
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.memory import Memory, MemoryQueue, MemoryStore
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.client import Busy, Client, Conflict, Item, Refused, Totals, Unreachable
from acuse.client.chunk import MAX_LINES
from acuse.config import Settings
from acuse.delay import Delay
from acuse.domain.api_key import SECRET_BYTES, new_key
from acuse.domain.delivery import Ending
from tests.integration.scripted import (
    Exchange,
    Fault,
    Scripted,
    breaks_after_storing,
    ndjson,
    problem,
    refuses,
    scripted,
)
from tests.integration.server import served
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

    from acuse.client import Request

SOON = timedelta(seconds=30)
SHORT = timedelta(seconds=0.4)
LONG = timedelta(hours=1)
HASTY = Settings(max_wait=timedelta(seconds=0.1))


@pytest.fixture
def memory() -> Memory:
    return Memory(SystemClock())


@pytest.fixture
def client(memory: Memory) -> Iterator[Client]:
    with served(MemoryStore(memory), HASTY) as where, Client("http://{}:{}".format(*where)) as made:
        yield made


def requests(number: int) -> list[dict[str, Any]]:
    return [{"id": new_id(), "action": "delay", "n": n} for n in range(number)]


def statuses(items: Iterator[Item]) -> list[int]:
    return [item.status for item in items]


def end_one(memory: Memory) -> None:
    """What a worker would do with the next delivery."""
    queue = MemoryQueue(memory, lease=LONG, bounds={"delay": None})
    [delivery] = queue.receive(1, SOON)
    assert MemoryStore(memory).settle([Ending(delivery=delivery, at=datetime.now(UTC), result=b'{"n":1}')]) == [True]


def test_an_action_is_submitted_and_gets_an_id(client: Client, memory: Memory) -> None:
    submitted = client.submit(Delay(seconds=2))

    assert submitted.is_new
    assert not submitted.has_ended
    assert submitted.record["seconds"] == 2
    assert list(MemoryStore(memory).get([submitted.id])) == [submitted.id]


def test_the_same_request_again_is_not_new(client: Client) -> None:
    id_ = new_id()

    first = client.submit(Delay(seconds=2), id=id_.upper())
    again = client.submit({"id": id_, "action": "delay", "seconds": 2.0})
    once_more = client.submit(b'{"seconds":2e0,\n"action":"delay","id":"%b"}' % id_.encode(), minimal=True)

    assert (first.is_new, again.is_new, once_more.is_new) == (True, False, False)
    assert first.id == again.id == once_more.id == id_
    assert first.record == again.record
    assert "seconds" not in once_more.record


def test_other_content_is_a_conflict(client: Client) -> None:
    sent = client.submit(Delay(seconds=2))

    with pytest.raises(Conflict, match="with other content") as told:
        client.submit(Delay(seconds=3), id=sent.id)

    assert told.value.problem.type == "urn:acuse:problem:conflict"


def test_what_does_not_fit_is_refused_with_every_complaint(client: Client) -> None:
    with pytest.raises(Refused, match="#/seconds: Expected") as told:
        client.submit({"action": "delay", "seconds": "two"})

    assert told.value.problem.status == 422
    assert [error.pointer for error in told.value.problem.errors] == ["#/seconds"]
    assert b'"two"' in told.value.unanswered[0]


def test_a_second_id_is_no_request(client: Client) -> None:
    with pytest.raises(ValueError, match="an id of its own"):
        client.submit({"id": new_id(), "action": "delay"}, id=new_id())


def test_it_waits_longer_than_the_service_does(client: Client, memory: Memory) -> None:
    worker = Thread(target=end_one, args=(memory,))
    worker.start()

    submitted = client.submit(Delay(), wait=SOON, minimal=True)

    worker.join()
    assert submitted.is_new
    assert submitted.has_ended
    assert (submitted.record["status"], submitted.record["result"]) == ("finished", {"n": 1})


def test_it_waits_no_longer_than_it_was_told(client: Client) -> None:
    began = time.monotonic()

    submitted = client.submit(Delay(), wait=SHORT)

    assert not submitted.has_ended
    assert SHORT.total_seconds() <= time.monotonic() - began < SOON.total_seconds()


@pytest.mark.parametrize("gzip", [True, False])
def test_many_are_answered_in_order_each_by_itself(client: Client, gzip: bool) -> None:  # noqa: FBT001
    sent: list[Request] = list(requests(MAX_LINES + 500))
    sent[700] = {"id": new_id(), "action": "nope"}
    sent[1_200] = sent[3]
    sent[1_300] = {**requests(1)[0], "text": "\u2028\x85 x"}
    sent[1_400] = Delay(seconds=1)
    told: list[Totals] = []

    items = list(client.submit_all(iter(sent), progress=told.append, gzip=gzip))

    assert [item.index for item in items] == list(range(len(sent)))
    assert [item.status for item in items] == [{700: 422, 1_200: 200}.get(n, 201) for n in range(len(sent))]
    for item, request in zip(items, sent, strict=True):
        if isinstance(request, dict) and item.record is not None:
            assert item.id == request["id"]
            assert item.record | request == item.record
    assert items[700].problem is not None
    assert items[700].problem.errors[0].pointer == "#/action"
    assert told[-1] == Totals(items=len(sent), accepted=len(sent) - 2, replayed=1, refused=1)
    assert told[0].items == MAX_LINES


def test_no_more_is_taken_than_is_under_way(client: Client) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Request]:
        for number in count():
            taken.append(number)
            yield {"action": "delay"}

    items = client.submit_all(endless(), minimal=True)
    for answered in range(1, 2 * MAX_LINES + 2):
        assert next(items).is_stored
        assert len(taken) < answered + MAX_LINES


def test_none_are_no_requests_at_all(client: Client) -> None:
    assert list(client.submit_all([])) == []


def test_what_cannot_be_a_request_is_named(client: Client) -> None:
    with pytest.raises(ValueError, match="request 1 is not a JSON object"):
        list(client.submit_all([{"action": "delay"}, b"[]"]))


def test_a_key_is_sent_where_one_is_asked_for() -> None:
    keyring = MemoryKeyring()
    key, text = new_key("reports", bytes(SECRET_BYTES), datetime.now(UTC))
    keyring.put(key)
    with served(MemoryStore(Memory(SystemClock())), keyring=keyring) as where:
        url = "http://{}:{}".format(*where)
        with Client(url) as client, pytest.raises(Refused, match="401 ") as single:
            client.submit(Delay())
        with Client(url, key=text + "x") as client, pytest.raises(Refused, match="401 ") as many:
            list(client.submit_all(requests(3)))
        with Client(url, key=text) as client:
            assert client.submit(Delay()).is_new

    assert single.value.problem.type == "urn:acuse:problem:unauthorized"
    assert len(many.value.unanswered) == 3


def test_what_fails_in_passing_is_sent_again_as_it_was() -> None:
    faults = [refuses(503), refuses(429), refuses(502), refuses(504), refuses(408), breaks_after_storing]
    with scripted(*faults) as service, Client(service.address) as client:
        submitted = client.submit(Delay(seconds=2))

    assert submitted.is_new
    assert list(service.records) == [submitted.id]
    assert len({exchange.body for exchange in service.came}) == 1
    assert len(service.came) == len(faults) + 1


def test_after_a_lost_answer_it_does_not_claim_that_a_chosen_id_is_new() -> None:
    with scripted(breaks_after_storing) as service, Client(service.address) as client:
        assert not client.submit(Delay(), id=new_id()).is_new


def test_it_waits_as_long_as_it_is_asked_to() -> None:
    with scripted(refuses(503, Retry_After="1")) as service, Client(service.address) as client:
        began = time.monotonic()
        client.submit(Delay())

    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("many", [True, False])
def test_it_gives_up_at_once_if_it_is_asked_to_wait_beyond_its_patience(many: bool) -> None:  # noqa: FBT001
    sent = requests(2)
    with scripted(refuses(503, Retry_After="3600")) as service, Client(service.address) as client:
        began = time.monotonic()
        with pytest.raises(Busy, match="503 overloaded: as scripted") as told:
            list(client.submit_all(sent)) if many else client.submit(sent[0])

    assert time.monotonic() - began < SOON.total_seconds()
    assert told.value.retry_after == LONG
    assert [json.loads(line) for line in told.value.unanswered] == sent[: 2 if many else 1]


def test_when_patience_is_over_it_says_what_has_no_answer() -> None:
    with scripted(*[refuses(503)] * 50) as service, Client(service.address, patience=SHORT) as client:
        with pytest.raises(Busy) as told:
            client.submit(Delay())
        service.faults.clear()
        [item] = client.submit_all(told.value.unanswered)

    assert len({exchange.body.strip() for exchange in service.came}) == 1
    assert len(service.came) > 2
    assert item.status == 201


def test_a_service_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", patience=SHORT) as client:
        with pytest.raises(Unreachable, match="ConnectError") as single:
            client.submit(Delay())
        with pytest.raises(Unreachable) as many:
            list(client.submit_all(requests(3)))

    assert len(single.value.unanswered) == 1
    assert len(many.value.unanswered) == 3


@pytest.mark.parametrize("length", [None, 10_000])
@pytest.mark.parametrize("text", [b"<html>", b"{}", b""])
def test_what_is_no_answer_counts_as_none(text: bytes, length: int | None) -> None:
    def garbles(service: Scripted, exchange: Exchange) -> None:  # noqa: ARG001  (as every fault)
        exchange.say(200, text, length=length)

    with scripted(garbles, garbles) as service, Client(service.address) as client:
        assert client.submit(Delay()).is_new
        service.faults += [garbles, garbles]
        assert statuses(client.submit_all(requests(2))) == [201, 201]


def test_a_service_that_does_not_hold_its_answer_is_not_asked_all_the_time() -> None:
    with scripted() as service, Client(service.address) as client:
        submitted = client.submit(Delay(), wait=timedelta(seconds=1))

    assert not submitted.has_ended
    assert 2 < len(service.came) < 8


def test_another_kind_of_server_is_told_by_its_answer() -> None:
    def welcomes(service: Scripted, exchange: Exchange) -> None:  # noqa: ARG001  (as every fault)
        exchange.say(200, b"<html>welcome</html>")

    with scripted(welcomes, welcomes) as service, Client(service.address, patience=timedelta(0)) as client:
        with pytest.raises(Unreachable, match="an answer that is no record"):
            client.submit(Delay())
        with pytest.raises(Unreachable, match="answers 200 to many requests"):
            next(client.submit_all(requests(2)))


def test_it_waits_for_the_end_although_the_service_does_not_hold_its_answer_and_fails_between() -> None:
    def ends(service: Scripted, exchange: Exchange) -> None:
        for record in service.records.values():
            service.end(record)
        service.answer(exchange)

    def asks(service: Scripted, exchange: Exchange) -> None:
        item = service.item(0, exchange.body)
        exchange.say(item["status"], json.dumps(item["record"]).encode())

    faults: list[Fault] = [asks, asks, refuses(503, Retry_After="3600"), asks, ends]
    with scripted(*faults) as service, Client(service.address) as client:
        submitted = client.submit(Delay(), wait=SOON)

    assert submitted.is_new
    assert submitted.has_ended
    assert {exchange.headers["prefer"] for exchange in service.came} == {"wait=20"}


def test_a_chunk_whose_answer_is_lost_is_stored_once() -> None:
    with scripted(breaks_after_storing, breaks_after_storing) as service, Client(service.address) as client:
        sent = requests(5)

        assert statuses(client.submit_all(sent)) == [200] * 5

    assert list(service.records) == [one["id"] for one in sent]


@pytest.mark.parametrize("totals", [True, False])
def test_what_an_answer_leaves_out_is_sent_again_by_itself(totals: bool) -> None:  # noqa: FBT001
    def breaks_off(service: Scripted, exchange: Exchange) -> None:
        exchange.say(207, ndjson(service.items(exchange)[:2], totals=totals))

    with scripted(breaks_off) as service, Client(service.address) as client:
        sent = requests(4)
        assert statuses(client.submit_all(sent)) == [201, 201, 200, 200]

    assert service.came[1].ids == [one["id"] for one in sent[2:]]


def test_of_an_answer_that_is_cut_off_the_whole_lines_count() -> None:
    def cuts_off(service: Scripted, exchange: Exchange) -> None:
        text = ndjson(service.items(exchange))
        exchange.say(207, text[: text.index(b"\n") + 30], length=len(text))

    with scripted(cuts_off) as service, Client(service.address) as client:
        assert statuses(client.submit_all(requests(3))) == [201, 200, 200]

    assert len(service.came[1].ids) == 2


def test_the_problem_that_kept_the_body_from_being_read_to_its_end_is_no_end() -> None:
    def stops(service: Scripted, exchange: Exchange) -> None:
        last = {"totals": {"items": 1}, "problem": problem(408, "body-timeout")}
        exchange.say(207, ndjson(service.items(exchange)[:1], totals=False) + json.dumps(last).encode() + b"\n")

    with scripted(stops) as service, Client(service.address) as client:
        assert statuses(client.submit_all(requests(3))) == [201, 200, 200]


def puts_off(*numbers: int, status: int = 503) -> Fault:
    """Does not store these; takes the others."""

    def put_off(service: Scripted, exchange: Exchange) -> None:
        items = [
            {"index": index, "id": None, "status": status, "problem": problem(status, "overloaded")}
            if json.loads(line)["n"] in numbers
            else service.item(index, line)
            for index, line in enumerate(exchange.lines)
        ]
        exchange.say(207, ndjson(items))

    return put_off


def test_items_that_were_put_off_are_sent_again_by_themselves_and_answered_in_their_place() -> None:
    faults = [puts_off(1, 3), puts_off(3, status=429)]
    with scripted(*faults) as service, Client(service.address) as client:
        sent = requests(5)
        items = list(client.submit_all(sent))

    assert [(item.index, item.id, item.status) for item in items] == [(n, sent[n]["id"], 201) for n in range(5)]
    assert [len(exchange.ids) for exchange in service.came] == [5, 2, 1]


def test_one_that_is_never_taken_does_not_hold_up_the_others() -> None:
    with scripted(*[puts_off(1)] * 100) as service, Client(service.address, patience=SHORT) as client:
        sent = requests(MAX_LINES + 2)
        totals: list[Totals] = []
        items = list(client.submit_all(sent, progress=totals.append))

    assert [item.status for item in items] == [503 if n == 1 else 201 for n in range(len(sent))]
    assert items[1].id == sent[1]["id"]
    assert items[1].problem is not None
    assert totals[-1] == Totals(items=len(sent), accepted=len(sent) - 1, unavailable=1)


def test_what_was_put_off_is_unanswered_when_the_service_fails_after_that() -> None:
    with scripted(puts_off(1), refuses(503, Retry_After="3600")) as service, Client(service.address) as client:
        sent = requests(3)
        answers = client.submit_all(sent)
        first = next(answers)
        with pytest.raises(Busy) as told:
            next(answers)

    assert (first.id, first.status) == (sent[0]["id"], 201)
    assert [json.loads(line)["id"] for line in told.value.unanswered] == [one["id"] for one in sent[1:]]


def test_patience_begins_anew_with_every_progress() -> None:
    """Each wait is longer than half of its patience."""
    patience = timedelta(seconds=1.7)
    with scripted(puts_off(1, 2, 3), puts_off(2, 3), puts_off(3)) as service:
        takes: list[Fault] = list(service.faults)
        service.faults = list(chain.from_iterable((refuses(503, Retry_After="1"), one) for one in takes))
        with Client(service.address, patience=patience) as client:
            began = time.monotonic()
            assert statuses(client.submit_all(requests(4))) == [201] * 4

    assert time.monotonic() - began > patience.total_seconds()


def test_after_giving_up_the_rest_can_be_given_again() -> None:
    sent = requests(MAX_LINES + 500)
    left = iter(sent)
    with scripted() as service, Client(service.address, patience=SHORT) as client:
        answers = client.submit_all(left)
        items = list(islice(answers, MAX_LINES))
        service.faults += [refuses(503)] * 100
        with pytest.raises(Busy) as told:
            next(answers)
        service.faults.clear()

        items += client.submit_all(chain(told.value.unanswered, left))

    assert [item.id for item in items] == [one["id"] for one in sent]


def test_a_redirect_is_not_followed() -> None:
    with scripted() as elsewhere, scripted(refuses(307, Location=elsewhere.address)) as service:
        with Client(service.address) as client, pytest.raises(Refused, match="redirects are not followed"):
            client.submit(Delay())

        assert elsewhere.came == []


@pytest.mark.parametrize(
    "url",
    ["localhost:1", "ftp://localhost", "http://", "http://[::1", "https://a:b@c", "https://c?d", "https://c#d", ""],
)
def test_only_the_address_of_a_service_is_taken(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Client(url)


@pytest.mark.parametrize("path", ["", "/", "/v1/requests", "/v1/requests/"])
def test_the_address_may_be_that_of_the_service_or_of_its_requests(path: str) -> None:
    with scripted() as service, Client(service.address + path) as client:
        assert repr(client) == f"<acuse.Client {service.address}/v1/requests>"
        assert client.submit(Delay()).is_new


def test_a_key_does_not_leave_the_machine_in_the_clear() -> None:
    for url in ("http://example.com", "http://10.0.0.1", "http://[2001:db8::1]", "http://localhost.example.com"):
        with pytest.raises(ValueError, match="could be read on its way"):
            Client(url, key="secret")
        Client(url, key="secret", insecure=True).close()
    for url in ("https://example.com", "http://localhost:1", "http://127.0.0.2", "http://[::1]"):
        Client(url, key="secret").close()


def test_what_is_on_this_machine_is_not_asked_of_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted() as proxy, scripted() as service:
        monkeypatch.setenv("http_proxy", proxy.address)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with Client(service.address, key="secret") as client:
            assert client.submit(Delay()).is_new

        assert proxy.came == []


def test_the_key_is_nowhere_but_in_its_header(caplog: pytest.LogCaptureFixture) -> None:
    secret = "acuse_reports_c2VjcmV0"  # noqa: S105
    caplog.set_level(logging.DEBUG)
    told: list[object] = []
    faults = [refuses(503), breaks_after_storing, refuses(401, "unauthorized"), refuses(503, Retry_After="3600")]
    with scripted(*faults) as service, Client(service.address, key=secret) as client:
        for _ in range(2):
            with pytest.raises((Refused, Busy)) as refused:
                client.submit(Delay())
            told += [refused.value, refused.value.__cause__, *format_exception(refused.value)]
        told += [client, client._connection, vars(client), client.submit(Delay())]
    with pytest.raises(ValueError, match="no key has") as malformed:
        Client("http://localhost", key=secret + "\n")

    assert {exchange.headers["authorization"] for exchange in service.came} == {f"Bearer {secret}"}
    assert secret not in repr([*told, malformed.value])
    assert all(secret not in str(one) for one in told)
    assert caplog.records
    assert secret not in caplog.text
    assert all(secret not in repr(vars(record)) for record in caplog.records)


def test_the_headers_say_what_is_sent_and_wanted() -> None:
    with scripted() as service, Client(service.address) as client:
        client.submit(Delay(), minimal=True, wait=timedelta(0))
        list(client.submit_all(requests(1), minimal=True))
        list(client.submit_all(requests(50)))
        list(client.submit_all(requests(50), gzip=False))

    assert [_told(exchange.headers) for exchange in service.came] == [
        ("application/json", "wait=0, return=minimal", None),
        ("application/x-ndjson", "return=minimal", None),
        ("application/x-ndjson", None, "gzip"),
        ("application/x-ndjson", None, None),
    ]


def _told(headers: Message) -> tuple[str | None, ...]:
    return tuple(headers.get(name) for name in ("content-type", "prefer", "content-encoding"))
