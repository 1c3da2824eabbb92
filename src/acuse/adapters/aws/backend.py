"""The adapters of AWS over one table and one queue, each made when it is first asked for."""

from __future__ import annotations

import secrets
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from acuse.adapters.aws.calls import client, code_of, patiently
from acuse.adapters.aws.examination import Examination
from acuse.adapters.aws.gate import Gate
from acuse.adapters.aws.keyring import DynamoKeyring
from acuse.adapters.aws.load import Oldest, load
from acuse.adapters.aws.outbox import Outbox
from acuse.adapters.aws.overview import AwsOverview
from acuse.adapters.aws.permits import Permits
from acuse.adapters.aws.pushed import PushedQueue
from acuse.adapters.aws.queue import LONGEST_POLL, SqsQueue
from acuse.adapters.aws.requeue import Requeued, requeue
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.adapters.aws.tallies import LANES, Tallies
from acuse.domain.errors import Misconfigured, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime, timedelta

    from acuse.domain.finding import Finding
    from acuse.domain.record import Key
    from acuse.ports import Clock

SCHEME = "sqs://"
MISSING = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


class AwsBackend:
    """See Store, Queue, Keyring and Overview. Region, endpoint and credentials are those of the environment."""

    def __init__(
        self,
        clock: Clock,
        *,
        table: str,
        queue: str,
        lease: timedelta,
        patience: timedelta,
        in_flight: int,
        bounds: Callable[[], Mapping[str, int | None]],
        postpone: timedelta,
    ) -> None:
        """`bounds` is asked for when the queue is."""
        self._clock = clock
        self._table_name = table
        self._queue_name = queue.removeprefix(SCHEME)
        self._lease = lease
        self._patience = patience
        self._in_flight = in_flight
        self._bounds = bounds
        self._postpone = postpone

    @cached_property
    def store(self) -> DynamoStore:
        """The table."""
        return DynamoStore(self._table, self._clock)

    @cached_property
    def keyring(self) -> DynamoKeyring:
        """The keys in the table."""
        return DynamoKeyring(self._table)

    @cached_property
    def overview(self) -> AwsOverview:
        """The table and the queue, to look at. Without a queue there is no backlog to see."""
        oldest = Oldest(partial(client, "cloudwatch", in_flight=1), self._queue_name, self._clock)
        return AwsOverview(self._table, self._clock, lambda: load(self._sqs, self._url, self._patience, oldest.since))

    @cached_property
    def queue(self) -> SqsQueue:
        """The queue, as a worker that asks for work sees it."""
        return SqsQueue(self._sqs, self._url, self._clock, self._gate, lease=self._lease, patience=self._patience)

    @cached_property
    def outbox(self) -> Outbox:
        """The queue, to send to."""
        return Outbox(self._sqs, self._url, patience=self._patience)

    @cached_property
    def pushed(self) -> PushedQueue:
        """The queue, as a function that is called with its messages sees it."""
        return PushedQueue(lambda: self.outbox, self._gate, self._clock)

    @cached_property
    def tallies(self) -> Tallies:
        """What the overview tells of, to be added to."""
        return Tallies(self._dynamodb, self._table_name, lane=secrets.randbelow(LANES))

    def examine(self) -> Iterator[Finding]:
        """What is found of the table and the queue, and of who is let in there; nothing is changed."""
        return Examination(
            partial(client, in_flight=self._in_flight),
            self._clock,
            table=self._table_name,
            queue=self._queue_name,
            visibility=self._lease,
            patience=self._patience,
        ).findings()

    def requeue(self, before: datetime, limit: int, after: Key | None, *, dry: bool) -> Requeued:
        """Of the next items, what was created before that moment and is due has a message; dry: it only counts."""
        return requeue(self._table, None if dry else self.outbox, before, limit, after)

    @cached_property
    def _table(self) -> Table:
        return Table(self._dynamodb, self._table_name, patience=self._patience, in_flight=self._in_flight)

    @cached_property
    def _dynamodb(self) -> Any:
        return client("dynamodb", in_flight=self._in_flight)

    @cached_property
    def _gate(self) -> Gate:
        return Gate(
            Permits(self._table, patience=self._patience), self._clock, bounds=self._bounds(), postpone=self._postpone
        )

    @cached_property
    def _sqs(self) -> Any:
        return client("sqs", in_flight=self._in_flight, waits=LONGEST_POLL)

    @cached_property
    def _url(self) -> str:
        if not self._queue_name:
            raise Misconfigured("a DynamoDB store needs a queue for this: sqs://NAME")
        call = partial(self._sqs.get_queue_url, QueueName=self._queue_name)
        try:
            url: str = patiently(self._patience, call)["QueueUrl"]
        except StoreUnavailable as error:
            missing = isinstance(error.__cause__, ClientError) and code_of(error.__cause__) in MISSING
            raise Misconfigured(f"there is no queue {self._queue_name}") if missing else error from error.__cause__
        return url
