"""What a queue calls a function with: messages, each to be dealt with by itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

log = logging.getLogger(__name__)


def each_message(event: Any, context: Any, work: Callable[[SQSRecord], None]) -> Any:
    """The answer that names the messages for which `work` raised, so that the queue delivers only those again."""

    def logged(record: SQSRecord) -> None:
        try:
            work(record)
        except Exception:
            log.exception("the message comes again", extra={"message_id": record.message_id})
            raise

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, logged, processor, context)
