"""What goes wrong on the wire between the adapters and AWS: nothing is lost, nothing is told wrongly."""

from __future__ import annotations

import itertools
import random
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from infra.local_aws import CREDENTIALS

from acuse.adapters.aws import calls
from acuse.adapters.aws.gate import Gate
from acuse.adapters.aws.keyring import DynamoKeyring
from acuse.adapters.aws.message import Message, encode
from acuse.adapters.aws.outbox import Outbox, in_batches
from acuse.adapters.aws.permits import Permits
from acuse.adapters.aws.pushed import PushedQueue
from acuse.adapters.aws.queue import SqsQueue
from acuse.adapters.aws.relay import called_for
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.adapters.clock import SystemClock
from acuse.domain.api_key import new_key
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added, Conflict, Existing, Withheld
from acuse.domain.record import Failure, Key, Progress, Reason, Status
from tests.aws.faults import (
    Broken,
    BrokenAfter,
    Fault,
    FaultProxy,
    PartlyThrottled,
    ResetAfter,
    ResetBefore,
    SlowAfter,
    SlowBefore,
    Throttle,
)
from tests.aws.local import local_aws
from tests.contract.aws import Stream, create_table
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from acuse.domain.record import Record

READ_SECONDS = 0.25
IN_FLIGHT = 8
PASSING: list[Fault] = [
    Throttle(),
    Broken(),
    BrokenAfter(503),
    ResetBefore(),
    ResetAfter(),
    SlowBefore(2 * READ_SECONDS),
    SlowAfter(2 * READ_SECONDS),
]
WITHOUT_EFFECT = [Throttle(), Broken(), ResetBefore()]
NOW = timedelta(0)
FAILURE = Failure(Reason.RAISED, "no")


class Wire:
    """Clients that meet what the proxy is told to do, and some that do not."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.dynamodb = calls.client("dynamodb", in_flight=IN_FLIGHT)
        self.sqs = calls.client("sqs", in_flight=IN_FLIGHT)
        self.straight = local_aws().client("dynamodb")
        self.streams = local_aws().client("dynamodbstreams")


class Bench:
    """The adapters, with a wire that fails as it is told."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire.proxy
        self.clock = SystemClock()
        self.aws = local_aws()
        self.name = f"acuse-{uuid.uuid4()}"
        self.stream = Stream(wire.streams, create_table(wire.straight, self.name))
        self.dynamodb, self.sqs = wire.dynamodb, wire.sqs
        self.url = wire.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.store = self.store_with(patience=timedelta(seconds=10))

    def table_with(self, patience: timedelta) -> Table:
        return Table(self.dynamodb, self.name, patience=patience, in_flight=IN_FLIGHT)

    def store_with(self, patience: timedelta) -> DynamoStore:
        return DynamoStore(self.table_with(patience), self.clock)

    def outbox(self, patience: timedelta = timedelta(seconds=10)) -> Outbox:
        return Outbox(self.sqs, self.url, patience=patience)

    def queue(self, lease: timedelta = timedelta(seconds=30), patience: timedelta = timedelta(seconds=10)) -> SqsQueue:
        gate = Gate(Permits(self.table_with(NOW), patience=NOW), self.clock, bounds={"delay": None}, postpone=NOW)
        return SqsQueue(self.sqs, self.url, self.clock, gate, lease=lease, patience=patience)

    def delivery(self, key: Key, plan: int = 0) -> Delivery:
        return Message(id=key.id, part=key.part, action="delay", turn=plan).delivery("receipt", 1)

    def finished(self, key: Key, plan: int = 0, result: bytes = b"1") -> Ending:
        return Ending(delivery=self.delivery(key, plan), at=self.clock.now(), result=result)

    def failed(self, key: Key, plan: int = 0) -> Ending:
        return Ending(delivery=self.delivery(key, plan), at=self.clock.now(), error=FAILURE)

    def records(self, count: int) -> list[Record]:
        return [record(self.clock.now()) for _ in range(count)]

    def added(self, count: int = 1) -> list[Record]:
        made = self.records(count)
        assert self.store.add(made) == [Added(one) for one in made]
        return made

    def progress(self, id_: str) -> Progress | None:
        return self.store.get([id_])[id_].progress

    def values(self, id_: str, parts: int) -> list[bytes]:
        keys = [Key(id_, part) for part in range(1, parts + 1)]
        return [part.value for part in self.store.parts(keys).values()]

    def due(self) -> list[Message]:
        """What the changes since the last time call for."""
        return called_for(self.stream.read())


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with pytest.MonkeyPatch.context() as patched, FaultProxy(local_aws().url) as proxy:
        patched.setattr(calls, "READ_SECONDS", READ_SECONDS)
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": proxy.url}.items():
            patched.setenv(name, value)
        yield Wire(proxy)


