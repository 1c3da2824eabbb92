"""Clients for AWS, and the one place that tries a call again."""

from __future__ import annotations

import time
from random import random
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004
from botocore.session import get_session

from acuse.domain.errors import Misconfigured, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

T = TypeVar("T")

CONNECT_SECONDS = 1.0
READ_SECONDS = 2.0
"""A call that hangs must leave time for another try."""
FIRST_PAUSE = 0.025
LONGEST_PAUSE = 1.0
SERVER_ERROR = 500
PASSING = frozenset({
    "BandwidthLimitExceeded", "InternalServerError", "KMS.ThrottlingException", "KmsThrottled",
    "LimitExceededException", "OverLimit", "PriorRequestNotComplete", "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable", "SlowDown", "ThrottledException", "Throttling",
    "ThrottlingError", "ThrottlingException", "TooManyRequestsException", "TransactionConflict",
    "TransactionConflictException", "TransactionInProgressException",
})  # fmt: skip
"""What DynamoDB and SQS answer when the same call may succeed a moment later: botocore's list and their own."""


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


class Tries:
    """To iterate over: each try after a longer pause (full jitter), until the time is used up; one at least."""

    def __init__(self, patience: timedelta) -> None:
        """The time begins now."""
        self._patience = patience.total_seconds()
        self.renew()

    def renew(self) -> None:
        """The time begins anew, for something was achieved."""
        self._deadline = time.monotonic() + self._patience
        self._longest_pause = FIRST_PAUSE

    def __iter__(self) -> Iterator[None]:
        """One for each try."""
        while True:
            yield
            pause = self._longest_pause * random()  # noqa: S311  (no secret)
            if time.monotonic() + pause >= self._deadline:
                return
            time.sleep(pause)
            self._longest_pause = min(LONGEST_PAUSE, 2 * self._longest_pause)


TROUBLE = (BotoCoreError, ClientError, OSError, ValueError, AttributeError)
"""What a call may raise; the last three are for credentials or an answer that cannot be read."""


def patiently(patience: timedelta, call: Callable[[], T]) -> T:
    """What the call returned. Tried again while it fails in passing; StoreUnavailable when that does not help.

    Raises Refused for a write whose condition did not hold.
    """
    last: Exception | None = None
    for _ in Tries(patience):
        try:
            return call()
        except TROUBLE as error:
            last = error
            if isinstance(error, ClientError) and code_of(error) == "ConditionalCheckFailedException":
                raise Refused(error) from error
            if not is_passing(error):
                break
    raise StoreUnavailable(str(last)) from last


def is_passing(error: Exception) -> bool:
    """Whether the same call may succeed a moment later."""
    match error:
        case ClientError(response=response):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return status >= SERVER_ERROR or code_of(error) in PASSING
        case BotoCoreError():
            return isinstance(error, HTTPClientError | ConnectionError)
        case _:
            return True


def code_of(error: ClientError) -> str:
    """The name of the error on the wire."""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code.rpartition("#")[2]
