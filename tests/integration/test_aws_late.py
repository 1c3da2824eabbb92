"""Calls that were thought lost land late: every write arrives once more before every later call."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from acuse.adapters.aws.message import Message
from acuse.adapters.aws.permits import Permits
from acuse.adapters.aws.plans import CLAIM, REOPEN, UNPLANNED, VALUES
from acuse.adapters.aws.relay import called_for
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.adapters.clock import SystemClock
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added
from acuse.domain.record import Failure, Key, Progress, Reason, Status
from tests.aws.local import local_aws
from tests.contract.aws import Stream, create_table
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from acuse.domain.record import Record
    from acuse.ports import Store

PATIENCE = timedelta(seconds=10)
FAILURE = Failure(Reason.RAISED, "no")


class Haunted:
    """A client whose every write comes back before each later call."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._past: list[tuple[Callable[..., Any], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            for again, before in self._past:
                with suppress(ClientError):
                    again(**before)
            if not name.startswith(("batch_get", "query")):
                self._past.append((method, arguments))
            return method(**arguments)

        return call


class House:
    def __init__(self) -> None:
        aws = local_aws()
        self.clock = SystemClock()
        name = f"acuse-{uuid.uuid4()}"
        client = aws.client("dynamodb", max_pool_connections=32)
        self.stream = Stream(aws.client("dynamodbstreams"), create_table(client, name))
        # One call at a time, so that it is certain which come late.
        self.haunted = DynamoStore(Table(Haunted(client), name, patience=PATIENCE, in_flight=1), self.clock)
        self.table = Table(client, name, patience=PATIENCE, in_flight=8)
        self.store = DynamoStore(self.table, self.clock)
        self.ended: list[Key] = []

    def added(self) -> Record:
        one = record(self.clock.now())
        assert self.haunted.add([one]) == [Added(one)]
        return one

    def due(self) -> list[Message]:
        return called_for(self.stream.read())

    def end(self, messages: Iterable[Message], *, failed: Iterable[int] = (), store: Store | None = None) -> None:
        for message in messages:
            error = FAILURE if message.part in failed else None
            ending = Ending(
                delivery=message.delivery("receipt", 1),
                at=self.clock.now(),
                result=None if error else b"1",
                error=error,
            )
            if (store or self.haunted).settle([ending]) == [True]:
                self.ended.append(message.key)

    def progress(self, one: Record) -> Progress | None:
        return self.store.get([one.id])[one.id].progress

    def status(self, one: Record) -> Status:
        return self.store.get([one.id])[one.id].status


def delivery(key: Key) -> Delivery:
    return Message(id=key.id, action="delay").delivery("receipt", 1)


@pytest.fixture
def house() -> House:
    return House()


def test_a_split_request_is_planned_merged_and_ended_once(house: House) -> None:
    one = house.added()
    assert house.haunted.plan(delivery(Key(one.id)), [b"%d" % part for part in range(30)])
    messages = house.due()

    house.end(message for message in messages if message.part)
    house.end(house.due())

    assert house.progress(one) == Progress(parts=30, left=0, failed=0)
    assert house.status(one) is Status.FINISHED
    assert sorted(house.ended) == [Key(one.id, part) for part in range(31)]


def test_failed_parts_are_opened_again_and_merged_once(house: House) -> None:
    one = house.added()
    house.haunted.plan(delivery(Key(one.id)), [b"1"] * 5)
    house.end((message for message in house.due() if message.part), failed={2, 4})
    house.end(house.due(), failed={0})
    house.ended.clear()

    assert house.haunted.reopen([one.id]) == [True]

    house.end(house.due())
    house.end(house.due())
    assert house.progress(one) == Progress(parts=5, left=0, failed=0)
    assert house.status(one) is Status.FINISHED
    assert house.ended == [Key(one.id, 2), Key(one.id, 4), Key(one.id)]


def test_parts_that_end_before_their_request_is_open_again_are_counted(house: House) -> None:
    one = house.added()
    house.haunted.plan(delivery(Key(one.id)), [b"1"] * 5)
    house.end((message for message in house.due() if message.part), failed={2, 4})
    house.end(house.due(), failed={0})
    table = house.table

    class Quick(Table):
        """Before the last step of a reopening all the parts have ended."""

        def update(self, key: Key, change: str, *arguments: Any) -> Any:
            if change == REOPEN:
                house.end(house.due(), store=house.store)
            return super().update(key, change, *arguments)

    quick = Quick(Haunted(table._client), table.name, patience=PATIENCE, in_flight=1)
    assert DynamoStore(quick, house.clock).reopen([one.id]) == [True]

    assert house.progress(one) == Progress(parts=5, left=0, failed=0)
    assert [message.key for message in house.due()] == [Key(one.id)]


@pytest.mark.parametrize("parts", [None, 2])
def test_what_failed_again_after_it_was_reopened_stays_so(house: House, parts: int | None) -> None:
    one = house.added()
    if parts is not None:
        house.haunted.plan(delivery(Key(one.id)), [b"1"] * parts)
        house.end(message for message in house.due() if message.part)
    house.end(house.due(), failed={0})
    assert house.haunted.reopen([one.id]) == [True]
    house.end(house.due(), failed={0}, store=house.store)

    house.haunted.get([one.id])

    assert house.status(one) is Status.FAILED
    assert house.haunted.reopen([one.id]) == [True]
    house.end(house.due())
    assert house.status(one) is Status.FINISHED


def test_one_who_lost_the_plan_to_another_that_died_plans_it_after_all(house: House) -> None:
    one = house.added()
    house.due()
    table = house.table

    class Overtaken(Table):
        """While it writes the parts, another takes the next number, and is never heard of again."""

        def write(self, *arguments: Any, **options: Any) -> Any:
            values = VALUES | {"read": {"N": "1"}, "mine": {"N": "2"}, "turn": {"N": "0"}}
            table.update(Key(one.id), CLAIM, UNPLANNED, values)
            return super().write(*arguments, **options)

    overtaken = Overtaken(table._client, table.name, patience=PATIENCE, in_flight=8)
    with pytest.raises(StoreUnavailable):
        DynamoStore(overtaken, house.clock).plan(delivery(Key(one.id)), [b"1", b"2"])

    assert house.store.plan(delivery(Key(one.id)), [b"1", b"2"])

    assert [(message.part, message.turn) for message in house.due()][-2:] == [(1, 3), (2, 3)]


def test_many_take_and_give_back_permits_and_none_is_left_over(house: House) -> None:
    permits = Permits(house.table, patience=timedelta(seconds=60))
    until = house.clock.now() + timedelta(hours=1)
    tokens = [b"%d" % number for number in range(24)]

    def take(token: bytes) -> bool:
        return permits.take("limited", 16, token, house.clock.now(), until)

    with ThreadPoolExecutor(24) as pool:
        taken = list(pool.map(take, tokens))
        list(pool.map(lambda token: permits.give_back("limited", token), tokens))

    assert taken.count(True) == 16
    assert [take(token) for token in tokens].count(True) == 16


def test_a_permit_whose_taking_was_thought_lost_is_the_takers_own(house: House) -> None:
    permits = Permits(house.table, patience=PATIENCE)
    now = house.clock.now()
    until = now + timedelta(hours=1)
    assert permits.take("limited", 1, b"token", now, until)

    assert permits.take("limited", 1, b"token", now, until)

    assert not permits.take("limited", 1, b"another", now, until)