@pytest.fixture
def bench(wire: Wire) -> Bench:
    wire.proxy.clear()
    wire.proxy.calls.clear()
    wire.proxy.met = 0
    return Bench(wire)


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_what_was_added_under_a_fault_comes_out_as_added(bench: Bench, fault: Fault) -> None:
    records = bench.records(60)
    bench.wire.plan("BatchExecuteStatement", fault, None, fault)

    assert bench.store.add(records) == [Added(one) for one in records]

    assert bench.wire.met == 2
    assert set(bench.store.get([one.id for one in records])) == {one.id for one in records}
    assert len(bench.due()) == 60


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_what_was_there_before_comes_out_as_existing_under_a_fault(bench: Bench, fault: Fault) -> None:
    [old] = bench.added()
    bench.wire.plan("BatchExecuteStatement", fault)
    bench.wire.plan("BatchGetItem", fault)

    [again] = bench.store.add([record(bench.clock.now(), id=old.id, note="other")])

    assert isinstance(again, Existing)
    assert again.record.fingerprint == old.fingerprint
    assert bench.wire.met == 2


def test_what_was_settled_before_the_answer_was_lost_still_comes_out_as_added(bench: Bench) -> None:
    [one] = bench.records(1)
    settled = threading.Event()

    def settle_as_soon_as_it_is_there() -> None:
        while not bench.store.get([one.id]):
            pass
        assert bench.store.settle([bench.finished(Key(one.id))]) == [True]
        settled.set()

    bench.wire.plan("BatchExecuteStatement", SlowAfter(READ_SECONDS * 2))
    with ThreadPoolExecutor(1) as pool:
        settling = pool.submit(settle_as_soon_as_it_is_there)
        additions = bench.store.add([one])
        settling.result()

    assert additions == [Added(one)]
    assert bench.store.get([one.id])[one.id].status is Status.FINISHED


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_what_was_added_together_under_a_fault_comes_out_as_added(bench: Bench, fault: Fault) -> None:
    records = bench.records(100)
    bench.wire.plan("TransactWriteItems", fault, fault)

    assert bench.store.add_together(records) == [Added(one) for one in records]

    assert bench.wire.met == 2
    assert "BatchGetItem" not in bench.wire.calls  # The token tells that it is the same transaction.
    assert len(bench.store.get([one.id for one in records])) == 100
    assert len(bench.due()) == 100


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_what_is_to_be_added_together_is_told_apart_under_a_fault(bench: Bench, fault: Fault) -> None:
    old, new = bench.added(), bench.records(2)
    bench.due()
    bench.wire.plan("TransactWriteItems", fault, None, fault)
    bench.wire.plan("BatchGetItem", fault)

    answers = bench.store.add_together([new[0], *old, new[1]])

    assert answers == [Added(new[0]), Existing(old[0]), Added(new[1])]
    assert bench.wire.met == 3
    assert sorted(message.id for message in bench.due()) == [one.id for one in new]


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_a_conflict_under_a_fault_stores_nothing(bench: Bench, fault: Fault) -> None:
    [old] = bench.added()
    bench.due()
    [new] = bench.records(1)
    bench.wire.plan("TransactWriteItems", fault)
    bench.wire.plan("BatchGetItem", fault)

    answers = bench.store.add_together([new, record(bench.clock.now(), id=old.id, note="other")])

    assert answers == [Withheld(), Conflict(old)]
    assert bench.store.get([new.id]) == {}
    assert bench.due() == []


