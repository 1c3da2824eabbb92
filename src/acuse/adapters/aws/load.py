"""How much is in the queue: SQS counts it, and knows no action."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from acuse.adapters.aws.calls import patiently
from acuse.domain.backlog import Load
from acuse.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from datetime import timedelta

WAITING = "ApproximateNumberOfMessages"
DELAYED = "ApproximateNumberOfMessagesDelayed"
RUNNING = "ApproximateNumberOfMessagesNotVisible"


def load(sqs: Any, url: str, patience: timedelta) -> Load:
    """As SQS counts it, some seconds late."""
    call = partial(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=[WAITING, DELAYED, RUNNING])
    told = patiently(patience, call).get("Attributes")
    if told is None:
        raise StoreUnavailable("SQS gave no answer that can be understood")
    return Load(waiting=int(told[WAITING]), delayed=int(told[DELAYED]), running=int(told[RUNNING]))
