"""How many tasks there are: of the intake by its work, of workers by what waits for each and what keeps them busy."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration
from aws_cdk import aws_applicationautoscaling as scaling

if TYPE_CHECKING:
    from aws_cdk import aws_ecs, aws_sqs

    from infra import deployment as chosen

CPU_PERCENT = 60
"""Of the intake's processor. Requests are no measure: one may be a record, a million, or a minute's wait for an end."""
OUT = Duration.minutes(1)
IN = Duration.minutes(5)
MATH = {
    "tasks": "IF(FILL(running, 1) < 1, 1, FILL(running, 1))",
    "waiting": "FILL(visible, 0) / tasks",
    "busy": "FILL(hidden, 0) / tasks / {runners}",
    "enough": "IF(busy > 1, 1, busy) * {backlog}",
    "load": "IF(waiting > enough, waiting, enough)",
}
"""The backlog for each task; where less waits, the share of the runners that are busy, of the backlog that is aimed at.

So tasks of which all runners are busy are as many as are wanted: they are not taken away because nothing else waits, as
they would be by the backlog alone, which is none as soon as the last long run has begun.
"""


def by_work(service: aws_ecs.FargateService, wanted: chosen.Containers) -> None:
    """The intake has more tasks the busier they are."""
    service.auto_scale_task_count(
        min_capacity=wanted.api_tasks, max_capacity=wanted.max_api_tasks
    ).scale_on_cpu_utilization(
        "Cpu", target_utilization_percent=CPU_PERCENT, scale_out_cooldown=OUT, scale_in_cooldown=IN
    )


def by_backlog(
    service: aws_ecs.FargateService, cluster: aws_ecs.Cluster, queue: aws_sqs.Queue, wanted: chosen.Containers
) -> None:
    """There are workers in proportion to what waits in the queue."""
    target = service.auto_scale_task_count(min_capacity=wanted.worker_tasks, max_capacity=wanted.max_worker_tasks)
    # Only the resource itself takes an expression instead of a metric.
    scaling.CfnScalingPolicy(
        service,
        "Backlog",
        policy_name=f"{service.node.addr}-backlog",
        policy_type="TargetTrackingScaling",
        scaling_target_id=cast("scaling.ScalableTarget", target.node.find_child("Target")).scalable_target_id,
        target_tracking_scaling_policy_configuration=scaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty(
            target_value=wanted.backlog,
            scale_out_cooldown=OUT.to_seconds(),
            scale_in_cooldown=IN.to_seconds(),
            customized_metric_specification=scaling.CfnScalingPolicy.CustomizedMetricSpecificationProperty(
                metrics=[
                    _metric("visible", "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName=queue.queue_name),
                    _metric("hidden", "AWS/SQS", "ApproximateNumberOfMessagesNotVisible", QueueName=queue.queue_name),
                    _metric(
                        "running",
                        "ECS/ContainerInsights",
                        "RunningTaskCount",
                        ClusterName=cluster.cluster_name,
                        ServiceName=service.service_name,
                    ),
                    *(
                        scaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty(
                            id=name,
                            expression=expression.format(runners=wanted.runners, backlog=wanted.backlog),
                            return_data=name == "load",
                        )
                        for name, expression in MATH.items()
                    ),
                ]
            ),
        ),
    )


def _metric(
    name: str, namespace: str, metric: str, **dimensions: str
) -> scaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty:
    """A minute's average of it, to be reckoned with under that name."""
    policy = scaling.CfnScalingPolicy
    return policy.TargetTrackingMetricDataQueryProperty(
        id=name,
        metric_stat=policy.TargetTrackingMetricStatProperty(
            metric=policy.TargetTrackingMetricProperty(
                namespace=namespace,
                metric_name=metric,
                dimensions=[
                    policy.TargetTrackingMetricDimensionProperty(name=key, value=value)
                    for key, value in dimensions.items()
                ],
            ),
            stat="Average",
        ),
        return_data=False,
    )
