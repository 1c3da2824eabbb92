"""What it costs to see what happens: logs, alarms, metrics, and the answers that leave AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.costs.bill import Side, Use
from infra.costs.prices import Item
from infra.costs.store import GB

if TYPE_CHECKING:
    from infra.costs.assumptions import Assumptions
    from infra.costs.workload import Workload


def uses(workload: Workload, assumptions: Assumptions) -> list[Use]:
    """The same in both profiles."""
    logs = workload.sent * workload.log_bytes / GB
    kept = logs * workload.log_months * assumptions.log_compression
    return [
        Use(Side.WATCH, "logs", Item.LOGS, logs),
        Use(Side.WATCH, "logs, kept", Item.LOGS_KEPT, kept),
        Use(Side.WATCH, "alarms", Item.ALARM, assumptions.alarms),
        Use(Side.WATCH, "metrics", Item.METRIC, assumptions.metrics),
        Use(Side.WATCH, "dashboards", Item.DASHBOARD, assumptions.dashboards),
    ]


def answered_gb(workload: Workload, assumptions: Assumptions) -> float:
    """What a month answers."""
    return (workload.sent * workload.item_bytes + workload.calls * assumptions.answer_bytes) / GB


def answers(workload: Workload, assumptions: Assumptions) -> Use:
    """What of it leaves AWS."""
    quantity = answered_gb(workload, assumptions) * assumptions.internet_share
    return Use(Side.INTAKE, "answers to the internet", Item.DATA_OUT, quantity)
