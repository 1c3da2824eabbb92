"""Metrics: what AWS and the service itself count of one deployment, each under the dimensions of its own resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aws_cdk import Duration, aws_cloudwatch
from aws_cdk.aws_cloudwatch import MathExpression as Math

from acuse.adapters.aws.failed import INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_ecs, aws_logs, aws_sqs
    from aws_cdk import aws_elasticloadbalancingv2 as elb

    from infra.deployment import Deployment
    from infra.function import Function
    from infra.intake import Intake
    from infra.processing import Processing
    from infra.storage import StorageStack

MINUTE = Duration.minutes(1)
MINUTES = Duration.minutes(5)
HOUR = Duration.hours(1)
DAY = Duration.days(1)
OPERATIONS = ("BatchExecuteStatement", "BatchGetItem", "PutItem", "UpdateItem")
"""What the service calls of DynamoDB, as its metrics name it."""


class InContainers(NamedTuple):
    """What runs in containers and is measured there, not as functions."""

    balancer: elb.ApplicationLoadBalancer
    targets: elb.ApplicationTargetGroup
    api: aws_ecs.FargateService
    worker: aws_ecs.FargateService
    logs: tuple[aws_logs.LogGroup, ...]

    def of_balancer(self, name: str, statistic: str = "Sum") -> aws_cloudwatch.Metric:
        """Of the load balancer."""
        return _metric("AWS/ApplicationELB", name, statistic, LoadBalancer=self.balancer.load_balancer_full_name)

    def of_targets(self, name: str, statistic: str = "Maximum") -> aws_cloudwatch.Metric:
        """Of the tasks that it sends requests to."""
        balancer, targets = self.balancer.load_balancer_full_name, self.targets.target_group_full_name
        return _metric("AWS/ApplicationELB", name, statistic, LoadBalancer=balancer, TargetGroup=targets)

    def errors(self) -> Math:
        """Answers with 5xx, whether the tasks gave them or the load balancer itself."""
        return total({part.lower(): self.of_balancer(f"HTTPCode_{part}_5XX_Count") for part in ("ELB", "Target")})


class Metrics(NamedTuple):
    """The parts that are measured. `service`: under which name the relay counts requests."""

    service: str
    deployment: Deployment
    storage: StorageStack
    processing: Processing
    intake: Intake | None = None
    worker: Function | None = None
    containers: InContainers | None = None

    @property
    def functions(self) -> dict[str, Function]:
        """Every function there is, by the name of its alarms."""
        return {
            **({"api": self.intake.function} if self.intake else {}),
            "relay": self.processing.relay,
            **({"worker": self.worker} if self.worker else {}),
            "end": self.processing.end,
        }

    @property
    def queues(self) -> dict[str, aws_sqs.Queue]:
        """Every queue there is."""
        parts = self.processing
        return {"queue": parts.queue, "dead letters": parts.dead_letters, "undelivered": parts.undelivered}

    @property
    def logs(self) -> list[aws_logs.LogGroup]:
        """Every log there is."""
        return [
            *([self.intake.log] if self.intake else []),
            *(self.containers.logs if self.containers else ()),
            *(function.log for function in self.functions.values()),
        ]

    def of_service(self, name: str, statistic: str = "Sum") -> aws_cloudwatch.Metric:
        """What the relay counts."""
        return _metric("acuse", name, statistic, service=self.service)

    def of_table(self, name: str, statistic: str = "Sum", **dimensions: str) -> aws_cloudwatch.Metric:
        """Of the records."""
        return _metric("AWS/DynamoDB", name, statistic, TableName=self.storage.table.table_name, **dimensions)

    def of_index(self, name: str, statistic: str = "Sum") -> aws_cloudwatch.Metric:
        """Of the index of what failed, which is not in what is counted of the table."""
        return self.of_table(name, statistic, GlobalSecondaryIndexName=INDEX)

    def system_errors(self) -> Math:
        """Answers of DynamoDB that say the fault is its own."""
        return total(
            {operation.lower(): self.of_table("SystemErrors", Operation=operation) for operation in OPERATIONS}
        )


def of_function(function: Function, name: str, statistic: str = "Sum") -> aws_cloudwatch.Metric:
    """Of one function."""
    return _metric("AWS/Lambda", name, statistic, FunctionName=function.function.function_name)


def of_tasks(service: aws_ecs.FargateService, name: str, statistic: str = "Average") -> aws_cloudwatch.Metric:
    """Of the tasks of one service."""
    cluster = service.cluster.cluster_name
    return _metric("AWS/ECS", name, statistic, ClusterName=cluster, ServiceName=service.service_name)


def running(service: aws_ecs.FargateService) -> aws_cloudwatch.Metric:
    """How many tasks run: each says once a minute how busy it is (ECS guide, "Service RUNNING task count")."""
    return of_tasks(service, "CPUUtilization", "SampleCount").with_(period=MINUTE)


def of_queue(queue: aws_sqs.Queue, name: str, statistic: str = "Maximum") -> aws_cloudwatch.Metric:
    """Of one queue."""
    return _metric("AWS/SQS", name, statistic, QueueName=queue.queue_name)


def of_api(intake: Intake, name: str, statistic: str = "Sum") -> aws_cloudwatch.Metric:
    """Of the HTTP API."""
    return _metric("AWS/ApiGateway", name, statistic, ApiId=intake.api.api_id)


def of_log(log: aws_logs.LogGroup, name: str, statistic: str = "Sum") -> aws_cloudwatch.Metric:
    """Of one log."""
    return _metric("AWS/Logs", name, statistic, LogGroupName=log.log_group_name)


def ratio(part: aws_cloudwatch.IMetric, whole: aws_cloudwatch.IMetric, *, least: int, period: Duration) -> Math:
    """Percent of the whole; 0 where the whole is less than `least`, of which a share says little."""
    return math(f"IF(whole >= {least}, 100 * FILL(part, 0) / whole, 0)", period, part=part, whole=whole)


def few(part: aws_cloudwatch.IMetric, whole: aws_cloudwatch.IMetric, *, least: int, period: Duration) -> Math:
    """How many, where the whole is too little for a share."""
    return math(f"IF(whole < {least}, FILL(part, 0), 0)", period, part=part, whole=whole)


def total(metrics: Mapping[str, aws_cloudwatch.IMetric], period: Duration = MINUTES) -> Math:
    """All of them together, also where some have no value."""
    return math(" + ".join(f"FILL({name}, 0)" for name in metrics), period, **metrics)


def math(expression: str, period: Duration, **metrics: aws_cloudwatch.IMetric) -> Math:
    """What the expression makes of the metrics."""
    return Math(expression=expression, period=period, using_metrics=metrics)


def _metric(namespace: str, name: str, statistic: str, **dimensions: str) -> aws_cloudwatch.Metric:
    return aws_cloudwatch.Metric(
        namespace=namespace, metric_name=name, statistic=statistic, period=MINUTES, dimensions_map=dimensions
    )
