"""How much is in the queue: SQS counts it, and knows no action."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from acuse.adapters.aws.calls import patiently
from acuse.domain.backlog import Load
from acuse.domain.errors import AcuseError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from acuse.ports import Clock

log = logging.getLogger(__name__)

WAITING = "ApproximateNumberOfMessages"
DELAYED = "ApproximateNumberOfMessagesDelayed"
RUNNING = "ApproximateNumberOfMessagesNotVisible"

PERIOD = timedelta(minutes=1)
"""CloudWatch knows the age no finer, and each question to it is paid for."""
PERIODS = 5
"""It may be so late."""
ONE_TRY = timedelta(0)


class Oldest:
    """Since when the oldest message has been in the queue, by CloudWatch. One that is held by a worker counts, too."""

    def __init__(self, client: Callable[[], Any], queue: str, clock: Clock) -> None:
        """Nothing is called yet."""
        self._client = client
        self._queue = queue
        self._clock = clock
        self._asked_at: datetime | None = None
        self._since: datetime | None = None

    def since(self) -> datetime | None:
        """As it was told a minute ago at most. None: not known; to ask may not be allowed, and is no condition."""
        now = self._clock.now()
        if self._asked_at is None or not timedelta(0) <= now - self._asked_at < PERIOD:
            self._asked_at = now
            try:
                self._since = self._told(now)
            except AcuseError as error:
                self._since = None
                log.info("how old the oldest message is cannot be seen", extra={"error": str(error)})
        return self._since

    def _told(self, now: datetime) -> datetime | None:
        call = partial(
            self._client().get_metric_statistics,
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": self._queue}],
            StartTime=now - PERIODS * PERIOD,
            EndTime=now,
            Period=int(PERIOD.total_seconds()),
            Statistics=["Maximum"],
        )
        points = patiently(ONE_TRY, call).get("Datapoints", [])
        if not points:
            return None
        last = max(points, key=lambda one: one["Timestamp"])
        # The largest age of a period is that at its end.
        since: datetime = last["Timestamp"] + PERIOD - timedelta(seconds=last["Maximum"])
        return min(since, now)


def load(sqs: Any, url: str, patience: timedelta, oldest: Callable[[], datetime | None]) -> Load:
    """As SQS counts it, some seconds late. `oldest` is asked only if something waits."""
    call = partial(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=[WAITING, DELAYED, RUNNING])
    told = patiently(patience, call).get("Attributes")
    if told is None:
        raise StoreUnavailable("SQS gave no answer that can be understood")
    waiting = int(told[WAITING])
    return Load(
        waiting=waiting,
        delayed=int(told[DELAYED]),
        running=int(told[RUNNING]),
        oldest=oldest() if waiting else None,
    )
