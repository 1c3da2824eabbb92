"""The relay under the real runtime client: which changes of the table call for which messages, whatever happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from acuse.adapters.aws.permits import Permits
from acuse.domain.record import Failure, Key, Reason, Status
from tests.aws.faults import Broken, FaultProxy, PartlyThrottled, ResetAfter
from tests.aws.runtime import Function, FunctionError
from tests.aws.stage import NO_FAILURES, Stage, book_of, deliver, due

if TYPE_CHECKING:
    from pathlib import Path

    from acuse.adapters.aws.message import Message

ABANDONED = Failure(Reason.ABANDONED, "it took too long")


def relayed(stage: Stage, relay: Function, changes: int) -> list[Message]:
    """The messages that so many changes, all that there were, called for."""
    records = stage.changes()
    assert len(records) == changes
    assert relay.invoke({"Records": records}) is None
    return stage.sent()


def test_a_new_request_calls_for_one_message_and_its_end_for_none(stage: Stage, relay: Function) -> None:
    finished, failed = stage.add("echo", text="a"), stage.add("delay", seconds=0)
    assert relayed(stage, relay, 2) == [due(finished), due(failed)]

    stage.end(Key(finished.id), plan=0)
    stage.end(Key(failed.id), plan=0, error=ABANDONED)
    assert relayed(stage, relay, 2) == []


def test_a_plan_calls_for_its_parts_and_the_end_of_the_last_for_the_merge(stage: Stage, relay: Function) -> None:
    request = stage.planned("sums", 3, upto=3)
    created_claimed_planned = 3
    assert relayed(stage, relay, created_claimed_planned + 3) == [
        due(request),
        *(due(request, part=part, turn=1) for part in (1, 2, 3)),
    ]

    stage.end(Key(request.id, 3))
    assert relayed(stage, relay, 2) == []

    stage.end(Key(request.id, 1), Key(request.id, 2))
    assert relayed(stage, relay, 3) == [due(request, turn=1)]

    stage.end(Key(request.id), result=b'{"sum":6}')
    assert relayed(stage, relay, 1) == []


def test_a_plan_without_parts_calls_for_the_merge(stage: Stage, relay: Function) -> None:
    request = stage.planned("sums", 0, upto=0)

    assert relayed(stage, relay, 3) == [due(request), due(request, turn=1)]


def test_a_reopened_request_calls_for_what_is_to_be_done_again(stage: Stage, relay: Function) -> None:
    single, parted, merged = stage.add("echo"), stage.planned("sums", 3, upto=3), stage.planned("sums", 1, upto=1)
    stage.end(Key(single.id), plan=0, error=ABANDONED)
    stage.end(Key(parted.id, 1))
    stage.end(Key(parted.id, 2), Key(parted.id, 3), error=ABANDONED)
    stage.end(Key(merged.id, 1))
    stage.end(Key(parted.id), Key(merged.id), error=ABANDONED)
    stage.forget()

    assert stage.store.reopen([single.id, parted.id, merged.id]) == [True] * 3

    renumbered_recounted_reopened = 3
    assert relayed(stage, relay, 1 + 2 * renumbered_recounted_reopened + 2) == [
        due(single, turn=1),
        due(parted, part=2, turn=2),
        due(parted, part=3, turn=2),
        due(merged, turn=2),
    ]


def test_what_stands_beside_the_requests_calls_for_nothing(stage: Stage, relay: Function) -> None:
    now = datetime.now(UTC)
    assert Permits(stage.table, patience=timedelta(seconds=10)).take(
        "alone", 1, b"token", now, now + timedelta(minutes=1)
    )

    records = stage.changes()

    assert [one["dynamodb"]["Keys"]["id"] for one in records] == [{"S": "concurrency of alone"}]
    assert relay.invoke({"Records": records}) is None
    assert stage.sent() == []


def test_what_was_removed_calls_for_nothing(stage: Stage, relay: Function) -> None:
    request = stage.add("echo")
    [change] = stage.changes()
    images = change["dynamodb"]
    removed = {**images, "OldImage": images["NewImage"]}
    del removed["NewImage"]

    assert relay.invoke({"Records": [{**change, "eventName": "REMOVE", "dynamodb": removed}, change]}) is None

    assert stage.sent() == [due(request)]


@pytest.mark.parametrize("seed", range(3))
def test_changes_that_come_twice_and_in_any_order_are_worked_off_once(
    stage: Stage, relay: Function, worker: Function, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    books = [tmp_path / f"book-{number}" for number in range(3)]
    single = [stage.add("notes", book=str(book)) for book in books[:2]]
    parted = stage.add("sums", upto=4, book=str(books[2]))

    while changes := stage.changes():
        for batch in (changes, random.sample(changes, len(changes))):
            relay.invoke({"Records": batch})
        messages = stage.sent()
        assert messages[::2] == messages[1::2]
        if messages:
            assert deliver(worker, *random.sample(messages, len(messages))) == NO_FAILURES

    assert [stage.record(one.id).status for one in (*single, parted)] == [Status.FINISHED] * 3
    assert stage.record(parted.id).result == b'{"sum":10}'
    assert [sorted(book_of(book)) for book in books] == [
        ["run"], ["run"], ["merge", "part 1", "part 2", "part 3", "part 4"],
    ]  # fmt: skip
    assert stage.sent(after=900) == []


def test_what_the_queue_did_not_take_at_first_is_sent_again_and_nothing_else(
    stage: Stage, proxy: FaultProxy, strained: Function
) -> None:
    requests = [stage.add("echo") for _ in range(12)]
    proxy.plan("SendMessageBatch", PartlyThrottled({0, 3, 9}), Broken(503), PartlyThrottled({1}), None, Broken())
    met = proxy.met

    assert strained.invoke({"Records": stage.changes()}) is None

    assert proxy.met == met + 4
    assert stage.sent() == [due(one) for one in requests]


def test_a_send_whose_answer_got_lost_is_made_again(stage: Stage, proxy: FaultProxy, strained: Function) -> None:
    request = stage.add("echo")
    proxy.plan("SendMessageBatch", ResetAfter())

    assert strained.invoke({"Records": stage.changes()}) is None

    assert stage.sent() == [due(request)] * 2


@pytest.mark.parametrize("fault", [Broken(503), PartlyThrottled({0})])
def test_while_the_queue_stays_away_the_batch_fails_and_is_sent_whole_afterwards(
    stage: Stage, proxy: FaultProxy, strained: Function, fault: Any
) -> None:
    requests = [stage.add("echo") for _ in range(12)]
    records = stage.changes()
    proxy.always("SendMessageBatch", fault)

    with pytest.raises(FunctionError) as raised:
        strained.invoke({"Records": records})

    assert raised.value.error_type == "StoreUnavailable"
    assert len(stage.sent()) < len(requests)
    proxy.clear()
    assert strained.invoke({"Records": records}) is None
    assert stage.sent() == [due(one) for one in requests]
