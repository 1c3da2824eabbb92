"""How many tasks there are, as the template says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.fargate import PUBLIC, part
from tests.infra.stacks import stacks


def test_workers_follow_the_backlog_of_each_and_busy_ones_are_not_too_many() -> None:
    made = stacks(PUBLIC)
    policy = part(made, "AWS::ApplicationAutoScaling::ScalingPolicy", "Backlog")
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    metrics = {one["Id"]: one for one in tracking["CustomizedMetricSpecification"]["Metrics"]}

    assert tracking["TargetValue"] == 7
    assert [name for name, one in metrics.items() if one["ReturnData"]] == ["load"]
    assert {
        name: (one["MetricStat"]["Metric"]["Namespace"], one["MetricStat"]["Metric"]["MetricName"])
        for name, one in metrics.items()
        if "MetricStat" in one
    } == {
        "visible": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        "hidden": ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"),
        "running": ("ECS/ContainerInsights", "RunningTaskCount"),
    }
    dimensions = metrics["running"]["MetricStat"]["Metric"]["Dimensions"]
    assert {one["Name"]: made.type_of(one["Value"]) for one in dimensions} == {
        "ClusterName": "AWS::ECS::Cluster", "ServiceName": "AWS::ECS::Service",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("visible", "hidden", "running", "load"),
    [
        (0, 0, 4, 0),
        (280, 12, 4, 70),
        (4, 12, 4, 7),
        (0, 12, 4, 7),
        (0, 400, 4, 7),
        (0, 6, 4, 3.5),
        (14, 0, 0, 14),
        (None, None, None, 0),
    ],
    ids=["idle", "more waits", "a little waits", "all are busy", "read ahead", "half", "none runs", "unknown"],
)
def test_the_expression_gives(visible: float | None, hidden: float | None, running: float | None, load: float) -> None:
    policy = part(stacks(PUBLIC), "AWS::ApplicationAutoScaling::ScalingPolicy", "Backlog")
    metrics = policy["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]["Metrics"]
    known: dict[str, Any] = {
        "visible": visible,
        "hidden": hidden,
        "running": running,
        "FILL": lambda value, instead: instead if value is None else value,
        "IF": lambda true, one, other: one if true else other,
    }

    for one in metrics:
        if "Expression" in one:
            known[one["Id"]] = eval(one["Expression"], {"__builtins__": {}}, known)  # noqa: S307  (it is our own)

    assert known["load"] == load


def test_the_bounds_are_as_chosen_and_the_intake_follows_its_processor() -> None:
    made = stacks(PUBLIC)
    targets = made.of_type("AWS::ApplicationAutoScaling::ScalableTarget").values()
    policy = part(made, "AWS::ApplicationAutoScaling::ScalingPolicy", "ApiService")

    assert [(one["MinCapacity"], one["MaxCapacity"]) for one in targets] == [(2, 10), (2, 20)]
    measured = policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]
    assert measured == {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
