"""A table and two queues with nothing between them: the tests say what is delivered to which function, how often."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import uuid
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from infra.local_aws import REGION

from acuse.adapters.aws.message import Message, decode, encode
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.adapters.aws.tallies import PREFIX
from acuse.adapters.clock import SystemClock
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.record import Key, Record
from tests.aws.local import local_aws
from tests.aws.runtime import Function
from tests.aws.stack import HANDLERS
from tests.contract.aws import Stream, create_table
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acuse.domain.record import Part

TESTS = Path(__file__).parent.parent
BUNDLE = TESTS.parent / "build" / "bundle"
PATIENCE = timedelta(seconds=10)
POSTPONE = 7
LONGEST_DELAY = 900
NO_FAILURES: dict[str, Any] = {"batchItemFailures": []}
RESERVE = 3.0


class Stage:
    """A table with its stream, and a queue that goes by a clock of its own. What happens between them, a test does."""

    def __enter__(self) -> Self:
        assert (BUNDLE / "acuse").is_dir(), "run `make bundle` first"
        self.aws = local_aws(still=True)
        self.name = f"acuse-{uuid.uuid4().hex}"
        with ExitStack() as undo:
            dynamodb, self.sqs, streams = (
                undo.enter_context(closing(self.aws.client(service, max_pool_connections=16)))
                for service in ("dynamodb", "sqs", "dynamodbstreams")
            )
            self._stream = Stream(streams, create_table(dynamodb, self.name))
            undo.callback(dynamodb.delete_table, TableName=self.name)
            self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
            undo.callback(self.sqs.delete_queue, QueueUrl=self.url)
            self.table = Table(dynamodb, self.name, patience=PATIENCE, in_flight=8)
            self.store = DynamoStore(self.table, SystemClock())
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def environment(self, endpoint: str = "") -> dict[str, str]:
        return {
            **self.aws.environment,
            "AWS_ENDPOINT_URL": endpoint or self.aws.url,
            "ACUSE_STORE": f"dynamodb://{self.name}",
            "ACUSE_QUEUE": f"sqs://{self.name}",
            "ACUSE_ACTIONS": str(TESTS / "actions.py"),
            "ACUSE_ALLOW_ANYONE": "true",
            "ACUSE_PATIENCE": "0.3",
            "ACUSE_POSTPONE": str(POSTPONE),
        }

    def function(self, module: str, *, endpoint: str = "", timeout: float = 30, **environment: str) -> Function:
        return Function(
            BUNDLE, f"{HANDLERS}.{module}.handler", self.environment(endpoint) | environment, timeout=timeout
        )

    def forget(self) -> None:
        """What was sent and what was changed until now are of no interest any more."""
        self.sent(after=LONGEST_DELAY)
        self._stream.read()

    def sent(self, *, after: float = 0) -> list[Message]:
        """What can be received so many seconds later, and is in the queue no more."""
        if after:
            self.aws.pass_time(after)
        found: list[Message] = []
        while batch := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            found += [decode(one["Body"]) for one in batch]
            entries = [{"Id": str(place), "ReceiptHandle": one["ReceiptHandle"]} for place, one in enumerate(batch)]
            self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        return sorted(found, key=lambda one: (one.id, one.part))

    def changes(self) -> list[dict[str, Any]]:
        """What has come to the table's stream since the last time, as Lambda hands it on; not what was counted."""
        return [one for one in self.all_changes() if not one["dynamodb"]["Keys"]["id"]["S"].startswith(PREFIX)]

    def all_changes(self) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = json.loads(json.dumps(self._stream.read(), default=_plain))
        return read

    def add(self, action: str, **members: Any) -> Record:
        """A new request, in the table and not yet in the queue."""
        new = record(SystemClock().now(), action=action, **members)
        self.store.add([new])
        return new

    def planned(self, action: str, parts: int, **members: Any) -> Record:
        """A request that waits for its parts, the first plan of it."""
        new = self.add(action, **members)
        assert self.store.plan(delivery(Key(new.id)), [b"%d" % part for part in range(1, parts + 1)])
        return new

    def end(self, *keys: Key, plan: int = 1, **members: Any) -> None:
        """The parts, or requests, end: as finished, if nothing else is said."""
        at = SystemClock().now()
        how = members or {"result": b"1"}
        assert all(self.store.settle([Ending(delivery=delivery(key, plan), at=at, **how) for key in keys]))

    def record(self, id_: str) -> Record:
        return self.store.get([id_])[id_]

    def part(self, id_: str, part: int) -> Part:
        return self.store.parts([Key(id_, part)])[Key(id_, part)]


def delivery(key: Key, plan: int = 0) -> Delivery:
    return Delivery(key=key, attempt=1, token=b"%d receipt" % plan)


def due(record: Record, **members: Any) -> Message:
    return Message(id=record.id, action=record.action, **members)


def delivered(message: Message | str, receives: int = 1) -> dict[str, Any]:
    """One record of what the queue hands to a function."""
    body = message if isinstance(message, str) else encode(message).decode()
    return {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": str(uuid.uuid4()),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "SentTimestamp": "1767225600000",
            "SenderId": "000000000000",
            "ApproximateFirstReceiveTimestamp": "1767225600000",
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:acuse",
        "awsRegion": REGION,
    }


def deliver(function: Function, *batch: Message | str | dict[str, Any]) -> Any:
    """What the function says of the batch."""
    return function.invoke({"Records": [one if isinstance(one, dict) else delivered(one) for one in batch]})


def failures(*batch: dict[str, Any]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in batch]}


def http(
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/v1/requests",
    is_base64: bool = False,
    **headers: str,
) -> dict[str, Any]:
    """An event of an HTTP API, payload format 2.0. A header `content_type` is the field content-type."""
    fields = {"content_type": "application/json", "content_length": str(len(body)), **headers}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example", **{name.replace("_", "-"): value for name, value in fields.items()}},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": "api.example",
            "domainPrefix": "api",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "tests",
            },
            "requestId": "request",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "isBase64Encoded": is_base64,
    }  # fmt: skip
    return event | ({"body": base64.b64encode(body).decode() if is_base64 else body.decode()} if body else {})


def post(function: Function, **members: Any) -> tuple[int, dict[str, Any]]:
    """The status of the answer, and its body as JSON."""
    answer = function.invoke(http(json.dumps(members).encode()))
    return answer["statusCode"], json.loads(answer["body"])


@contextmanager
def closed_port() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def book_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _plain(value: object) -> object:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.timestamp()
        case _:
            raise TypeError(type(value))
