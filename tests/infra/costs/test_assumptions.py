"""What is assumed of the stack is what its templates have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from infra.costs.assumptions import Assumptions
from infra.costs.queueing import MB
from infra.costs.workload import Workload
from infra.deployment import Deployment
from infra.intake import ACCESS

from acuse.adapters.aws.counts import Counts
from acuse.entrypoints.lambdas import metrics
from tests.infra.fargate import INSIDE
from tests.infra.stacks import Stacks, stacks

if TYPE_CHECKING:
    from collections.abc import Callable


ASSUMED, STACK = Assumptions(), Deployment()
EACH_POLICY = 2
"""Alarms that ECS makes for a policy that follows a target: one to have more tasks, one to have fewer."""
OF_TASKS = 10
"""What Container Insights measures of a family of tasks, of a service and of the cluster, each by itself."""
OF_SERVICES, OF_CLUSTER = 5, 3
"""What it measures of each service, and of the cluster, beside these (CloudWatch guide, "Container Insights")."""


def functions() -> Stacks:
    return stacks(STACK)


def containers() -> Stacks:
    return stacks(INSIDE)


def _only(made: Stacks, kind: str) -> list[dict[str, Any]]:
    return list(made.of_type(kind).values())


def _alarm_metrics(made: Stacks) -> int:
    """An alarm over a formula is billed for each metric in it."""
    alarms = _only(made, "AWS::CloudWatch::Alarm")
    return sum(
        len([one for one in alarm.get("Metrics", [{"MetricStat": alarm}]) if "MetricStat" in one]) for alarm in alarms
    )


def _scaling_metrics(made: Stacks) -> int:
    found = 0
    for policy in _only(made, "AWS::ApplicationAutoScaling::ScalingPolicy"):
        custom = policy["TargetTrackingScalingPolicyConfiguration"].get("CustomizedMetricSpecification")
        found += len([one for one in custom["Metrics"] if "MetricStat" in one]) if custom else 1
    return EACH_POLICY * found


def test_as_many_alarms_are_paid_for_as_there_are_metrics_that_they_look_at() -> None:
    assert ASSUMED.function_alarms == _alarm_metrics(functions()) + _scaling_metrics(functions())
    assert ASSUMED.container_alarms == _alarm_metrics(containers()) + _scaling_metrics(containers())


@pytest.mark.parametrize("made", [functions, containers])
def test_dashboards_and_keys_are_as_many_as_there_are(made: Callable[[], Stacks]) -> None:
    assert ASSUMED.dashboards == len(_only(made(), "AWS::CloudWatch::Dashboard"))
    assert ASSUMED.topic_keys == len(_only(made(), "AWS::KMS::Key"))
    assert Workload().customer_key == STACK.table.customer_key


def test_metrics_of_ones_own_are_those_that_the_relay_writes(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.write(Counts(accepted=1, finished=1, failed=0, seconds=(1.5,)), "acuse-service")

    [told] = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    assert told["Dimensions"] == [["service"]]
    assert ASSUMED.metrics == len(told["Metrics"])


def test_a_cluster_is_measured_by_as_many_metrics_as_its_services_and_families_have() -> None:
    services = len(_only(containers(), "AWS::ECS::Service"))
    families = len(_only(containers(), "AWS::ECS::TaskDefinition"))
    [cluster] = _only(containers(), "AWS::ECS::Cluster")

    assert cluster["ClusterSettings"] == [{"Name": "containerInsights", "Value": "enabled"}]
    assert ASSUMED.container_metrics == OF_TASKS * (services + families + 1) + OF_SERVICES * services + OF_CLUSTER


def test_a_post_in_the_access_log_is_about_as_long_as_is_assumed() -> None:
    line = dict.fromkeys(ACCESS, "-") | {
        "time": "28/Nov/2026:05:20:00 +0000",
        "id": "JKJaXmPLvHcESHA=",
        "address": "203.0.113.200",
        "caller": "AIDAJQABLZS4A3QDU576Q",
        "method": "POST",
        "status": "201",
        "milliseconds": "31",
        "bytes": "312",
    }

    assert len(json.dumps(line)) <= ASSUMED.access_bytes <= 1.25 * len(json.dumps(line))


@pytest.mark.parametrize(
    "counts",
    [
        Counts(accepted=1, finished=0, failed=0, seconds=()),
        Counts(accepted=0, finished=1, failed=0, seconds=(1.234567,)),
        Counts(accepted=9, finished=9, failed=0, seconds=(1.234567,) * 9),
    ],
)
def test_a_call_of_the_relay_writes_about_as_much_as_is_assumed(
    counts: Counts, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics.write(counts, "acuse-service")

    written = len(capsys.readouterr().out) - 10 * len(counts.seconds)
    assert written <= ASSUMED.count_bytes <= 1.25 * written


def test_functions_tell_nothing_of_calls_that_go_well() -> None:
    for made in (functions(), containers()):
        ours = [one for one in _only(made, "AWS::Lambda::Function") if one.get("Handler", "").startswith("acuse.")]
        assert ours
        assert {one["LoggingConfig"]["SystemLogLevel"] for one in ours} == {"WARN"}


def test_sizes_of_functions_are_those_of_the_stack() -> None:
    memory = {
        one["Handler"].split(".")[-2]: one["MemorySize"]
        for one in _only(functions(), "AWS::Lambda::Function")
        if one.get("Handler", "").startswith("acuse.")
    }

    assert memory == {
        "api": ASSUMED.api_mb,
        "relay": ASSUMED.relay_mb,
        "dead_letters": ASSUMED.relay_mb,
        "worker": Workload().worker_mb,
    }
    batches = {one["BatchSize"] for one in _only(functions(), "AWS::Lambda::EventSourceMapping")}
    assert {ASSUMED.worker_batch, ASSUMED.relay_batch} <= batches
    assert ASSUMED.worker_batch == STACK.worker.batch


def test_sizes_of_tasks_are_those_of_the_stack() -> None:
    tasks = {
        one["ContainerDefinitions"][0]["Command"][0]: (int(one["Cpu"]) / MB, int(one["Memory"]) / MB)
        for one in _only(containers(), "AWS::ECS::TaskDefinition")
    }
    wanted = STACK.containers

    assert tasks == {
        "serve": (ASSUMED.api_task_vcpu, ASSUMED.api_task_gb),
        "work": (ASSUMED.worker_task_vcpu, ASSUMED.worker_task_gb),
    }
    assert (ASSUMED.api_tasks, ASSUMED.worker_tasks) == (wanted.api_tasks, wanted.worker_tasks)
    assert ASSUMED.runners == wanted.runners
    assert wanted.run_memory >= Workload().worker_mb, "a run that fits a function fits a task"


def test_the_least_workers_are_not_of_spot_and_of_the_others_as_many_as_are_assumed() -> None:
    [shares] = [
        {one["CapacityProvider"]: one for one in service["CapacityProviderStrategy"]}
        for service in _only(containers(), "AWS::ECS::Service")
        if "CapacityProviderStrategy" in service
    ]
    weights = {name: one["Weight"] for name, one in shares.items()}

    assert shares["FARGATE"]["Base"] == ASSUMED.worker_tasks
    assert weights["FARGATE_SPOT"] / sum(weights.values()) == ASSUMED.spot_share


def test_the_network_has_the_endpoints_and_zones_that_are_paid_for() -> None:
    endpoints = [one for one in _only(containers(), "AWS::EC2::VPCEndpoint") if one["VpcEndpointType"] == "Interface"]
    [balancer] = _only(containers(), "AWS::ElasticLoadBalancingV2::LoadBalancer")

    assert ASSUMED.endpoints == len(endpoints)
    assert {len(one["SubnetIds"]) for one in endpoints} == {ASSUMED.zones}
    assert ASSUMED.public_addresses == (balancer["Scheme"] == "internet-facing")
    assert not _only(containers(), "AWS::EC2::NatGateway")
