"""Clients for AWS, and the one place that tries a call again."""

from __future__ import annotations

import time
from random import random
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.session import get_session

from acuse.domain.errors import Misconfigured, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

T = TypeVar("T")

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
FIRST_PAUSE = 0.025
LONGEST_PAUSE = 1.0
SERVER_ERROR = 500
PASSING = frozenset({
    "InternalServerError", "LimitExceededException", "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "ServiceUnavailable", "Throttling", "ThrottlingError", "ThrottlingException", "TransactionConflict",
    "TransactionConflictException", "TransactionInProgressException",
})  # fmt: skip
"""What DynamoDB and SQS answer when the same call may succeed a moment later."""


class Refused(Exception):
    """The condition of a write did not hold."""

    def __init__(self, error: ClientError) -> None:
        """Keep the answer: it may hold the item as it is."""
        super().__init__(str(error))
        self.error = error


def client(service: str, *, in_flight: int, waits: float = 0.0) -> Any:
    """A client that tries nothing again by itself. `waits`: seconds that an answer may be held back on purpose.

    Region, endpoint and credentials come from the environment, as for every AWS tool.
    """
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS + waits,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=in_flight,
        parameter_validation=False,
        tcp_keepalive=True,
    )
    try:
        return get_session().create_client(service, config=config)
    except (BotoCoreError, ValueError) as error:
        raise Misconfigured(f"no connection to AWS can be made: {error}") from error


def tries(patience: timedelta) -> Iterator[int]:
    """Numbers from 0 on, each after a longer pause (full jitter), until the time is used up; one at least."""
    deadline = time.monotonic() + patience.total_seconds()
    yield 0
    number = 0
    while True:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) * random()  # noqa: S311  (no secret)
        if time.monotonic() + pause >= deadline:
            return
        time.sleep(pause)
        number += 1
        yield number


def patiently(patience: timedelta, call: Callable[[], T]) -> T:
    """What the call returned. Tried again while it fails in passing; StoreUnavailable when that does not help.

    Raises Refused for a write whose condition did not hold.
    """
    last: Exception | None = None
    for _ in tries(patience):
        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            last = error
            if isinstance(error, ClientError) and code_of(error) == "ConditionalCheckFailedException":
                raise Refused(error) from error
            if not is_passing(error):
                break
    raise StoreUnavailable(str(last)) from last


def is_passing(error: BotoCoreError | ClientError) -> bool:
    """Whether the same call may succeed a moment later."""
    match error:
        case ClientError(response=response):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return status >= SERVER_ERROR or code_of(error) in PASSING
        case _:
            return isinstance(error, HTTPClientError)


def code_of(error: ClientError) -> str:
    """The name of the error on the wire."""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code.rpartition("#")[2]
