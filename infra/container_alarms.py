"""Alarms of what runs in containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk.aws_cloudwatch import TreatMissingData

from infra import metrics
from infra.metrics import MINUTE

if TYPE_CHECKING:
    from infra import deployment as chosen
    from infra.alarms import Alarms
    from infra.metrics import InContainers

BUSY_PERCENT = 80
"""Of the processors of the intake; above, it answers late, and more tasks should have come."""
FULL_PERCENT = 90
"""Of a task's memory; at 100 it is killed."""
MINUTES_LONG = 5
"""A new task needs as long to be there."""
PERIODS = 3
"""A quarter of an hour: more tasks have come by then, if any may."""


def add_alarms(alarms: Alarms, containers: InContainers, wanted: chosen.Containers) -> None:
    """Somebody is told when tasks are too few, ill, too busy or too full. Workers may be as busy as they like."""
    alarms.add(
        "intake-unhealthy",
        containers.of_targets("UnHealthyHostCount").with_(period=MINUTE),
        above=0,
        periods=MINUTES_LONG,
        section="intake-tasks",
        means="A task of the intake does not answer the load balancer.",
    )
    alarms.add(
        "intake-tasks",
        containers.of_targets("HealthyHostCount", "Minimum").with_(period=MINUTE),
        below=wanted.api_tasks,
        periods=MINUTES_LONG,
        missing=TreatMissingData.BREACHING,
        means=f"The intake has fewer than the {wanted.api_tasks} tasks that it should have at least.",
    )
    alarms.add(
        "worker-tasks",
        metrics.running(containers.worker),
        below=wanted.worker_tasks,
        periods=MINUTES_LONG,
        out_of=2 * MINUTES_LONG,
        missing=TreatMissingData.BREACHING,
        means=f"Fewer workers run than the {wanted.worker_tasks} that should at least.",
    )
    alarms.add(
        "intake-busy",
        metrics.of_tasks(containers.api, "CPUUtilization"),
        above=BUSY_PERCENT,
        periods=PERIODS,
        means="The intake is busy, and no more tasks come to help.",
    )
    for part, service in (("intake", containers.api), ("worker", containers.worker)):
        alarms.add(
            f"{part}-memory",
            metrics.of_tasks(service, "MemoryUtilization", "Maximum"),
            above=FULL_PERCENT,
            periods=PERIODS,
            section="task-memory",
            means=f"A task ({part}) has hardly any memory left; without any, it is killed.",
        )
