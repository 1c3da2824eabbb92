"""The functions under the real runtime client, from the bundle alone. The tests say what is delivered, how often."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from acuse.adapters.aws.keyring import DynamoKeyring
from acuse.adapters.aws.message import Message
from acuse.adapters.aws.permits import Permits
from acuse.adapters.clock import SystemClock
from acuse.domain.api_key import SECRET_BYTES, new_key
from acuse.domain.record import Key, Progress, Reason, Status
from tests.aws.faults import Broken, FaultProxy
from tests.aws.runtime import Function, FunctionError
from tests.aws.stack import HANDLERS
from tests.aws.stage import (
    BUNDLE,
    LONGEST_DELAY,
    NO_FAILURES,
    POSTPONE,
    RESERVE,
    Stage,
    book_of,
    closed_port,
    deliver,
    delivered,
    due,
    failures,
    http,
    post,
)
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator


WHERE = """
import acuse

class Where(acuse.Action, tag="where"):
    def run(self) -> str:
        return acuse.__file__
"""


@pytest.fixture(scope="module")
def api(shared: Stage) -> Iterator[Function]:
    with shared.function("api") as function:
        yield function


@pytest.fixture(scope="module")
def dead_letters(shared: Stage) -> Iterator[Function]:
    with shared.function("dead_letters") as function:
        yield function


@pytest.mark.parametrize("coding", ["plain", "base64"])
def test_a_request_is_stored_and_answered_with_its_record(stage: Stage, api: Function, coding: str) -> None:
    request = {"id": new_id(), "action": "echo", "text": "é€😀"}
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = api.invoke(http(json.dumps(request).encode(), is_base64=coding == "base64", traceparent=trace))

    assert (answer["statusCode"], answer["isBase64Encoded"]) == (201, False)
    assert answer["headers"]["content-type"] == "application/json"
    told = json.loads(answer["body"])
    assert {name: told[name] for name in request} == request
    assert (told["status"], told["attempts"], told["finished_at"]) == ("accepted", 0, None)
    stored = stage.record(request["id"])
    assert json.loads(stored.to_json()) == told
    assert stored.traceparent == trace


def test_the_same_request_is_answered_with_its_record_as_it_is_now(stage: Stage, api: Function) -> None:
    request = {"id": new_id(), "action": "echo", "text": "a"}
    assert post(api, **request)[0] == 201
    stage.end(Key(request["id"]), plan=0, result=b'{"n":1}')

    status, told = post(api, **request)

    assert (status, told["status"], told["result"]) == (200, "finished", {"n": 1})


def test_a_process_answers_one_call_after_another(stage: Stage, api: Function) -> None:
    requests = [{"id": new_id(), "action": "echo"} for _ in range(3)]
    assert post(api, **requests[0])[0] == 201
    process = api._process

    assert [post(api, **request)[0] for request in requests] == [200, 201, 201]

    assert api._process is process
    assert set(stage.store.get([str(request["id"]) for request in requests])) == {one["id"] for one in requests}


def test_other_content_under_a_known_id_is_a_conflict_told_as_text(stage: Stage, api: Function) -> None:
    known = stage.add("echo", text="a")

    answer = api.invoke(http(json.dumps({"id": known.id, "action": "echo", "text": "b"}).encode()))

    assert (answer["statusCode"], answer["isBase64Encoded"]) == (409, False)
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert json.loads(answer["body"])["instance"] == f"urn:uuid:{known.id}"
    assert stage.record(known.id) == known


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize("prefer", ["return=minimal", "handling=strict"])
def test_many_requests_are_answered_each_in_its_place(stage: Stage, api: Function, kind: str, prefer: str) -> None:
    requests = [json.dumps({"id": new_id(), "action": "echo", "n": number}).encode() for number in range(60)]
    content = b"\n".join(requests) if kind.endswith("ndjson") else b"[" + b",".join(requests) + b"]"

    answer = api.invoke(http(content, content_type=kind, prefer=prefer))

    assert (answer["statusCode"], answer["isBase64Encoded"]) == (207, False)
    assert (answer["headers"]["content-type"], answer["headers"]["preference-applied"]) == (kind, prefer)
    lines = answer["body"].splitlines()
    items = (
        [json.loads(line) for line in lines[:-1]] if kind.endswith("ndjson") else json.loads(answer["body"])["items"]
    )
    assert [(item["index"], item["status"]) for item in items] == [(place, 201) for place in range(60)]
    assert [item["id"] for item in items] == [json.loads(request)["id"] for request in requests]
    assert all(stage.record(item["id"]).status is Status.ACCEPTED for item in items)


def test_a_function_asks_for_a_key_unless_it_is_told_that_something_in_front_does() -> None:
    key, text = new_key("client", secrets.token_bytes(SECRET_BYTES), SystemClock().now())
    request = json.dumps({"id": new_id(), "action": "echo"}).encode()
    with Stage() as stage, stage.function("api", ACUSE_ALLOW_ANYONE="false", ACUSE_KEYS_REFRESH="0") as api:
        assert api.invoke(http(request))["statusCode"] == 401

        DynamoKeyring(stage.table).put(key)

        assert api.invoke(http(request))["statusCode"] == 401
        assert api.invoke(http(request, authorization=f"Bearer {text}"))["statusCode"] == 201


def test_an_answer_may_wait_for_the_end(api: Function) -> None:
    request = {"id": new_id(), "action": "echo"}
    assert post(api, **request)[0] == 201

    answer = api.invoke(http(json.dumps(request).encode(), prefer="wait=1"))

    assert (answer["statusCode"], answer["headers"]["preference-applied"]) == (200, "wait=1")


@pytest.mark.parametrize(
    ("event", "status", "headers"),
    [
        (http(method="GET"), 405, {"allow": "POST"}),
        (http(b"{}", path="/v1/elsewhere"), 404, {}),
        (http(b"x" * 262_145), 413, {}),
        (http(b"x" * 262_145, content_length="0"), 413, {}),
        (http(b"{}", content_type="text/plain"), 415, {"accept": "application/json, application/x-ndjson"}),
        (http(b"{}", content_encoding="br"), 415, {"accept-encoding": "gzip, identity"}),
        (http(b"{}", content_encoding="gzip"), 400, {}),
        (http(b"[" + b" " * 1_048_576 + b"]"), 413, {}),
        (http(b"7\n" * 4_001, content_type="application/x-ndjson"), 413, {}),
        (http(b"{"), 400, {}),
        (http(), 400, {}),
        (http(b'"\xff"', is_base64=True), 400, {}),
        (http(json.dumps({"id": new_id(), "action": "unheard"}).encode()), 422, {}),
        (http(b"{}"), 422, {}),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_problem_as_text(
    api: Function, event: dict[str, Any], status: int, headers: dict[str, str]
) -> None:
    answer = api.invoke(event)

    assert (answer["statusCode"], answer["isBase64Encoded"]) == (status, False)
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert headers.items() <= answer["headers"].items()
    assert json.loads(answer["body"])["status"] == status


def test_while_the_store_is_broken_nothing_is_taken_and_afterwards_all_is(stage: Stage) -> None:
    request = {"id": new_id(), "action": "echo"}
    with FaultProxy(stage.aws.url) as proxy, stage.function("api", endpoint=proxy.url) as api:
        proxy.always("BatchExecuteStatement", Broken(503))

        answer = api.invoke(http(json.dumps(request).encode()))

        assert (answer["statusCode"], answer["isBase64Encoded"]) == (503, False)
        assert answer["headers"]["retry-after"] == "1"
        assert answer["headers"]["content-type"] == "application/problem+json"
        assert json.loads(answer["body"])["detail"] == "try again later"
        assert stage.store.get([request["id"]]) == {}

        proxy.clear()
        assert post(api, **request)[0] == 201
        assert stage.record(request["id"]).status is Status.ACCEPTED


def test_a_store_out_of_reach_is_told_and_nothing_is_taken(stage: Stage) -> None:
    request = {"id": new_id(), "action": "echo"}
    with closed_port() as nobody, stage.function("api", endpoint=nobody) as api:
        answer = api.invoke(http(json.dumps(request).encode()))

    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "1")
    assert stage.store.get([request["id"]]) == {}


def test_what_is_delivered_is_run_and_its_end_recorded(stage: Stage, worker: Function) -> None:
    request = stage.add("echo", text="é")

    answer = deliver(worker, due(request))

    assert answer == NO_FAILURES
    ended = stage.record(request.id)
    assert (ended.status, ended.attempts) == (Status.FINISHED, 1)
    assert ended.finished_at is not None
    assert ended.finished_at >= ended.created_at
    assert json.loads(ended.result or b"")["text"] == "é"
    assert stage.sent(after=LONGEST_DELAY) == []


def test_of_a_batch_only_what_is_no_message_fails(stage: Stage, worker: Function) -> None:
    requests = [stage.add("echo") for _ in range(2)]
    junk = [delivered("what?"), delivered('{"id": 1}')]

    answer = deliver(worker, due(requests[0]), *junk, due(requests[1]))

    assert answer == failures(*junk)
    assert [stage.record(one.id).status for one in requests] == [Status.FINISHED] * 2


def test_a_batch_of_which_nothing_is_a_message_fails_whole_without_an_error(worker: Function) -> None:
    junk = [delivered("what?"), delivered(""), delivered("{}")]

    assert deliver(worker, *junk) == failures(*junk)


def test_what_was_never_accepted_is_dropped(stage: Stage, worker: Function) -> None:
    assert deliver(worker, Message(id=new_id(), action="echo")) == NO_FAILURES
    assert stage.sent(after=LONGEST_DELAY) == []


def test_without_store_and_queue_every_message_fails(stage: Stage) -> None:
    requests = [stage.add("echo") for _ in range(2)]
    batch = [delivered(due(one)) for one in requests]
    with closed_port() as nobody, stage.function("worker", endpoint=nobody) as worker:
        answer = deliver(worker, *batch)

    assert answer == failures(*batch)
    assert [stage.record(one.id) for one in requests] == requests


def test_without_the_store_what_was_not_begun_is_sent_anew_uncharged(stage: Stage, tmp_path: Path) -> None:
    book = tmp_path / "book"
    request = stage.add("notes", book=str(book))
    with FaultProxy(stage.aws.url) as proxy, stage.function("worker", endpoint=proxy.url) as worker:
        proxy.always("BatchGetItem", Broken())

        answer = deliver(worker, due(request, made=2))

        assert answer == NO_FAILURES
        [anew] = stage.sent(after=1)
        assert msgspec.structs.replace(anew, due_at=None) == due(request, made=2)
        assert (stage.record(request.id), book_of(book)) == (request, [])

        proxy.clear()
        assert deliver(worker, delivered(msgspec.structs.replace(anew, due_at=None))) == NO_FAILURES
        assert (stage.record(request.id).attempts, book_of(book)) == (3, ["run"])


def test_a_store_and_then_a_queue_that_refuse_leave_the_message_as_failed(stage: Stage) -> None:
    request = stage.add("echo")
    with FaultProxy(stage.aws.url) as proxy, stage.function("worker", endpoint=proxy.url) as worker:
        proxy.always("BatchGetItem", Broken())
        proxy.always("SendMessageBatch", Broken())
        batch = [delivered(due(request))]

        assert deliver(worker, *batch) == failures(*batch)

        proxy.clear()
        assert deliver(worker, delivered(due(request), receives=2)) == NO_FAILURES
    assert stage.record(request.id).status is Status.FINISHED


def test_a_function_that_is_told_to_trace_hands_traces_on_and_keeps_none(stage: Stage) -> None:
    request = stage.add("echo")
    with stage.function("worker", ACUSE_TRACING="true", OTEL_EXPORTER_OTLP_PROTOCOL="unheard-of") as worker:
        assert deliver(worker, due(request)) == NO_FAILURES
    assert stage.record(request.id).status is Status.FINISHED


def test_what_has_ended_is_not_run_again(stage: Stage, worker: Function, tmp_path: Path) -> None:
    book = tmp_path / "book"
    request = stage.add("notes", book=str(book))
    twice = delivered(due(request))
    assert deliver(worker, twice, twice) == NO_FAILURES
    ended = stage.record(request.id)

    assert deliver(worker, due(request), delivered(due(request), receives=2)) == NO_FAILURES

    assert book_of(book) == ["run"]
    assert ended.status is Status.FINISHED
    assert stage.record(request.id) == ended
    assert stage.sent(after=LONGEST_DELAY) == []


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [("raises", Status.FAILED, Reason.RAISED), ("postpones", Status.FINISHED, None)],
)
def test_another_attempt_is_a_message_that_waits(
    stage: Stage, worker: Function, how: str, status: Status, reason: Reason | None
) -> None:
    request = stage.add("misbehaves", how=how)

    assert deliver(worker, due(request)) == NO_FAILURES

    assert stage.record(request.id) == request
    assert stage.sent() == []
    [anew] = stage.sent(after=1)
    assert anew.due_at is not None
    assert msgspec.structs.replace(anew, due_at=None) == due(request, made=1)
    assert deliver(worker, anew) == NO_FAILURES
    ended = stage.record(request.id)
    assert (ended.status, ended.attempts, ended.error and ended.error.reason) == (status, 2, reason)
    assert stage.sent(after=LONGEST_DELAY) == []


@pytest.mark.parametrize(("made", "receives", "attempts"), [(0, 3, 3), (2, 1, 3), (1, 2, 3)])
def test_every_start_is_counted(stage: Stage, worker: Function, made: int, receives: int, attempts: int) -> None:
    request = stage.add("echo")

    deliver(worker, delivered(due(request, made=made), receives=receives))

    assert stage.record(request.id).attempts == attempts


def test_what_was_cut_off_in_every_attempt_is_not_run_again(stage: Stage, worker: Function, tmp_path: Path) -> None:
    request = stage.add("misbehaves", how="prints", book=str(tmp_path / "book"))

    assert deliver(worker, delivered(due(request), receives=3)) == NO_FAILURES

    ended = stage.record(request.id)
    assert (ended.status, ended.error and ended.error.reason) == (Status.FAILED, Reason.ABANDONED)
    assert book_of(tmp_path / "book") == []


def test_what_outlasts_the_function_is_stopped_and_the_rest_is_left_to_another_call(
    stage: Stage, tmp_path: Path
) -> None:
    books = [tmp_path / name for name in ("last", "rest", "more")]
    last = stage.add("once", book=str(books[0]), until=str(tmp_path / "never"))
    rest = stage.add("notes", book=str(books[1]))
    more = stage.add("notes", book=str(books[2]), until=str(tmp_path / "never"))
    with stage.function("worker", timeout=2 * RESERVE + 0.5) as worker:
        assert deliver(worker, due(last), due(rest)) == NO_FAILURES
        ended, anew = stage.record(last.id), stage.sent()

        assert (ended.status, ended.error and ended.error.reason) == (Status.FAILED, Reason.TIMED_OUT)
        assert anew == [due(rest)]

        assert deliver(worker, due(more)) == NO_FAILURES
        [again] = stage.sent(after=1)

        assert msgspec.structs.replace(again, due_at=None) == due(more, made=1)
        assert [book_of(book) for book in books] == [["run"], [], ["run"]]
        assert deliver(worker, *anew) == NO_FAILURES
    assert stage.record(rest.id).attempts == 1


def test_an_end_that_cannot_be_recorded_fails_its_message_before_the_function_is_cut_off(stage: Stage) -> None:
    request = stage.add("echo")
    message = delivered(due(request))
    with (
        FaultProxy(stage.aws.url) as proxy,
        stage.function("worker", endpoint=proxy.url, timeout=2 * RESERVE + 0.5) as worker,
    ):
        proxy.always("BatchExecuteStatement", Broken())

        assert deliver(worker, message) == failures(message)

        assert stage.record(request.id) == request
        proxy.clear()
        assert deliver(worker, message) == NO_FAILURES
    assert stage.record(request.id).status is Status.FINISHED


def test_a_function_with_too_little_time_for_any_run_says_so(stage: Stage) -> None:
    request = stage.add("echo")
    with (
        stage.function("worker", timeout=RESERVE) as worker,
        pytest.raises(FunctionError, match=r"at least 6\.3 seconds"),
    ):
        deliver(worker, due(request))

    assert stage.record(request.id) == request


def test_what_takes_the_function_down_is_an_error_and_the_next_call_goes_on(stage: Stage, tmp_path: Path) -> None:
    book = tmp_path / "book"
    bad, good = stage.add("takes-down", book=str(book)), stage.add("echo")
    with stage.function("worker") as worker:
        with pytest.raises(FunctionError, match="the process ended with -9"):
            deliver(worker, due(bad), due(good))
        assert book_of(book) == ["run"]
        assert [stage.record(one.id) for one in (bad, good)] == [bad, good]

        assert deliver(worker, delivered(due(good), receives=2)) == NO_FAILURES
    assert stage.record(good.id).attempts == 2


def test_a_split_is_planned_its_parts_run_and_their_results_merged(
    stage: Stage, worker: Function, tmp_path: Path
) -> None:
    book = tmp_path / "book"
    request = stage.add("sums", upto=3, book=str(book))

    assert deliver(worker, due(request)) == NO_FAILURES
    assert stage.record(request.id).progress == Progress(parts=3, left=3, failed=0)
    assert deliver(worker, due(request)) == NO_FAILURES  # once too often: it waits for its parts
    assert stage.record(request.id).progress == Progress(parts=3, left=3, failed=0)

    parts = [due(request, part=part, turn=1) for part in (2, 3, 1)]
    assert deliver(worker, *parts, *parts) == NO_FAILURES
    assert stage.record(request.id).progress == Progress(parts=3, left=0, failed=0)
    assert stage.record(request.id).status is Status.ACCEPTED

    assert deliver(worker, due(request, turn=1), due(request, turn=1)) == NO_FAILURES
    ended = stage.record(request.id)
    assert (ended.status, ended.result) == (Status.FINISHED, b'{"sum":6}')
    assert book_of(book) == ["part 2", "part 3", "part 1", "merge"]


def test_what_has_a_failed_part_is_not_merged(stage: Stage, worker: Function, tmp_path: Path) -> None:
    request = stage.planned("sums", 2, upto=2, bad=2, book=str(tmp_path / "book"))
    stage.end(Key(request.id, 1))

    assert deliver(worker, delivered(due(request, part=2, turn=1), receives=2)) == NO_FAILURES
    assert deliver(worker, due(request, turn=1)) == NO_FAILURES

    part, ended = stage.part(request.id, 2), stage.record(request.id)
    assert (part.status, part.attempts, part.error and part.error.reason) == (Status.FAILED, 2, Reason.RAISED)
    assert ended.error is not None
    assert ended.error.reason is Reason.PARTS_FAILED
    assert "part 2: raised" in ended.error.detail
    assert book_of(tmp_path / "book") == ["part 2"]


def test_an_action_that_is_not_known_here_is_sent_anew_for_another(stage: Stage, worker: Function) -> None:
    request = stage.add("elsewhere")

    assert deliver(worker, due(request, made=1)) == NO_FAILURES

    assert stage.sent(after=POSTPONE - 1) == []
    assert stage.sent(after=1) == [due(request, made=1)]
    assert stage.record(request.id) == request


@pytest.mark.parametrize(("seconds", "delay"), [(100, 100), (5000, LONGEST_DELAY)])
def test_what_comes_before_its_time_is_sent_anew(stage: Stage, worker: Function, seconds: int, delay: int) -> None:
    request = stage.add("echo")
    early = due(request, made=1, due_at=datetime.now(UTC) + timedelta(seconds=seconds))

    assert deliver(worker, early) == NO_FAILURES

    assert stage.sent(after=delay - 20) == []
    assert stage.sent(after=20) == [early]
    assert stage.record(request.id) == request


def test_what_has_no_permit_is_sent_anew_and_one_that_was_held_is_given_back(
    stage: Stage, worker: Function, tmp_path: Path
) -> None:
    book = tmp_path / "book"
    requests = [stage.add("alone", book=str(book)) for _ in range(2)]
    permits, now = Permits(stage.table, patience=timedelta(seconds=10)), datetime.now(UTC)
    assert permits.take("alone", 1, b"another", now, now + timedelta(hours=1))

    assert deliver(worker, due(requests[0])) == NO_FAILURES
    assert (stage.sent(after=POSTPONE), book_of(book)) == ([due(requests[0])], [])

    permits.give_back("alone", b"another")
    assert deliver(worker, *map(due, requests)) == NO_FAILURES
    assert book_of(book) == ["begin", "end"] * 2
    assert permits.take("alone", 1, b"another", now, now + timedelta(seconds=1))


def test_a_run_finds_the_modules_that_its_function_finds_though_the_environment_names_no_path(
    stage: Stage, tmp_path: Path
) -> None:
    lines = ["import os, sys", f"sys.path.append({str(BUNDLE)!r})", "del os.environ['PYTHONPATH']"]
    lines.append(f"from {HANDLERS}.worker import handler")
    (tmp_path / "as_on_aws.py").write_text("\n".join(lines))
    (tmp_path / "where.py").write_text(WHERE)
    request = stage.add("where")
    environment = {**stage.environment(), "ACUSE_ACTIONS": str(tmp_path / "where.py")}

    with Function(tmp_path, "as_on_aws.handler", environment) as worker:
        assert deliver(worker, due(request)) == NO_FAILURES

    ended = stage.record(request.id)
    assert json.loads(ended.result or b"null") == str(BUNDLE / "acuse" / "__init__.py"), ended.error


def test_a_request_ends_as_abandoned(stage: Stage, dead_letters: Function) -> None:
    request = stage.add("echo")

    assert deliver(dead_letters, delivered(due(request, made=1), receives=3)) == NO_FAILURES

    ended = stage.record(request.id)
    assert (ended.status, ended.error and ended.error.reason) == (Status.FAILED, Reason.ABANDONED)
    assert ended.attempts == 3
    assert ended.finished_at is not None
    assert ended.finished_at >= ended.created_at


def test_a_part_is_counted_so_that_the_merge_is_due(stage: Stage, dead_letters: Function) -> None:
    request = stage.planned("sums", 2, upto=2)
    stage.end(Key(request.id, 1))

    assert deliver(dead_letters, due(request, part=2, turn=1)) == NO_FAILURES

    part = stage.part(request.id, 2)
    assert (part.status, part.error and part.error.reason) == (Status.FAILED, Reason.ABANDONED)
    assert stage.record(request.id).progress == Progress(parts=2, left=0, failed=1)
    assert stage.record(request.id).status is Status.ACCEPTED


def test_a_merge_ends_as_abandoned_once_it_is_due(stage: Stage, dead_letters: Function) -> None:
    request = stage.planned("sums", 1, upto=1)
    assert deliver(dead_letters, due(request, turn=1)) == NO_FAILURES
    assert stage.record(request.id).status is Status.ACCEPTED
    stage.end(Key(request.id, 1))

    assert deliver(dead_letters, due(request, turn=1)) == NO_FAILURES

    ended = stage.record(request.id)
    assert (ended.status, ended.error and ended.error.reason) == (Status.FAILED, Reason.ABANDONED)


def test_what_has_ended_or_waits_for_its_parts_or_never_was_stays_as_it_is(
    stage: Stage, dead_letters: Function
) -> None:
    ended, waiting = stage.add("echo"), stage.planned("sums", 2, upto=2)
    stage.end(Key(ended.id), plan=0)
    stage.end(Key(waiting.id, 1))
    ids = [ended.id, waiting.id]
    before, part = stage.store.get(ids), stage.part(waiting.id, 1)
    never = Message(id=new_id(), action="echo")

    batch = [due(ended), due(waiting), due(waiting, part=1, turn=1), due(waiting, part=9, turn=1), never]
    assert deliver(dead_letters, *batch) == NO_FAILURES

    assert stage.store.get([*ids, never.id]) == before
    assert before[waiting.id].progress == Progress(parts=2, left=1, failed=0)
    assert stage.part(waiting.id, 1) == part


def test_what_is_no_message_is_dropped(stage: Stage, dead_letters: Function) -> None:
    request = stage.add("echo")

    assert deliver(dead_letters, "what?", due(request), "{}") == NO_FAILURES

    assert stage.record(request.id).status is Status.FAILED


def test_without_the_store_every_message_fails_and_is_ended_later(stage: Stage) -> None:
    requests = [stage.add("echo") for _ in range(2)]
    batch = [delivered(due(one)) for one in requests]
    with FaultProxy(stage.aws.url) as proxy, stage.function("dead_letters", endpoint=proxy.url) as dead_letters:
        proxy.always("BatchExecuteStatement", Broken())
        assert deliver(dead_letters, *batch) == failures(*batch)
        assert [stage.record(one.id) for one in requests] == requests

        proxy.clear()
        assert deliver(dead_letters, *batch) == NO_FAILURES
    assert [stage.record(one.id).status for one in requests] == [Status.FAILED] * 2


FIRST_CALL = """
import importlib, json, sys