def test_a_transaction_whose_token_is_forgotten_knows_itself_by_its_mark(bench: Bench) -> None:
    """DynamoDB remembers the token for ten minutes; then the transaction meets what it has itself written."""

    class Forgotten:
        def transact_write_items(self, *, ClientRequestToken: str, **asked: Any) -> Any:  # noqa: N803
            assert ClientRequestToken
            return bench.dynamodb.transact_write_items(**asked)

        def __getattr__(self, name: str) -> Any:
            return getattr(bench.dynamodb, name)

    [old], new = bench.added(), bench.records(3)
    table = Table(Forgotten(), bench.name, patience=timedelta(seconds=10), in_flight=1)
    bench.wire.plan("TransactWriteItems", None, ResetAfter())

    answers = DynamoStore(table, bench.clock).add_together([old, *new])

    assert answers == [Existing(old), *(Added(one) for one in new)]
    assert bench.wire.met == 1
    assert len(bench.due()) == 4


def test_a_transaction_that_was_cancelled_for_another_reason_is_unavailable_with_that_reason(bench: Bench) -> None:
    class Cancelling:
        def transact_write_items(self, **_: Any) -> Any:
            reasons = [{"Code": "None"}, {"Code": "ValidationError", "Message": "too large"}]
            error = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")

        def __getattr__(self, name: str) -> Any:
            return getattr(bench.dynamodb, name)

    table = Table(Cancelling(), bench.name, patience=timedelta(minutes=10), in_flight=1)

    with pytest.raises(StoreUnavailable, match="ValidationError: too large"):
        DynamoStore(table, bench.clock).add_together(bench.records(2))


@pytest.mark.parametrize("fault", WITHOUT_EFFECT, ids=repr)
def test_a_table_that_stays_away_takes_nothing_of_what_is_to_be_added_together(bench: Bench, fault: Fault) -> None:
    impatient = bench.store_with(patience=timedelta(seconds=0.2))
    records = bench.records(3)
    bench.wire.always("TransactWriteItems", fault)

    with pytest.raises(StoreUnavailable):
        impatient.add_together(records)

    assert bench.store.get([one.id for one in records]) == {}


def test_what_cannot_be_read_is_not_judged(bench: Bench) -> None:
    [old], [new] = bench.added(), bench.records(1)
    bench.wire.always("BatchGetItem", Broken())

    with pytest.raises(StoreUnavailable):
        bench.store_with(patience=timedelta(seconds=0.2)).add_together([old, new])

    bench.wire.clear()
    assert bench.store.get([new.id]) == {}


def test_a_transaction_that_dynamodb_would_never_take_is_unavailable_at_once(bench: Bench) -> None:
    patient = bench.store_with(patience=timedelta(minutes=10))
    [small], [large] = bench.records(1), [record(bench.clock.now(), note="x" * 450_000)]

    with pytest.raises(StoreUnavailable):
        patient.add_together([small, large])

    assert bench.wire.calls.count("TransactWriteItems") == 1
    assert bench.store.get([small.id]) == {}


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_a_key_under_a_fault_is_put_and_revoked_once(bench: Bench, fault: Fault) -> None:
    keyring = DynamoKeyring(bench.table_with(timedelta(seconds=10)))
    key, _ = new_key("erp", bytes(32), bench.clock.now())
    bench.wire.plan("UpdateItem", fault, None, fault)
    bench.wire.plan("BatchGetItem", fault)

    assert keyring.put(key)
    assert keyring.revoke("erp", key.created_at)
    assert not keyring.put(key)
    assert not keyring.revoke("erp", key.created_at)

    [kept] = keyring.keys()
    assert (kept.name, kept.hash, kept.revoked_at) == ("erp", key.hash, key.created_at)
    assert bench.wire.met == 3
    assert bench.due() == []


def test_keys_that_cannot_be_reached_are_unavailable(bench: Bench) -> None:
    keyring = DynamoKeyring(bench.table_with(timedelta(seconds=0.1)))
    key, _ = new_key("erp", bytes(32), bench.clock.now())
    bench.wire.always("UpdateItem", Throttle())
    bench.wire.always("BatchGetItem", Throttle())

    for call in (keyring.keys, lambda: keyring.put(key), lambda: keyring.revoke("erp", key.created_at)):
        with pytest.raises(StoreUnavailable):
            call()


