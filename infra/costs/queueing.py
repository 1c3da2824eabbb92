"""What the way from the stream through the queue costs: relay, messages, dead letters. The same in both profiles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infra.costs.bill import Side, Use
from infra.costs.prices import Item
from infra.costs.store import monthly
from infra.costs.workload import HOURS, SECONDS

if TYPE_CHECKING:
    from infra.costs.assumptions import Assumptions
    from infra.costs.workload import Workload

SQS_BATCH = 10
"""Messages in one request to SQS (SQS quotas)."""
SHARD_WRITES = 1_000
"""Writes a second of a partition, whose changes are a shard (DynamoDB quotas)."""
MB = 1_024


def gathered(expected: float, most: float) -> float:
    """How many a poll that finds any brings, of things that come by chance, `expected` on average: 1 at least."""
    return max(1.0, min(most, expected / -math.expm1(-expected))) if expected > 0 else 1.0


def polls(assumptions: Assumptions, changes: float) -> float:
    """Of the stream, in a month."""
    shards = max(assumptions.stream_shards, changes / SECONDS / SHARD_WRITES)
    return shards * assumptions.stream_polls * SECONDS


def relay_calls(workload: Workload, assumptions: Assumptions, together: float) -> float:
    """In a month. A relay is called for every change, also for those that call for nothing."""
    changes = monthly(workload, together).changes
    return changes / gathered(changes / polls(assumptions, changes), assumptions.relay_batch)


def uses(workload: Workload, assumptions: Assumptions, together: float) -> list[Use]:
    """Relay and sending."""
    looks = polls(assumptions, monthly(workload, together).changes)
    calls = relay_calls(workload, assumptions, together)
    sends = workload.messages / gathered(workload.messages / looks, SQS_BATCH)
    idle = assumptions.idle_polls * HOURS * 60
    return [
        Use(Side.QUEUE, "relay: calls", Item.LAMBDA_REQUEST, calls),
        Use(Side.QUEUE, "relay: time", Item.LAMBDA_TIME, calls * assumptions.relay_seconds * assumptions.relay_mb / MB),
        Use(Side.QUEUE, "SQS: sent", Item.SQS, sends),
        Use(Side.QUEUE, "SQS: polls of the dead letters", Item.SQS, idle),
    ]
