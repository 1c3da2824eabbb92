"""Profile `fargate`: a load balancer, tasks for the intake, tasks for the workers, most on Spot, their network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.costs import queueing, store, watching
from infra.costs.bill import Side, Use
from infra.costs.prices import Item
from infra.costs.queueing import MB, SQS_BATCH
from infra.costs.store import GB
from infra.costs.workload import HOURS, SECONDS

if TYPE_CHECKING:
    from infra.costs.assumptions import Assumptions
    from infra.costs.workload import Workload

CHUNK_SECONDS = 0.05
"""A worker takes as many short runs at once as fit in this: `application/pace.py`."""
MAX_TOGETHER = 9
"""Parts that end in one transaction: `adapters/aws/endings.py`."""
LCU_CONNECTIONS = 25
"""New ones a second in a capacity unit of the load balancer; also 1 GB an hour (ELB pricing)."""
SQS_BYTES = 2_048
"""Of a message's way, three times through the endpoint."""


def uses(workload: Workload, assumptions: Assumptions) -> list[Use]:
    """What a month of the profile uses."""
    together = at_once(workload, MAX_TOGETHER)
    return [
        *_intake(workload, assumptions),
        *store.uses(workload, together),
        *queueing.uses(workload, assumptions, together),
        *_workers(workload, assumptions),
        *_network(workload, assumptions),
        watching.tallies(workload, assumptions, together),
        *watching.uses(
            workload,
            assumptions,
            logged=watching.own_bytes(workload, assumptions, together),
            alarms=assumptions.container_alarms,
            metrics=assumptions.metrics + assumptions.container_metrics,
        ),
    ]


def at_once(workload: Workload, most: int) -> float:
    """Short runs that a worker takes, and settles, together."""
    return max(1.0, min(most, CHUNK_SECONDS / max(workload.run_seconds, 1e-9)))


def _intake(workload: Workload, assumptions: Assumptions) -> list[Use]:
    # A further request in a POST takes as large a share of a POST's time as in a function.
    further = (workload.bulk - 1) * min(1.0, assumptions.api_item_seconds / max(assumptions.api_seconds, 1e-9))
    # A mean over the month: the number of tasks follows the load, so it need not be whole.
    tasks = max(assumptions.api_tasks, workload.calls * (1 + further) / SECONDS / assumptions.api_task_rate)
    received = (workload.sent * workload.item_bytes) / GB
    gb_an_hour = (received + watching.answered_gb(workload, assumptions)) / HOURS
    connections = workload.calls / SECONDS / assumptions.connection_requests
    units = max(connections / LCU_CONNECTIONS, gb_an_hour)
    addresses = assumptions.zones if assumptions.public_addresses else 0
    return [
        Use(Side.INTAKE, "load balancer", Item.ALB, HOURS),
        Use(Side.INTAKE, "load balancer: capacity", Item.LCU, units * HOURS),
        Use(Side.INTAKE, "load balancer: addresses", Item.IPV4, addresses * HOURS),
        Use(Side.INTAKE, "api tasks: vCPU", Item.VCPU, tasks * assumptions.api_task_vcpu * HOURS),
        Use(Side.INTAKE, "api tasks: memory", Item.MEMORY, tasks * assumptions.api_task_gb * HOURS),
        watching.answers(workload, assumptions),
    ]


def worker_hours(workload: Workload, assumptions: Assumptions) -> float:
    """Hours of worker tasks in a month."""
    seconds = workload.seconds_run + workload.messages * assumptions.worker_seconds / at_once(workload, MAX_TOGETHER)
    needed = seconds / 3_600 / assumptions.runners / assumptions.busy_share
    return max(assumptions.worker_tasks * HOURS, needed)


def _workers(workload: Workload, assumptions: Assumptions) -> list[Use]:
    hours = worker_hours(workload, assumptions)
    larger = max(1.0, workload.worker_mb / MB * assumptions.runners / assumptions.worker_task_gb)
    vcpu, memory = hours * larger * assumptions.worker_task_vcpu, hours * larger * assumptions.worker_task_gb
    spot = assumptions.spot_share * (1 - min(1.0, assumptions.worker_tasks * HOURS / hours)) if hours else 0.0
    taken = workload.messages / at_once(workload, SQS_BATCH)
    renewals = workload.seconds_run / (assumptions.visibility / 4) if _is_renewed(workload, assumptions) else 0.0
    idle = hours * 3_600 / assumptions.poll_seconds * (1 - assumptions.busy_share)
    return [
        Use(Side.WORKERS, "SQS: received and deleted", Item.SQS, 2 * taken),
        Use(Side.WORKERS, "SQS: leases renewed", Item.SQS, renewals),
        Use(Side.WORKERS, "SQS: polls of the queue", Item.SQS, idle),
        Use(Side.WORKERS, "worker tasks: vCPU, Spot", Item.SPOT_VCPU, vcpu * spot),
        Use(Side.WORKERS, "worker tasks: memory, Spot", Item.SPOT_MEMORY, memory * spot),
        Use(Side.WORKERS, "worker tasks: vCPU", Item.VCPU, vcpu * (1 - spot)),
        Use(Side.WORKERS, "worker tasks: memory", Item.MEMORY, memory * (1 - spot)),
    ]


def _is_renewed(workload: Workload, assumptions: Assumptions) -> bool:
    return workload.run_seconds > assumptions.visibility / 4


def _network(workload: Workload, assumptions: Assumptions) -> list[Use]:
    hours = assumptions.endpoints * assumptions.zones * HOURS
    through = (workload.requests * workload.log_bytes + workload.messages * SQS_BYTES) / GB
    return [
        Use(Side.NETWORK, "interface endpoints", Item.ENDPOINT, hours),
        Use(Side.NETWORK, "interface endpoints: data", Item.ENDPOINT_DATA, through if assumptions.endpoints else 0.0),
    ]
