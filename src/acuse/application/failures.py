"""What failed, in the log: a line for a request, a lesser one for a part and for an attempt that is made again.

What ended in time has no line: it is in the record and in the metrics. The detail of a failure may hold what a client
sent, and is kept with the record, so it is told at DEBUG only. No body and no result is told at any level.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from acuse.domain.event import outcome_of
from acuse.domain.subject import subject

if TYPE_CHECKING:
    from datetime import timedelta

    from acuse.domain.delivery import Delivery
    from acuse.domain.outcome import Again
    from acuse.domain.record import Failure, Record

log = logging.getLogger(__name__)


def tell_end(record: Record, delivery: Delivery, failure: Failure) -> None:
    """The log has that the request, or the part, failed for good."""
    told = _told(record, delivery, failure)
    if delivery.key.part:
        log.info("part failed", extra=told)
    else:
        log.warning("request failed", extra=told)


def tell_again(record: Record, delivery: Delivery, outcome: Again, delay: timedelta) -> None:
    """The log has that another attempt follows."""
    told = _told(record, delivery, outcome.failure)
    log.info("attempt failed", extra={**told, "reason": outcome_of(outcome), "delay": delay.total_seconds()})


def _told(record: Record, delivery: Delivery, failure: Failure) -> dict[str, object]:
    told = subject(delivery.key.id, delivery.key.part, record.traceparent)
    told |= {"action": record.action, "attempt": delivery.attempt, "reason": failure.reason.value}
    if log.isEnabledFor(logging.DEBUG):
        told["detail"] = failure.detail
    return told
