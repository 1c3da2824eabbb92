"""Profile `lambda`: an HTTP API, and functions for the intake and the workers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infra.costs import queueing, store, watching
from infra.costs.bill import Side, Use
from infra.costs.prices import Item
from infra.costs.queueing import MB
from infra.costs.workload import HOURS, Unfit

if TYPE_CHECKING:
    from infra.costs.assumptions import Assumptions
    from infra.costs.workload import Workload

HTTP_API_UNIT = 524_288
"""Bytes of a request that are billed as one."""
MAX_BODY = 1_048_576
LONGEST = 887.0
"""Seconds: a function runs 900 (Lambda quotas), of which the worker keeps 13 in reserve."""
TOGETHER = 1
"""The function settles one message after another, so that each part pays for its own count."""


def uses(workload: Workload, assumptions: Assumptions) -> list[Use]:
    """What a month of the profile uses. Raises Unfit."""
    if workload.run_seconds > LONGEST:
        raise Unfit(f"a run of {workload.run_seconds:g} s: a function leaves a run {LONGEST:g} s at most")
    if workload.bulk * workload.item_bytes > MAX_BODY:
        raise Unfit(f"{workload.bulk:,} requests of {workload.item_bytes:,} bytes: `api` takes {MAX_BODY:,} in a POST")
    return [
        *_intake(workload, assumptions),
        *store.uses(workload, TOGETHER),
        *queueing.uses(workload, assumptions, TOGETHER),
        *_workers(workload, assumptions),
        watching.tallies(workload, assumptions, TOGETHER),
        *watching.uses(
            workload,
            assumptions,
            logged=workload.calls * assumptions.access_bytes + watching.own_bytes(workload, assumptions, TOGETHER),
            alarms=assumptions.function_alarms,
            metrics=assumptions.metrics,
        ),
    ]


def _intake(workload: Workload, assumptions: Assumptions) -> list[Use]:
    units = max(1, math.ceil(workload.bulk * workload.item_bytes / HTTP_API_UNIT))
    seconds = assumptions.api_seconds + (workload.bulk - 1) * assumptions.api_item_seconds
    return [
        Use(Side.INTAKE, "HTTP API", Item.HTTP_API, workload.calls * units),
        Use(Side.INTAKE, "api: calls", Item.LAMBDA_REQUEST, workload.calls),
        Use(Side.INTAKE, "api: time", Item.LAMBDA_TIME, workload.calls * seconds * assumptions.api_mb / MB),
        watching.answers(workload, assumptions),
    ]


def _workers(workload: Workload, assumptions: Assumptions) -> list[Use]:
    calls = workload.messages / assumptions.worker_batch
    seconds = workload.seconds_run + workload.messages * assumptions.worker_seconds
    idle = assumptions.idle_polls * HOURS * 60
    return [
        Use(Side.WORKERS, "SQS: received and deleted", Item.SQS, 2 * calls),
        Use(Side.WORKERS, "SQS: polls of the queue", Item.SQS, idle),
        Use(Side.WORKERS, "worker: calls", Item.LAMBDA_REQUEST, calls),
        Use(Side.WORKERS, "worker: time", Item.LAMBDA_TIME, seconds * workload.worker_mb / MB),
    ]