def test_items_that_were_throttled_are_tried_again(bench: Bench) -> None:
    records = bench.records(25)
    bench.wire.plan("BatchExecuteStatement", PartlyThrottled(range(7)), PartlyThrottled({0, 17}), PartlyThrottled(()))

    assert bench.store.add(records) == [Added(one) for one in records]

    assert bench.wire.calls.count("BatchExecuteStatement") == 4
    assert len(bench.due()) == 25


def test_for_exactly_the_items_that_stay_throttled_there_is_an_error(bench: Bench) -> None:
    impatient = bench.store_with(patience=timedelta(seconds=0.3))
    records = bench.records(10)
    # The first call takes the first four; of what is asked again nothing is taken.
    bench.wire.plan("BatchExecuteStatement", PartlyThrottled(range(4)))
    bench.wire.always("BatchExecuteStatement", PartlyThrottled(()))

    additions = impatient.add(records)

    assert additions[:4] == [Added(one) for one in records[:4]]
    assert all(isinstance(one, StoreUnavailable) for one in additions[4:])
    bench.wire.clear()
    assert set(bench.store.get([one.id for one in records])) == {one.id for one in records[:4]}
    assert [type(one) for one in bench.store.add(records)] == [Existing] * 4 + [Added] * 6


@pytest.mark.parametrize("fault", [Throttle(), Broken(), ResetBefore()], ids=repr)
def test_a_table_that_stays_away_is_an_error_for_each_and_nothing_is_stored(bench: Bench, fault: Fault) -> None:
    impatient = bench.store_with(patience=timedelta(seconds=0.2))
    records = bench.records(30)
    bench.wire.always("BatchExecuteStatement", fault)

    additions = impatient.add(records)

    assert all(isinstance(one, StoreUnavailable) for one in additions)
    assert bench.store.get([one.id for one in records]) == {}


def test_what_no_other_try_would_help_is_not_tried_again(bench: Bench) -> None:
    nowhere = DynamoStore(Table(bench.dynamodb, "nowhere", patience=timedelta(minutes=10), in_flight=1), bench.clock)

    with pytest.raises(StoreUnavailable, match="ResourceNotFound"):
        nowhere.get(["x"])
    [addition] = nowhere.add(bench.records(1))

    assert isinstance(addition, StoreUnavailable)


def test_keys_that_were_left_unprocessed_are_read_again(bench: Bench) -> None:
    records = bench.added(120)
    bench.wire.plan("BatchGetItem", PartlyThrottled(range(3)), PartlyThrottled(()), PartlyThrottled({5}))

    assert len(bench.store.get([one.id for one in records])) == 120

    assert bench.wire.met == 3


def test_many_rounds_are_read_as_long_as_each_brings_some(bench: Bench) -> None:
    records = bench.added(90)
    bench.wire.plan("BatchGetItem", *[PartlyThrottled(range(3))] * 29)

    assert len(bench.store_with(patience=timedelta(seconds=0.3)).get([one.id for one in records])) == 90

    assert bench.wire.met == 29


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_an_ending_under_a_fault_is_recorded_once(bench: Bench, fault: Fault) -> None:
    records = bench.added(3)
    bench.wire.plan("BatchExecuteStatement", fault)

    recorded = bench.store.settle([bench.finished(Key(one.id)) for one in records])

    assert recorded == [True, True, True]
    assert bench.store.settle([bench.failed(Key(one.id)) for one in records]) == [False, False, False]
    assert {one.status for one in bench.store.get([one.id for one in records]).values()} == {Status.FINISHED}


