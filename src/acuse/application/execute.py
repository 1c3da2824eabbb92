"""One delivery: what has to be run, and what its outcome means. Pure decisions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

import msgspec

from acuse.domain.delivery import Delivery, Ending
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.policy import Policy
from acuse.domain.record import Failure, Reason, Record, Status
from acuse.domain.task import Step, Task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from acuse.application.actions import Catalogue
    from acuse.domain.record import Key, Part


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Store these parts; the request waits for them."""

    delivery: Delivery
    parts: tuple[bytes, ...]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Give it back; another attempt is due after the delay."""

    delivery: Delivery
    delay: timedelta


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is to be done: it had ended before, or waits for its parts."""

    delivery: Delivery


Decision = Ending | Plan | Release | Drop


def task_for(
    delivery: Delivery, records: Mapping[str, Record], parts: Mapping[Key, Part], catalogue: Catalogue
) -> Task | Drop:
    """The run that this delivery asks for now."""
    key = delivery.key
    record = records.get(key.id)
    part = parts.get(key) if key.part else None
    subject = part if key.part else record
    if record is None or subject is None or subject.status is not Status.ACCEPTED:
        return Drop(delivery=delivery)
    if part is None and record.progress is not None and record.progress.left:
        return Drop(delivery=delivery)  # Delivered once too often: the last part will queue the merge.
    found = catalogue.get(record.action)
    if part is not None:
        step = Step.PROCESS
    elif record.progress is not None:
        step = Step.MERGE
    else:
        step = Step.SPLIT if found is not None and found.is_split else Step.RUN
    return Task(
        id=key.id,
        part=key.part,
        attempt=delivery.attempt,
        step=step,
        action=record.action,
        body=record.body,
        time_limit=policy_of(record.action, catalogue).time_limit,
        value=None if part is None else part.value,
        parts=0 if record.progress is None else record.progress.parts,
        traceparent=record.traceparent,
    )


def policy_of(action: str, catalogue: Catalogue) -> Policy:
    """What that action may take; the default for one that this worker does not know."""
    found = catalogue.get(action)
    return Policy() if found is None else found.policy


def forgone(delivery: Delivery, task: Task, record: Record, policy: Policy) -> Failed | None:
    """The outcome of a delivery that must not be run: its attempts are used up, or a part of it failed."""
    if delivery.attempt > policy.attempts:
        detail = f"every one of {policy.attempts} attempts was cut off: its worker stopped without a word"
        return Failed(Failure(Reason.ABANDONED, detail))
    if task.step is Step.MERGE and record.progress is not None and record.progress.failed:
        detail = f"{record.progress.failed} of {record.progress.parts} parts failed"
        return Failed(Failure(Reason.PARTS_FAILED, detail))
    return None


def decide(delivery: Delivery, outcome: Outcome, policy: Policy, at: datetime, jitter: float) -> Decision:
    """What to do about it. `jitter` in [0, 1) spreads the retries."""
    match outcome:
        case Done(result=result):
            return Ending(delivery=delivery, at=at, result=result)
        case Planned(parts=parts):
            return Plan(delivery=delivery, parts=parts)
        case Failed(failure=failure):
            return Ending(delivery=delivery, at=at, error=failure)
        case Again(failure=failure) if delivery.attempt >= policy.attempts:
            return Ending(delivery=delivery, at=at, error=failure)
        case Again(after=after):
            delay = policy.backoff.delay(delivery.attempt, jitter)
            return Release(delivery=delivery, delay=delay if after is None else after)
        case _:
            assert_never(outcome)