class Context:
    def get_remaining_time_in_millis(self):
        return 30_000

handler = importlib.import_module(sys.argv[1]).handler
imported = list(sys.modules)
answer = handler(json.loads(sys.argv[2]), Context())
print(json.dumps([imported, list(sys.modules), answer]))
"""
JUNK = {"Records": [delivered("what?")]}


@pytest.mark.parametrize(
    ("module", "event", "unwanted"),
    [
        (
            "api",
            http(json.dumps({"id": new_id(), "action": "echo"}).encode()),
            "sqlite3 uvicorn typer httpx aws_lambda_powertools",
        ),
        ("relay", {"Records": []}, "sqlite3 mangum asyncio uvicorn typer httpx"),
        ("worker", JUNK, "sqlite3 mangum uvicorn typer httpx"),
        ("dead_letters", JUNK, "sqlite3 mangum uvicorn typer httpx"),
    ],
)
def test_no_function_imports_what_it_does_not_need(
    stage: Stage, module: str, event: dict[str, Any], unwanted: str
) -> None:
    command = [sys.executable, "-S", "-P", "-c", FIRST_CALL, f"{HANDLERS}.{module}", json.dumps(event)]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(BUNDLE), "PYTHONDONTWRITEBYTECODE": "1"}

    ran = subprocess.run(
        command, env={**environment, **stage.environment()}, capture_output=True, text=True, check=True
    )

    imported, called, _ = json.loads(ran.stdout)
    assert "acuse.domain.record" in imported
    for modules in (imported, called):
        assert set(unwanted.split()) & {name.partition(".")[0] for name in modules} == set()
