"""Spending: what an hour costs, reckoned from what was measured and the list prices of one region."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, cast

from infra import metrics
from infra.costs import prices
from infra.costs.prices import Item
from infra.metrics import HOUR, of_api, of_function, of_log, of_queue, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_cdk.aws_cloudwatch import IMetric, MathExpression
    from aws_cdk.aws_ecs import FargateService, FargateTaskDefinition

    from infra.function import Function
    from infra.metrics import Metrics

REGION = "eu-west-1"
"""Whose prices; the same or some percent higher elsewhere. What does not depend on the work is not in it."""
GB = 1024**3
MB_A_GB = 1024
MILLISECONDS = 1000
MINUTES_AN_HOUR = 60
UNITS_A_PROCESSOR = 1024
QUEUE_CALLS = ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted", "NumberOfEmptyReceives")
"""Calls, if each were of one message."""


def hourly(measured: Metrics) -> MathExpression:
    """USD in an hour."""
    terms = list(_terms(measured))
    names = [f"m{number}" for number in range(len(terms))]
    expression = " + ".join(f"FILL({name}, 0) * {_plain(usd)}" for name, (_, usd) in zip(names, terms, strict=True))
    return metrics.math(expression, HOUR, **{name: metric for name, (metric, _) in zip(names, terms, strict=True)})


def _terms(measured: Metrics) -> Iterator[tuple[IMetric, float]]:
    """What is counted, and USD for each."""
    usd = {item: price.first for item, price in prices.read().region(REGION).items()}
    if measured.intake:
        yield of_api(measured.intake, "Count"), usd[Item.HTTP_API]
    for function in measured.functions.values():
        yield of_function(function, "Invocations"), usd[Item.LAMBDA_REQUEST]
        yield of_function(function, "Duration"), usd[Item.LAMBDA_TIME] * _gigabytes(function) / MILLISECONDS
    if measured.containers:
        yield _running(measured.containers.api, usd[Item.VCPU], usd[Item.MEMORY])
        # As if on demand, as the least of them are: how many of the others are Spot, nobody counts.
        yield _running(measured.containers.worker, usd[Item.VCPU], usd[Item.MEMORY])
    yield measured.of_table("ConsumedWriteCapacityUnits"), usd[Item.WRITE]
    yield measured.of_table("ConsumedReadCapacityUnits"), usd[Item.READ]
    for queue in measured.queues.values():
        for call in QUEUE_CALLS:
            yield of_queue(queue, call, "Sum"), usd[Item.SQS]
    for log in measured.logs:
        yield of_log(log, "IncomingBytes"), usd[Item.LOGS] / GB


def _plain(usd: float) -> str:
    """Four digits of it, without an exponent, which the CDK would take for the name of a metric."""
    return f"{Decimal(f'{usd:.4g}'):f}"


def gigabyte_seconds(name: str, function: Function) -> MathExpression:
    """Which the time of a function is paid by, in an hour."""
    time = of_function(function, "Duration")
    return metrics.math(f"{name} * {_gigabytes(function):g} / {MILLISECONDS}", HOUR, **{name: time})


def _running(service: FargateService, processor: float, gigabyte: float) -> tuple[IMetric, float]:
    """Of tasks that run, each of which is counted once a minute. USD: for an hour."""
    task = cast("FargateTaskDefinition", service.task_definition)
    hour = processor * task.cpu / UNITS_A_PROCESSOR + gigabyte * task.memory_mib / MB_A_GB
    return running(service), hour / MINUTES_AN_HOUR


def _gigabytes(function: Function) -> float:
    return function.memory / MB_A_GB
