"""DynamoDB and SQS for the contract suite. After every write the stream is relayed, as the relay function does it."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3

from acuse.adapters.aws.gate import Gate
from acuse.adapters.aws.outbox import Outbox
from acuse.adapters.aws.permits import Permits
from acuse.adapters.aws.queue import SqsQueue
from acuse.adapters.aws.relay import called_for
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.domain.record import Key
from tests.aws.local import local_aws
from tests.clock import StillClock
from tests.conftest import DYNAMODB_URL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from acuse.domain.delivery import Delivery, Ending
    from acuse.domain.outcome import Addition
    from acuse.domain.record import Part, Record
    from acuse.ports import Clock

PATIENCE = timedelta(seconds=10)
NOW = timedelta(0)


class Stream:
    """The records of a table's stream, from its beginning."""

    def __init__(self, streams: Any, arn: str) -> None:
        self._streams = streams
        self._marks = itertools.count(1)
        shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        self._iterators = [
            streams.get_shard_iterator(StreamArn=arn, ShardId=one["ShardId"], ShardIteratorType="TRIM_HORIZON")[
                "ShardIterator"
            ]
            for one in shards
        ]

    def read_up_to_now(self, table: Table) -> list[Any]:
        """The same, where records take a while to appear: a mark is written, and waited for."""
        mark = {"N": str(next(self._marks))}
        table.update(Key("mark", -1), "SET #mark = :mark", "attribute_not_exists(#status)", {"mark": mark})
        found: list[Any] = []
        while not any(one["dynamodb"].get("NewImage", {}).get("mark") == mark for one in found):
            found += self.read()
        return found

    def read(self) -> list[Any]:
        """What has come since the last time."""
        found: list[Any] = []
        for place in range(len(self._iterators)):
            while True:
                answer = self._streams.get_records(ShardIterator=self._iterators[place])
                found += answer["Records"]
                self._iterators[place] = answer["NextShardIterator"]
                if not answer["Records"]:
                    break
        return found


class Relayed:
    """The store; whatever it writes has reached the queue when the call returns."""

    def __init__(self, store: DynamoStore, read: Callable[[], list[Any]], outbox: Outbox) -> None:
        self._store = store
        self._read = read
        self._outbox = outbox
        self._relaying = threading.Lock()

    def add(self, records: Sequence[Record]) -> list[Addition]:
        additions = self._store.add(records)
        self._relay()
        return additions

    def settle(self, endings: Sequence[Ending]) -> list[bool]:
        recorded = self._store.settle(endings)
        self._relay()
        return recorded

    def plan(self, delivery: Delivery, parts: Sequence[bytes]) -> bool:
        planned = self._store.plan(delivery, parts)
        self._relay()
        return planned

    def get(self, ids: Sequence[str]) -> Mapping[str, Record]:
        return self._store.get(ids)

    def parts(self, keys: Sequence[Key]) -> Mapping[Key, Part]:
        return self._store.parts(keys)

    def reopen(self, ids: Sequence[str]) -> list[bool]:
        reopened = self._store.reopen(ids)
        self._relay()
        return reopened

    def _relay(self) -> None:
        with self._relaying:
            self._outbox.send(called_for(self._read()), NOW)


class Aws:
    """See Backend."""

    fences = False
    counts_when_received = False

    def __init__(self, lease: timedelta, bounds: Mapping[str, int | None]) -> None:
        local = local_aws(still=True)
        self._local = local
        self._lease = lease
        self.clock = StillClock()
        self.sqs = local.client("sqs", max_pool_connections=16)
        if url := os.environ.get(DYNAMODB_URL):
            self.dynamodb = boto3.client("dynamodb", endpoint_url=url)
            streams = boto3.client("dynamodbstreams", endpoint_url=url)
        else:
            self.dynamodb = local.client("dynamodb", max_pool_connections=16)
            streams = local.client("dynamodbstreams")
        name = f"acuse-{uuid.uuid4()}"
        self.table = Table(self.dynamodb, name, patience=PATIENCE, in_flight=8)
        created = create_table(self.dynamodb, name)
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        outbox = Outbox(self.sqs, self.url, patience=PATIENCE)
        stream = Stream(streams, created)
        read = partial(stream.read_up_to_now, self.table) if url else stream.read
        self.store = Relayed(DynamoStore(self.table, self.clock), read, outbox)
        self.permits = Permits(self.table, patience=PATIENCE)
        self.queue = SqsQueue(
            self.sqs,
            self.url,
            self.clock,
            Gate(self.permits, self.clock, bounds=bounds, postpone=NOW),
            lease=lease,
            patience=PATIENCE,
        )

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        self._local.pass_time(by.total_seconds())

    def lapse(self, deliveries: Sequence[Delivery]) -> None:
        assert deliveries
        self.pass_time(self._lease)

    def close(self) -> None:
        self.dynamodb.delete_table(TableName=self.table.name)
        self.sqs.delete_queue(QueueUrl=self.url)


@contextmanager
def aws(lease: timedelta, bounds: Mapping[str, int | None]) -> Iterator[Aws]:
    made = Aws(lease, bounds)
    yield made
    made.close()


class Live:
    """DynamoDB and SQS that go by the time, with a relay that runs after every write."""

    def __init__(self, clock: Clock, lease: timedelta, bounds: Mapping[str, int | None]) -> None:
        local = local_aws()
        name = f"acuse-{uuid.uuid4()}"
        dynamodb, sqs = local.client("dynamodb", max_pool_connections=16), local.client("sqs", max_pool_connections=16)
        table = Table(dynamodb, name, patience=PATIENCE, in_flight=8)
        stream = Stream(local.client("dynamodbstreams"), create_table(dynamodb, name))
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        self.store = Relayed(DynamoStore(table, clock), stream.read, Outbox(sqs, url, patience=PATIENCE))
        gate = Gate(Permits(table, patience=PATIENCE), clock, bounds=bounds, postpone=NOW)
        self.queue = SqsQueue(sqs, url, clock, gate, lease=lease, patience=PATIENCE)
        self.settings = {**local.environment, "ACUSE_STORE": f"dynamodb://{name}"}


@contextmanager
def live_aws(clock: Clock, lease: timedelta, bounds: Mapping[str, int | None]) -> Iterator[Live]:
    yield Live(clock, lease, bounds)


def create_table(dynamodb: Any, name: str) -> str:
    """The stream's name."""
    arn: str = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "_part", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "_part", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]["LatestStreamArn"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return arn