def test_an_ending_that_cannot_be_recorded_is_an_error(bench: Bench) -> None:
    [one] = bench.added()
    bench.wire.always("BatchExecuteStatement", Throttle())

    with pytest.raises(StoreUnavailable):
        bench.store_with(patience=timedelta(seconds=0.1)).settle([bench.finished(Key(one.id))])

    assert bench.store.get([one.id])[one.id].status is Status.ACCEPTED


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_the_end_of_a_part_under_a_fault_is_counted_once(bench: Bench, fault: Fault) -> None:
    [one] = bench.added()
    bench.store.plan(bench.delivery(Key(one.id)), [b"1", b"2", b"3"])
    bench.wire.plan("TransactWriteItems", fault)

    recorded = bench.store.settle([bench.finished(Key(one.id, 1), 1), bench.failed(Key(one.id, 2), 1)])

    assert recorded == [True, True]
    assert bench.progress(one.id) == Progress(parts=3, left=1, failed=1)


@pytest.mark.parametrize("fault", PASSING, ids=repr)
@pytest.mark.parametrize("call", range(4))
def test_a_plan_under_a_fault_is_made_once(bench: Bench, fault: Fault, call: int) -> None:
    [one] = bench.added()
    bench.due()
    # The number is taken, the parts are written in two calls, the request is told.
    operation = "UpdateItem" if call in (0, 3) else "BatchExecuteStatement"
    bench.wire.plan(operation, *([None] * (call in (2, 3))), fault)

    assert bench.store.plan(bench.delivery(Key(one.id)), [b"%d" % number for number in range(30)])

    assert bench.wire.met == 1
    assert bench.progress(one.id) == Progress(parts=30, left=30, failed=0)
    assert bench.values(one.id, 31) == [b"%d" % number for number in range(30)]
    assert sorted(message.part for message in bench.due()) == list(range(1, 31))


@pytest.mark.parametrize("call", range(4))
def test_a_plan_that_stopped_on_the_way_is_replaced_by_the_next(bench: Bench, call: int) -> None:
    [one] = bench.added()
    impatient = bench.store_with(patience=NOW)
    operation = "UpdateItem" if call in (0, 3) else "BatchExecuteStatement"
    bench.wire.plan(operation, *([None] * (call in (2, 3))), Broken())
    with pytest.raises(StoreUnavailable):
        impatient.plan(bench.delivery(Key(one.id)), [b"%d" % number for number in range(30)])
    early = bench.due()

    assert bench.store.plan(bench.delivery(Key(one.id)), [b'"new"'] * 3)

    messages = bench.due()
    assert {message.part for message in messages} == {1, 2, 3}
    assert bench.values(one.id, 3) == [b'"new"'] * 3
    # What the first plan had queued is of no effect.
    old = [bench.finished(message.key, message.turn, b'"old"') for message in early if message.part]
    assert not any(bench.store.settle(old))
    assert bench.progress(one.id) == Progress(parts=3, left=3, failed=0)
    assert all(bench.store.settle([bench.finished(message.key, message.turn) for message in messages]))
    [merge] = bench.due()
    assert bench.store.settle([bench.finished(merge.key, merge.turn)]) == [True]


def test_parts_that_end_before_their_plan_is_complete_are_counted(bench: Bench) -> None:
    [one] = bench.added()
    bench.due()
    impatient = bench.store_with(patience=NOW)
    bench.wire.plan("UpdateItem", None, SlowBefore(3600))
    with ThreadPoolExecutor(1) as pool:
        planning = pool.submit(bench.store.plan, bench.delivery(Key(one.id)), [b"1", b"2"])
        parts: list[Message] = []
        while len(parts) < 2:
            parts += bench.due()

        assert all(impatient.settle([bench.finished(part.key, part.turn) for part in parts]))

        assert planning.result()
    assert bench.progress(one.id) == Progress(parts=2, left=0, failed=0)
    assert [message.key for message in bench.due()] == [Key(one.id)]


def test_of_many_that_plan_at_once_one_does_and_its_parts_are_all_its_own(bench: Bench) -> None:
    [one] = bench.added()
    plans = [[b'"%d"' % number] * (20 + 10 * number) for number in range(4)]
    barrier = threading.Barrier(4)

    def plan(parts: Sequence[bytes]) -> bool:
        barrier.wait()
        for tries in itertools.count():
            with suppress(StoreUnavailable):  # Another is at it, and may not come to an end: try again, as a slot does.
                return bench.store.plan(bench.delivery(Key(one.id)), parts)
            threading.Event().wait(0.2 * tries * random.random())
        raise AssertionError

    with ThreadPoolExecutor(4) as pool:
        planned = list(pool.map(plan, plans))

    assert planned.count(True) == 1
    winner = plans[planned.index(True)]
    assert bench.progress(one.id) == Progress(parts=len(winner), left=len(winner), failed=0)
    assert bench.values(one.id, len(winner)) == winner


