"""DynamoDB and SQS for the contract suite. After every write the stream is relayed, as the relay function does it."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3

from acuse.adapters.aws.counts import come_to_pass, tallies_of
from acuse.adapters.aws.gate import Gate
from acuse.adapters.aws.keyring import DynamoKeyring
from acuse.adapters.aws.load import Oldest, load
from acuse.adapters.aws.outbox import Outbox
from acuse.adapters.aws.overview import AwsOverview
from acuse.adapters.aws.permits import Permits
from acuse.adapters.aws.queue import SqsQueue
from acuse.adapters.aws.relay import called_for
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.adapters.aws.tallies import Tallies
from acuse.domain.record import Key
from tests.aws.local import LocalAws, local_aws
from tests.clock import StillClock
from tests.conftest import DYNAMODB_URL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from acuse.domain.delivery import Delivery, Ending
    from acuse.domain.outcome import Addition, Together
    from acuse.domain.purged import Purged
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

    def __init__(self, store: DynamoStore, read: Callable[[], list[Any]], outbox: Outbox, tallies: Tallies) -> None:
        self._store = store
        self._read = read
        self._outbox = outbox
        self._tallies = tallies
        self._relaying = threading.Lock()

    def add(self, records: Sequence[Record]) -> list[Addition]:
        additions = self._store.add(records)
        self._relay()
        return additions

    def add_together(self, records: Sequence[Record]) -> list[Together]:
        answers = self._store.add_together(records)
        self._relay()
        return answers

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

    def purge(self, before: datetime, limit: int, after: str | None, *, dry: bool) -> Purged:
        purged = self._store.purge(before, limit, after, dry=dry)
        self._relay()
        return purged

    def _relay(self) -> None:
        with self._relaying:
            changes = self._read()
            self._outbox.send(called_for(changes), NOW)
            self._tallies.add(tallies_of(come_to_pass(changes)))


class Live:
    """DynamoDB and SQS that go by the time of this local AWS, with a relay that runs after every write."""

    def __init__(self, local: LocalAws, clock: Clock, lease: timedelta, bounds: Mapping[str, int | None]) -> None:
        url = os.environ.get(DYNAMODB_URL)
        self.sqs = local.client("sqs", max_pool_connections=16)
        if url:
            self.dynamodb = boto3.client("dynamodb", endpoint_url=url)
            streams = boto3.client("dynamodbstreams", endpoint_url=url)
        else:
            self.dynamodb = local.client("dynamodb", max_pool_connections=16)
            streams = local.client("dynamodbstreams")
        name = f"acuse-{uuid.uuid4()}"
        self.settings = {**local.environment, "ACUSE_STORE": f"dynamodb://{name}"}
        self.table = Table(self.dynamodb, name, patience=PATIENCE, in_flight=8)
        stream = Stream(streams, create_table(self.dynamodb, name))
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        read = partial(stream.read_up_to_now, self.table) if url else stream.read
        outbox = Outbox(self.sqs, self.url, patience=PATIENCE)
        tallies = Tallies(self.dynamodb, name, lane=0)
        self.store = Relayed(DynamoStore(self.table, clock), read, outbox, tallies)
        oldest = Oldest(partial(local.client, "cloudwatch"), name, clock)
        self.overview = AwsOverview(self.table, clock, partial(load, self.sqs, self.url, PATIENCE, oldest.since))
        self.keyring = DynamoKeyring(self.table)
        self.permits = Permits(self.table, patience=PATIENCE)
        gate = Gate(self.permits, clock, bounds=bounds, postpone=NOW)
        self.queue = SqsQueue(self.sqs, self.url, clock, gate, lease=lease, patience=PATIENCE)

    def close(self) -> None:
        self.dynamodb.delete_table(TableName=self.table.name)
        self.sqs.delete_queue(QueueUrl=self.url)


class Aws(Live):
    """See Backend. Its queues stand still until they are told to go on."""

    fences = counts_when_received = orders = tells_actions = False

    def __init__(self, lease: timedelta, bounds: Mapping[str, int | None]) -> None:
        self._local = local_aws(still=True)
        self._lease = lease
        self.clock = StillClock()
        super().__init__(self._local, self.clock, lease, bounds)

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        self._local.pass_time(by.total_seconds())

    def lapse(self, deliveries: Sequence[Delivery]) -> None:
        assert deliveries
        self.pass_time(self._lease)

    def set_clock(self, by: timedelta) -> None:
        self.clock.advance(by)


def aws(lease: timedelta, bounds: Mapping[str, int | None]) -> AbstractContextManager[Aws]:
    return closing(Aws(lease, bounds))


def create_table(dynamodb: Any, name: str) -> str:
    """The stream's name."""
    arn: str = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "_part", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "_part", "AttributeType": "N"},
            {"AttributeName": "_failed", "AttributeType": "N"},
            {"AttributeName": "finished_at", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "failed",
                "KeySchema": [
                    {"AttributeName": "_failed", "KeyType": "HASH"},
                    {"AttributeName": "finished_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["action", "created_at"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]["LatestStreamArn"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return arn
