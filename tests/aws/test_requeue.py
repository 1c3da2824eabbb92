"""`acuse requeue` where messages were lost; what it sends is then worked off by the worker function."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from acuse.adapters.aws.keyring import DynamoKeyring
from acuse.adapters.aws.outbox import Outbox
from acuse.adapters.aws.permits import Permits
from acuse.adapters.aws.requeue import requeue
from acuse.adapters.aws.store import DynamoStore
from acuse.domain.api_key import SECRET_BYTES, new_key
from acuse.domain.record import Failure, Key, Reason, Status
from tests.acceptance.service import acuse
from tests.aws.faults import Broken, Fault, FaultProxy, PartlyThrottled, ResetAfter, Throttle
from tests.aws.stage import NO_FAILURES, PATIENCE, Stage, book_of, deliver, delivery, due
from tests.clock import SetClock
from tests.requests import record

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from acuse.adapters.aws.message import Message
    from acuse.domain.record import Record
    from tests.aws.runtime import Function

HOUR = timedelta(hours=1)
FAILURE = Failure(Reason.RAISED, "no")


@pytest.fixture
def stage(shared: Stage) -> Stage:
    """There is nothing in its table."""
    dynamodb = shared.aws.client("dynamodb")
    for item in dynamodb.scan(TableName=shared.name)["Items"]:
        dynamodb.delete_item(TableName=shared.name, Key={name: item[name] for name in ("id", "_part")})
    shared.forget()
    return shared


def command(stage: Stage, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, **stage.environment(), "ACUSE_PATIENCE": "10", **environment}
    return acuse("requeue", *(arguments or ("--older-than", "30m")), env=given)


def lost(stage: Stage, action: str = "echo", *, parts: int = 0, age: timedelta = HOUR, **members: Any) -> Record:
    """A request of that age, and so many parts of it; the queue knows nothing of them."""
    clock = SetClock()
    clock.ahead = -age
    store = DynamoStore(stage.table, clock)
    new = record(clock.now(), action=action, **members)
    store.add([new])
    if parts:
        assert store.plan(delivery(Key(new.id)), [b"%d" % part for part in range(1, parts + 1)])
    return new


def parts_of(request: Record, *parts: int, plan: int = 1) -> list[Message]:
    return [due(request, part=part, turn=plan) for part in parts]


def sent_in_steps(stage: Stage, limit: int) -> list[Message]:
    """What is sent when each step looks at so many items."""
    outbox = Outbox(stage.sqs, stage.url, patience=PATIENCE)
    after, messages = None, 0
    while True:
        step = requeue(stage.table, outbox, SetClock().now(), limit, after)
        messages += step.messages
        assert step.messages <= limit
        if (after := step.next) is None:
            break
    sent = stage.sent()
    assert len(sent) == messages
    return sent


def test_a_request_whose_message_was_lost_is_run(stage: Stage, worker: Function) -> None:
    requests = [lost(stage) for _ in range(12)]

    done = command(stage)

    assert (done.returncode, done.stdout, done.stderr) == (0, "looked at 12 requests, sent 12 messages\n", "")
    messages = stage.sent()
    assert messages == [due(one) for one in requests]
    assert deliver(worker, *messages) == NO_FAILURES
    assert {stage.record(one.id).status for one in requests} == {Status.FINISHED}
    assert command(stage).stdout == "looked at 0 requests, sent 0 messages\n"


def test_parts_and_then_the_merge_whose_messages_were_lost_are_run(
    stage: Stage, worker: Function, tmp_path: Path
) -> None:
    book = tmp_path / "book"
    request = lost(stage, "sums", parts=4, upto=4, book=str(book))
    stage.end(Key(request.id, 2), result=b"2")

    done = command(stage)

    assert (done.returncode, done.stdout) == (0, "looked at 1 request, sent 3 messages\n")
    messages = stage.sent()
    assert messages == parts_of(request, 1, 3, 4)
    assert deliver(worker, *messages) == NO_FAILURES
    assert stage.sent() == []

    again = command(stage)

    assert (again.returncode, again.stdout) == (0, "looked at 1 request, sent 1 message\n")
    messages = stage.sent()
    assert messages == [due(request, turn=1)]
    assert deliver(worker, *messages) == NO_FAILURES
    assert stage.record(request.id).result == b'{"sum":10}'
    assert sorted(book_of(book)) == ["merge", "part 1", "part 3", "part 4"]


def test_what_was_opened_again_is_run_again(stage: Stage, worker: Function) -> None:
    single, parted = lost(stage), lost(stage, "sums", parts=3, upto=3)
    stage.end(Key(single.id), plan=0, error=FAILURE)
    stage.end(Key(parted.id, 1))
    stage.end(Key(parted.id, 2), Key(parted.id, 3), error=FAILURE)
    stage.end(Key(parted.id), error=FAILURE)
    assert stage.store.reopen([single.id, parted.id]) == [True, True]

    assert command(stage).stdout == "looked at 2 requests, sent 3 messages\n"

    messages = stage.sent()
    assert messages == [due(single, turn=1), *parts_of(parted, 2, 3, plan=2)]
    assert deliver(worker, *messages) == NO_FAILURES
    assert command(stage).stdout == "looked at 1 request, sent 1 message\n"
    assert deliver(worker, *stage.sent()) == NO_FAILURES
    assert [stage.record(one.id).status for one in (single, parted)] == [Status.FINISHED] * 2


def test_a_split_that_stopped_on_the_way_is_made_again(stage: Stage, worker: Function) -> None:
    request = lost(stage, "sums", upto=2)
    left = {"id": request.id, "action": "sums", "status": "accepted", "created_at": "2026-01-01T00:00:00.000000Z"}
    item = {name: {"S": value} for name, value in left.items()}
    stage.aws.client("dynamodb").put_item(
        TableName=stage.name, Item={**item, "_part": {"N": "3"}, "_plan": {"N": "1"}, "_value": {"S": "3"}}
    )

    assert command(stage).stdout == "looked at 1 request, sent 1 message\n"
    assert deliver(worker, *stage.sent()) == NO_FAILURES
    assert sent_in_steps(stage, 100) == parts_of(request, 1, 2)


def test_what_has_ended_and_what_is_no_request_is_passed_over(stage: Stage) -> None:
    now = SetClock().now()
    finished, failed, given_up = lost(stage), lost(stage), lost(stage, "sums", parts=2, upto=2)
    stage.end(Key(finished.id), plan=0)
    stage.end(Key(failed.id), plan=0, error=FAILURE)
    stage.end(Key(given_up.id), error=FAILURE)
    merged = lost(stage, "sums", parts=2, upto=2)
    stage.end(*(Key(merged.id, part) for part in (1, 2)))
    stage.end(Key(merged.id))
    Permits(stage.table, patience=PATIENCE).take("alone", 1, b"token", now, now + HOUR)
    DynamoKeyring(stage.table).put(new_key("client", b"s" * SECRET_BYTES, now - HOUR)[0])

    done = command(stage)

    assert (done.returncode, done.stdout) == (0, "looked at 0 requests, sent 0 messages\n")
    assert stage.sent() == []


def test_a_dry_run_counts_and_sends_nothing_and_needs_no_queue(stage: Stage) -> None:
    lost(stage)
    lost(stage, "sums", parts=3, upto=3)

    dry = command(stage, "--older-than", "30m", "--dry-run", ACUSE_QUEUE="")

    assert (dry.returncode, dry.stdout) == (0, "looked at 2 requests, would send 4 messages\n")
    assert stage.sent() == []


def test_what_is_younger_is_left_alone(stage: Stage) -> None:
    old, _ = lost(stage, age=2 * HOUR), lost(stage, age=HOUR / 2)
    split_lately = lost(stage, "sums", upto=2, age=2 * HOUR)
    clock = SetClock()
    clock.ahead = -HOUR / 2
    assert DynamoStore(stage.table, clock).plan(delivery(Key(split_lately.id)), [b"1", b"2"])

    assert command(stage, "--older-than", "1h").stdout == "looked at 2 requests, sent 1 message\n"

    assert stage.sent() == [due(old)]


def test_what_was_not_lost_ends_once(stage: Stage, worker: Function, tmp_path: Path) -> None:
    book = tmp_path / "book"
    request = lost(stage, "notes", book=str(book))

    assert [command(stage).returncode for _ in range(2)] == [0, 0]

    messages = stage.sent()
    assert messages == [due(request)] * 2
    assert deliver(worker, messages[0]) == NO_FAILURES
    ended = stage.record(request.id)
    assert deliver(worker, messages[1]) == NO_FAILURES
    assert stage.record(request.id) == ended
    assert book_of(book) == ["run"]


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_it_may_go_in_small_steps_or_large_ones(stage: Stage, limit: int) -> None:
    single = [lost(stage) for _ in range(4)]
    parted, merged = lost(stage, "sums", parts=5, upto=5), lost(stage, "sums", parts=1, upto=1)
    stage.end(Key(merged.id, 1))

    assert sent_in_steps(stage, limit) == [*map(due, single), *parts_of(parted, 1, 2, 3, 4, 5), due(merged, turn=1)]


@pytest.fixture
def proxy(stage: Stage) -> Iterator[FaultProxy]:
    with FaultProxy(stage.aws.url) as proxy:
        yield proxy


def test_it_comes_to_its_end_under_faults(stage: Stage, proxy: FaultProxy) -> None:
    request = lost(stage, "sums", parts=20, upto=20)
    proxy.plan("Scan", Throttle(), Broken(503), ResetAfter())
    proxy.plan("BatchGetItem", Throttle(), PartlyThrottled([]))
    proxy.plan("SendMessageBatch", PartlyThrottled([0, 3]), Broken(503))

    done = command(stage, AWS_ENDPOINT_URL=proxy.url)

    assert (done.returncode, done.stdout) == (0, "looked at 1 request, sent 20 messages\n")
    assert proxy.met == 7
    assert stage.sent() == parts_of(request, *range(1, 21))


@pytest.mark.parametrize(
    ("call", "fault"), [("Scan", Throttle()), ("BatchGetItem", Broken(503)), ("SendMessageBatch", PartlyThrottled([]))]
)
def test_what_cannot_be_reached_is_unavailable_and_sent_by_a_later_one(
    stage: Stage, proxy: FaultProxy, call: str, fault: Fault
) -> None:
    request = lost(stage, "sums", parts=2, upto=2)
    proxy.always(call, fault)

    done = command(stage, AWS_ENDPOINT_URL=proxy.url, ACUSE_PATIENCE="0.1")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith("(looked at 0 requests, sent 0 messages so far)\n")
    assert stage.sent() == []
    assert sent_in_steps(stage, 100) == parts_of(request, 1, 2)


def test_where_only_some_messages_could_be_sent_all_are_sent_by_the_next(stage: Stage, proxy: FaultProxy) -> None:
    requests = [lost(stage) for _ in range(12)]
    proxy.plan("SendMessageBatch", None)
    proxy.always("SendMessageBatch", PartlyThrottled([]))

    assert command(stage, AWS_ENDPOINT_URL=proxy.url, ACUSE_PATIENCE="0.1").returncode == 3

    some = stage.sent()
    assert 0 < len(some) < 12
    assert sent_in_steps(stage, 100) == [due(one) for one in requests]


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (("--older-than", "1h"), {"ACUSE_STORE": "sqlite", "ACUSE_QUEUE": ""}, "with SQLite the row is the queue"),
        (("--older-than", "1h"), {"ACUSE_QUEUE": ""}, "needs a queue for this: sqs://NAME"),
        (("--older-than", "1h"), {"ACUSE_QUEUE": "sqs://nowhere"}, "there is no queue nowhere"),
        (("--older-than", "1"), {}, "is no age"),
        (("--older-than", "0h"), {}, "is no age"),
    ],
)
def test_what_cannot_be_done_is_told(
    stage: Stage, arguments: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    done = command(stage, *arguments, **environment)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_table_that_is_not_there_is_unavailable(stage: Stage) -> None:
    done = command(stage, ACUSE_STORE="dynamodb://nowhere")

    assert done.returncode == 3
    assert "looked at 0 requests, sent 0 messages so far" in done.stderr