def _with_failed_parts(bench: Bench) -> str:
    """A request that failed because three of its forty parts did."""
    [one] = bench.added()
    bench.store.plan(bench.delivery(Key(one.id)), [b"1"] * 40)
    keys = [Key(one.id, part) for part in range(1, 41)]
    bench.store.settle([bench.finished(key, 1) for key in keys[:37]] + [bench.failed(key, 1) for key in keys[37:]])
    bench.store.settle([bench.failed(Key(one.id), 1)])
    bench.due()
    return one.id


@pytest.mark.parametrize("operation", ["BatchGetItem", "Query", "BatchExecuteStatement"])
@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_opening_again_under_a_fault_queues_the_failed_parts_once(bench: Bench, fault: Fault, operation: str) -> None:
    id_ = _with_failed_parts(bench)
    bench.wire.plan(operation, fault)

    assert bench.store.reopen([id_]) == [True]

    messages = bench.due()
    assert sorted(message.part for message in messages) == [38, 39, 40]
    assert bench.progress(id_) == Progress(parts=40, left=3, failed=0)
    assert all(bench.store.settle([bench.finished(message.key, message.turn) for message in messages]))
    assert [message.key for message in bench.due()] == [Key(id_)]


@pytest.mark.parametrize(
    ("operation", "before"),
    [("UpdateItem", 0), ("Query", 0), ("UpdateItem", 1), ("BatchExecuteStatement", 0), ("UpdateItem", 2)],
)
@pytest.mark.parametrize("fault", [Broken(), ResetAfter()], ids=repr)
def test_what_stopped_while_it_was_opened_again_can_be_opened_again(
    bench: Bench, fault: Fault, operation: str, before: int
) -> None:
    id_ = _with_failed_parts(bench)
    bench.wire.plan(operation, *([None] * before), fault)
    with pytest.raises(StoreUnavailable):
        bench.store_with(patience=NOW).reopen([id_])
    early = bench.due()
    if bench.store.get([id_])[id_].status is Status.FAILED:
        assert bench.store.reopen([id_]) == [True]

    for message in [*early, *bench.due()]:
        bench.store.settle([bench.finished(message.key, message.turn)])

    assert bench.progress(id_) == Progress(parts=40, left=0, failed=0)
    assert {message.key for message in [*early, *bench.due()] if not message.part} == {Key(id_)}


@pytest.mark.parametrize("fault", [*PASSING, PartlyThrottled({0, 3})], ids=repr)
def test_messages_sent_under_a_fault_arrive(bench: Bench, fault: Fault) -> None:
    messages = [Message(id=f"id-{number}", action="delay") for number in range(25)]
    bench.wire.plan("SendMessageBatch", fault, None, fault)

    bench.outbox().send(messages, NOW)

    assert bench.wire.met == 2
    assert {one.key.id for one in bench.queue().receive(100, NOW)} == {one.id for one in messages}


@pytest.mark.parametrize("fault", [Throttle(), ResetBefore(), PartlyThrottled(())], ids=repr)
def test_messages_that_cannot_all_be_sent_are_an_error(bench: Bench, fault: Fault) -> None:
    bench.wire.always("SendMessageBatch", fault)

    with pytest.raises(StoreUnavailable):
        bench.outbox(timedelta(seconds=0.1)).send([Message(id="x", action="delay")] * 10, NOW)


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_a_queue_under_a_fault_gives_takes_back_and_deletes(bench: Bench, fault: Fault) -> None:
    bench.outbox().send([Message(id="x", action="delay")], NOW)
    queue = bench.queue(lease=timedelta(seconds=1))
    for operation in ("ReceiveMessage", "ChangeMessageVisibilityBatch", "SendMessageBatch", "DeleteMessageBatch"):
        bench.wire.plan(operation, fault)

    first = received(queue)
    queue.extend([first])
    queue.release([first], NOW, charged=True)
    again = received(queue)
    queue.ack([again])

    assert first.key == again.key
    assert again.attempt > first.attempt
    assert bench.wire.met == 4


