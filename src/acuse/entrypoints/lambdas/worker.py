"""Runs what the queue sends, one message after another, in a process beside the function's own."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from functools import cache
from random import Random
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any

from acuse.application.heartbeat import Heartbeat
from acuse.application.slot import Slot
from acuse.domain.errors import Misconfigured, Unavailable
from acuse.entrypoints.lambdas.messages import each_message
from acuse.entrypoints.lambdas.service import service

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

RESERVE_SECONDS = 3.0
"""So long before the function is cut off, and one call's patience more, what still runs is stopped and recorded."""


def handler(event: Any, context: Any) -> Any:
    """Names the messages that failed, so that the queue delivers only those again."""
    reserve = RESERVE_SECONDS + service().settings.patience.total_seconds()
    whole = context.get_remaining_time_in_millis() / 1000 - reserve
    if whole < RESERVE_SECONDS:
        raise Misconfigured(f"the function's timeout must be at least {reserve + RESERVE_SECONDS:g} seconds")
    deadline = monotonic() + whole
    return each_message(event, context, lambda record: _work(record, deadline, whole))


def _work(record: SQSRecord, deadline: float, whole: float) -> None:
    """It was settled, planned or given back; anything raised means that it was not."""
    made = service()
    queue = made.aws.pushed
    left = timedelta(seconds=max(0.0, deadline - monotonic()))
    receives = int(record.attributes.approximate_receive_count)
    delivery = queue.accept(record.body, record.receipt_handle, receives, made.clock.now() + left)
    if delivery is None:
        return
    if left.total_seconds() < whole / 2:
        queue.release([delivery], timedelta(0), charged=False)  # Another call has more time for it.
        return
    slot = _slot()
    try:
        slot.take([delivery], deadline)
    except Unavailable:
        if queue.holds(delivery):
            raise


@cache
def _slot() -> Slot:
    made = service()
    return Slot(
        made.store,
        made.aws.pushed,
        made.clock,
        # Lambda finds modules where its own start-up says, which another process would not know.
        made.runner(PYTHONPATH=os.pathsep.join(filter(None, sys.path))),
        made.catalogue,
        Heartbeat(made.aws.pushed, made.settings.visibility, lambda: None),  # Never started: see PushedQueue.
        random=Random(),  # noqa: S311  (spreads retries; no secret)
        draining=Event(),
        killing=Event(),
        polled=lambda: None,
    )
