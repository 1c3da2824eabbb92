"""What requests and parts cost on DynamoDB, added up from what it says that each call consumed."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from acuse.adapters.aws import calls
from acuse.adapters.aws.message import Message
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.adapters.aws.tallies import Tallies
from acuse.adapters.clock import SystemClock
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.record import Key, Progress, Status
from acuse.domain.tally import Tally, span_of
from tests.aws.local import local_aws
from tests.contract.aws import Stream, create_table
from tests.requests import record


class Meter:
    """Asks every write for what it consumed, and adds it up."""

    def __init__(self, client: Any) -> None:
        self.units = 0.0
        self.calls: list[str] = []
        client.meta.events.register("provide-client-params.dynamodb", self._ask)
        client.meta.events.register("after-call.dynamodb", self._add)

    def read(self) -> tuple[float, list[str]]:
        """Units and calls since the last time."""
        units, made = self.units, self.calls
        self.units, self.calls = 0.0, []
        return units, made

    def _ask(self, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**params, "ReturnConsumedCapacity": "TOTAL"}

    def _add(self, parsed: Any, model: Any, **_: Any) -> None:
        if model.name == "BatchGetItem":
            return
        consumed = parsed["ConsumedCapacity"]
        self.units += sum(one["CapacityUnits"] for one in (consumed if isinstance(consumed, list) else [consumed]))
        self.calls.append(model.name)


class Metered:
    def __init__(self) -> None:
        self.clock = SystemClock()
        aws = local_aws()
        self.name = f"acuse-{uuid.uuid4()}"
        self.stream = Stream(aws.client("dynamodbstreams"), create_table(aws.client("dynamodb"), self.name))
        client = calls.client("dynamodb", in_flight=8)
        self.store = DynamoStore(Table(client, self.name, patience=timedelta(seconds=30), in_flight=8), self.clock)
        self.meter = Meter(client)

    def end(self, id_: str, parts: range) -> list[bool]:
        deliveries = [_delivery(Key(id_, part), plan=1) for part in parts]
        return self.store.settle([Ending(delivery=one, at=self.clock.now(), result=b"1") for one in deliveries])


@pytest.fixture
def metered(monkeypatch: pytest.MonkeyPatch) -> Metered:
    for name, value in local_aws().environment.items():
        monkeypatch.setenv(name, value)
    return Metered()


def test_a_request_costs_two_writes(metered: Metered) -> None:
    records = [record(metered.clock.now(), seconds=2) for _ in range(100)]
    metered.store.add(records)
    added, adding = metered.meter.read()
    deliveries = [_delivery(Key(one.id), plan=0) for one in records]
    recorded = metered.store.settle(
        [Ending(delivery=one, at=metered.clock.now(), result=b'{"seconds":2}') for one in deliveries]
    )
    settled, settling = metered.meter.read()

    print(f"add: {added / 100} units a request in {len(adding)} calls; settle: {settled / 100} in {len(settling)}")
    assert recorded == [True] * 100
    assert (added, settled) == (100, 100)
    assert adding == settling == ["BatchExecuteStatement"] * 4


def test_the_item_of_a_small_request_is_one_write_unit(metered: Metered) -> None:
    [one] = records = [record(metered.clock.now(), seconds=2, note="x" * 300)]
    metered.store.add(records)
    metered.store.settle([Ending(delivery=_delivery(Key(one.id), plan=0), at=metered.clock.now(), result=b"x" * 100)])
    item = local_aws().client("dynamodb").get_item(
        TableName=metered.name, Key={"id": {"S": one.id}, "_part": {"N": "0"}}
    )["Item"]  # fmt: skip

    size = sum(len(name) + max(2, len(next(iter(value.values())))) for name, value in item.items())
    print(f"{size} bytes, of which {len(one.body)} are the body and 100 the result")
    assert size < 1024


def test_ten_thousand_parts_cost_as_much_each_as_ten(metered: Metered) -> None:
    cost: dict[int, float] = {}
    for parts in (10, 10_000):
        [one] = records = [record(metered.clock.now())]
        metered.store.add(records)
        assert metered.store.plan(_delivery(Key(one.id), plan=0), [b"1"] * parts)
        metered.meter.read()

        ended = [done for first in range(1, parts + 1, 10) for done in metered.end(one.id, range(first, first + 10))]

        units, made = metered.meter.read()
        cost[parts] = units / parts
        print(f"{parts} parts, ended by tens: {cost[parts]} units a part, {len(made)} calls")
        assert ended == [True] * parts
        assert metered.store.get([one.id])[one.id].progress == Progress(parts=parts, left=0, failed=0)
    assert cost[10] == cost[10_000]


def test_what_is_counted_of_a_batch_costs_one_write(metered: Metered) -> None:
    client = calls.client("dynamodb", in_flight=1)
    meter, tallies = Meter(client), Tallies(client, metered.name, lane=0)
    at = span_of(metered.clock.now())
    kinds = [
        Tally(at=at, action=f"action-{number}", status=status, bound=bound, count=100)
        for number in range(5)
        for status, bound in ((Status.ACCEPTED, 0), *((Status.FINISHED, bound) for bound in range(8)))
    ]

    for _ in range(10):
        tallies.add(kinds)

    units, made = meter.read()
    print(f"{len(kinds)} kinds: {units / len(made)} units a batch")
    assert (units, len(made)) == (10, 10)


def _delivery(key: Key, plan: int) -> Delivery:
    return Message(id=key.id, part=key.part, action="delay", turn=plan).delivery("receipt", 1)
