"""What it costs to see what happens: logs, alarms, metrics, and the answers that leave AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.costs import queueing
from infra.costs.bill import Side, Use
from infra.costs.prices import Item
from infra.costs.store import GB, write_units, writes

if TYPE_CHECKING:
    from infra.costs.assumptions import Assumptions
    from infra.costs.workload import Workload


TIME_BYTES = 10
"""Of the time to one request's end, in what the relay writes."""


def own_bytes(workload: Workload, assumptions: Assumptions, together: float) -> float:
    """What actions and the relay write to logs in a month. A call of the relay that counts nothing writes nothing."""
    counts = counting(workload, assumptions, together)
    return workload.requests * (workload.log_bytes + TIME_BYTES) + counts * assumptions.count_bytes


def counting(workload: Workload, assumptions: Assumptions, together: float) -> float:
    """Calls of the relay in a month that count something: what was accepted, or what ended."""
    return min(queueing.relay_calls(workload, assumptions, together), 2 * workload.requests)


def tallies(workload: Workload, assumptions: Assumptions, together: float) -> Use:
    """A write for each of them. Its change of the table calls nobody."""
    units = counting(workload, assumptions, together) * write_units(assumptions.tally_bytes)
    return writes(workload, Side.WATCH, "tallies: writes", units)


def uses(workload: Workload, assumptions: Assumptions, *, logged: float, alarms: float, metrics: float) -> list[Use]:
    """`logged`: bytes in a month."""
    logs = logged / GB
    kept = logs * workload.log_months * assumptions.log_compression
    return [
        Use(Side.WATCH, "logs", Item.LOGS, logs),
        Use(Side.WATCH, "logs, kept", Item.LOGS_KEPT, kept),
        Use(Side.WATCH, "alarms", Item.ALARM, alarms),
        Use(Side.WATCH, "metrics", Item.METRIC, metrics),
        Use(Side.WATCH, "dashboards", Item.DASHBOARD, assumptions.dashboards),
        Use(Side.WATCH, "KMS key of the alarms' topic", Item.KEY, assumptions.topic_keys),
    ]


def answered_gb(workload: Workload, assumptions: Assumptions) -> float:
    """What a month answers."""
    return (workload.sent * workload.item_bytes + workload.calls * assumptions.answer_bytes) / GB


def answers(workload: Workload, assumptions: Assumptions) -> Use:
    """What of it leaves AWS."""
    quantity = answered_gb(workload, assumptions) * assumptions.internet_share
    return Use(Side.INTAKE, "answers to the internet", Item.DATA_OUT, quantity)
