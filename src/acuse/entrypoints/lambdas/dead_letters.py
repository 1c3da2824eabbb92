"""What was delivered too often without an end is ended here, as failed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from acuse.adapters.aws.message import decode
from acuse.application.execute import Drop, task_for
from acuse.application.failures import tell_end
from acuse.domain.delivery import Ending
from acuse.domain.record import Failure, Reason
from acuse.entrypoints.lambdas.messages import each_message
from acuse.entrypoints.lambdas.service import service

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

log = logging.getLogger(__name__)

FAILURE = Failure(Reason.ABANDONED, "it was delivered again and again, and no worker said what came of it")


def handler(event: Any, context: Any) -> Any:
    """Names the messages that failed, so that the queue delivers only those again."""
    return each_message(event, context, _end)


def _end(record: SQSRecord) -> None:
    try:
        message = decode(record.body)
    except msgspec.MsgspecError:
        log.exception("not a message of acuse", extra={"message_id": record.message_id})
        return
    made = service()
    # The count goes on over queues, and this receive was no attempt.
    receives = max(1, int(record.attributes.approximate_receive_count) - 1)
    delivery = message.delivery(record.receipt_handle, receives)
    records = made.store.get([message.id])
    parts = made.store.parts([message.key] if message.part else [])
    if isinstance(task_for(delivery, records, parts, made.catalogue), Drop):
        return
    [is_recorded] = made.store.settle([Ending(delivery=delivery, at=made.clock.now(), error=FAILURE)])
    if is_recorded:
        tell_end(records[message.id], delivery, FAILURE)
