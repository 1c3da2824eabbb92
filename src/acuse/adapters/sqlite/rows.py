"""Rows ↔ records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from acuse.domain.record import Failure, Key, Part, Progress, Reason, Record, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD = (
    "id, action, body, fingerprint, created_at, traceparent, status, finished_at, attempts, result, reason, detail,"
    " parts, parts_left, parts_failed"
)
PART = "id, part, body, created_at, status, finished_at, attempts, result, reason, detail"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def record_from(row: Sequence[Any]) -> Record:
    """The record that the columns RECORD hold."""
    (id_, action, body, fingerprint, created, trace, status, finished, attempts, result, reason, detail, *plan) = row
    return Record(
        id=id_,
        action=action,
        body=body.encode(),
        fingerprint=fingerprint,
        created_at=moment(created),
        traceparent=trace,
        status=Status(status),
        finished_at=None if finished is None else moment(finished),
        attempts=attempts,
        result=None if result is None else result.encode(),
        error=None if reason is None else Failure(Reason(reason), detail),
        progress=None if plan[0] is None else Progress(parts=plan[0], left=plan[1], failed=plan[2]),
    )


def part_from(row: Sequence[Any]) -> Part:
    """The part that the columns PART hold."""
    id_, part, body, created, status, finished, attempts, result, reason, detail = row
    return Part(
        key=Key(id_, part),
        value=body.encode(),
        created_at=moment(created),
        status=Status(status),
        finished_at=None if finished is None else moment(finished),
        attempts=attempts,
        result=None if result is None else result.encode(),
        error=None if reason is None else Failure(Reason(reason), detail),
    )


@lru_cache(maxsize=64)  # What is committed together was created together.
def micros(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def moment(since_1970: int) -> datetime:
    """The time in UTC."""
    return _EPOCH + timedelta(microseconds=since_1970)