def test_what_a_function_gives_back_twice_is_sent_once(bench: Bench) -> None:
    gate = Gate(Permits(bench.table_with(NOW), patience=NOW), bench.clock, bounds={"limited": 1}, postpone=NOW)
    pushed = PushedQueue(bench.outbox, gate, bench.clock)
    body = encode(Message(id="x", action="limited")).decode()
    delivery = pushed.accept(body, "receipt", 1, bench.clock.now() + timedelta(seconds=30))
    assert delivery is not None
    bench.wire.always("UpdateItem", Broken())

    pushed.release([delivery], NOW, charged=True)
    pushed.release([delivery], NOW, charged=True)
    pushed.ack([delivery])

    assert bench.wire.calls.count("SendMessageBatch") == 1
    assert bench.wire.met == 1


def test_a_connection_that_cannot_be_made_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        client = calls.client("dynamodb", in_flight=1)
        sent: list[object] = []
        client.meta.events.register("before-send", lambda request, **_: sent.append(request))
        table = Table(client, bench.name, patience=timedelta(seconds=0.5), in_flight=1)

        [addition] = DynamoStore(table, bench.clock).add(bench.records(1))

    assert isinstance(addition, StoreUnavailable)
    assert len(sent) > 1


@pytest.mark.parametrize(
    ("code", "is_sender", "arrives"),
    [("KMS.ThrottlingException", True, True), ("InternalError", False, True), ("InvalidMessageContents", True, False)],
)
def test_a_message_that_the_queue_does_not_take_is_sent_again_or_told(
    code: str, *, arrives: bool, is_sender: bool
) -> None:
    answers: list[dict[str, Any]] = [
        {"Failed": [{"Id": "0", "Code": code, "SenderFault": is_sender}]},
        {"Successful": [{"Id": "0"}]},
    ]

    def send(**_: object) -> dict[str, Any]:
        return answers.pop(0)

    refused = in_batches(send, "url", [{"MessageBody": "x"}], timedelta(seconds=10))

    assert refused == (set() if arrives else {0})
    assert len(answers) == (0 if arrives else 1)


def test_while_nothing_can_be_deleted_what_is_turned_back_does_not_multiply(bench: Bench) -> None:
    bench.outbox().send([Message(id="x", action="of-another")], NOW)
    queue = bench.queue(patience=NOW)
    bench.wire.always("DeleteMessageBatch", Broken())

    assert [queue.receive(10, NOW) for _ in range(4)] == [[], [], [], []]

    assert bench.wire.calls.count("SendMessageBatch") == 2


def test_what_was_received_before_the_queue_went_away_is_worked_on(bench: Bench) -> None:
    bench.outbox().send([Message(id=f"id-{number}", action="delay") for number in range(12)], NOW)
    bench.wire.plan("ReceiveMessage", None, Broken(), None)
    queue = bench.queue(patience=NOW)

    assert [len(queue.receive(100, NOW)) for _ in range(2)] == [10, 2]


def received(queue: SqsQueue) -> Delivery:
    """What comes first. A message whose answer was lost is hidden until its lease has run out."""
    while not (deliveries := queue.receive(1, NOW)):
        pass
    return deliveries[0]


def test_a_stream_that_repeats_itself_and_a_queue_that_does_not_keep_order_end_nothing_twice(bench: Bench) -> None:
    records = bench.added(20)
    changes: list[Any] = bench.stream.read()
    bench.outbox().send(called_for([*changes, *reversed(changes)]), NOW)
    queue = bench.queue()

    ended: list[str] = []
    while deliveries := queue.receive(7, NOW):
        endings = [Ending(delivery=one, at=bench.clock.now(), result=b"1") for one in reversed(deliveries)]
        recorded = bench.store.settle(endings)
        ended += [ending.delivery.key.id for ending, done in zip(endings, recorded, strict=True) if done]
        queue.ack(deliveries)

    assert sorted(ended) == sorted(one.id for one in records)
