"""The profile `fargate`: its tasks, its services and its load balancer, as the template says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from infra.deployment import Containers, Deployment, Profile, Unfit

from acuse.config import Settings
from tests.infra.fargate import CERTIFICATE, DIGEST, INSIDE, KEYS, PUBLIC, attributes, container, only, service, task
from tests.infra.stacks import Stacks, stacks
from tests.infra.test_permissions import documented, statements

EXECUTION = {
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
    "logs:CreateLogStream", "logs:PutLogEvents",
}  # fmt: skip
both = pytest.mark.parametrize("made", [INSIDE, PUBLIC], ids=["inside", "public"], indirect=True)


@pytest.fixture
def made(request: pytest.FixtureRequest) -> Stacks:
    return stacks(getattr(request, "param", INSIDE))


def allowed(made: Stacks, role: dict[str, Any]) -> set[str]:
    name, _ = role["Fn::GetAtt"]
    return {action for actions, _ in statements(made, name) for action in actions}


class TestTasks:
    @both
    @pytest.mark.parametrize("name", ["Api", "Worker"])
    def test_a_task_is_for_graviton_and_can_write_to_one_folder_only(self, made: Stacks, name: str) -> None:
        definition, inside = task(made, name), container(made, name)

        assert definition["RequiresCompatibilities"] == ["FARGATE"]
        assert definition["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
        assert inside["ReadonlyRootFilesystem"] is True
        assert inside["MountPoints"] == [{"ContainerPath": "/tmp", "ReadOnly": False, "SourceVolume": "writable"}]  # noqa: S108  (its own)
        assert definition["Volumes"] == [{"Name": "writable"}]
        assert inside["User"] == "10001:10001"
        assert inside["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}, "InitProcessEnabled": True}
        assert made.type_of(inside["LogConfiguration"]["Options"]["awslogs-group"]) == "AWS::Logs::LogGroup"
        assert inside["LogConfiguration"]["Options"]["mode"] == "non-blocking"

    @pytest.mark.parametrize("name", ["Api", "Worker"])
    def test_draining_and_giving_back_end_before_a_task_is_killed(self, made: Stacks, name: str) -> None:
        inside = container(made, name)
        [drain] = [pair["Value"] for pair in inside["Environment"] if pair["Name"] == "ACUSE_DRAIN"]

        assert float(drain) == INSIDE.containers.drain
        assert float(drain) + Settings().patience.total_seconds() < inside["StopTimeout"] == 120

    def test_the_intake_runs_nothing_and_a_worker_serves_nothing(self, made: Stacks) -> None:
        assert container(made, "Api")["Command"] == ["serve", "--workers", "0"]
        assert container(made, "Worker")["Command"] == ["work", "--runners", "2"]
        assert [one["ContainerPort"] for one in container(made, "Api")["PortMappings"]] == [8080]
        assert "PortMappings" not in container(made, "Worker")

    def test_runs_together_take_less_memory_than_their_task_has(self, made: Stacks) -> None:
        environment = {pair["Name"]: pair["Value"] for pair in container(made, "Worker")["Environment"]}

        assert int(environment["ACUSE_MAX_MEMORY"]) * 2 < int(task(made, "Worker")["Memory"]) * 1024**2

    def test_without_an_image_that_is_there_one_is_built(self, made: Stacks) -> None:
        for name in ("Api", "Worker"):
            assert "container-assets" in json.dumps(container(made, name)["Image"])

    def test_an_image_that_is_there_is_taken_as_it_is(self) -> None:
        image = json.dumps(container(stacks(PUBLIC), "Worker")["Image"])

        assert "123456789012.dkr.ecr.eu-west-1." in image
        assert f"/company/acuse@{DIGEST}" in image


class TestRoles:
    @both
    def test_the_intake_may_do_what_the_function_of_the_intake_may(self, made: Stacks) -> None:
        assert allowed(made, task(made, "Api")["TaskRoleArn"]) == documented("api")

    @both
    def test_a_worker_may_do_what_the_reference_says_of_its_command(self, made: Stacks) -> None:
        assert allowed(made, task(made, "Worker")["TaskRoleArn"]) == (
            documented("worker") | documented("acuse work") - {"dynamodb:worker"}
        )

    @both
    @pytest.mark.parametrize("name", ["Api", "Worker"])
    def test_what_starts_a_task_may_pull_its_image_and_write_its_log(self, made: Stacks, name: str) -> None:
        role = task(made, name)["ExecutionRoleArn"]

        assert allowed(made, role) == EXECUTION
        everywhere = [actions for actions, resource in statements(made, role["Fn::GetAtt"][0]) if resource == "*"]
        assert everywhere == [["ecr:GetAuthorizationToken"]]

    def test_actions_have_their_policies_in_the_role_of_the_workers_alone(self) -> None:
        made = stacks(PUBLIC)

        holders = {name for name, one in made.of_type("AWS::IAM::Role").items() if one.get("ManagedPolicyArns")}

        assert holders == {task(made, "Worker")["TaskRoleArn"]["Fn::GetAtt"][0]}


class TestServices:
    @both
    @pytest.mark.parametrize("name", ["Api", "Worker"])
    def test_tasks_have_no_public_address_and_are_replaced_before_they_go(self, made: Stacks, name: str) -> None:
        found = service(made, name)

        network = found["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["AssignPublicIp"] == "DISABLED"
        for subnet in network["Subnets"]:
            assert "Vpctasks" in subnet["Ref"]
        deployment = found["DeploymentConfiguration"]
        assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
        assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        assert "DesiredCount" not in found, "a deployment would undo what was scaled"

    def test_the_intake_is_never_on_spot(self, made: Stacks) -> None:
        assert service(made, "Api")["LaunchType"] == "FARGATE"

    def test_the_least_workers_are_on_demand_and_of_the_others_most_on_spot(self) -> None:
        made = stacks(PUBLIC)

        assert service(made, "Worker")["CapacityProviderStrategy"] == [
            {"Base": 2, "CapacityProvider": "FARGATE", "Weight": 1},
            {"CapacityProvider": "FARGATE_SPOT", "Weight": 3},
        ]
        assert only(made, "AWS::ECS::Cluster")["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]

    def test_no_run_is_stopped_for_the_sake_of_the_zones(self, made: Stacks) -> None:
        assert service(made, "Worker")["AvailabilityZoneRebalancing"] == "DISABLED"

    def test_the_tasks_that_the_scaling_counts_are_counted(self, made: Stacks) -> None:
        assert only(made, "AWS::ECS::Cluster")["ClusterSettings"] == [{"Name": "containerInsights", "Value": "enabled"}]


class TestBalancer:
    def test_inside_it_speaks_http_to_its_own_network_only(self, made: Stacks) -> None:
        listener = only(made, "AWS::ElasticLoadBalancingV2::Listener")

        assert only(made, "AWS::ElasticLoadBalancingV2::LoadBalancer")["Scheme"] == "internal"
        assert (listener["Protocol"], listener["Port"]) == ("HTTP", 80)
        assert not made.of_type("AWS::EC2::InternetGateway")

    def test_public_it_speaks_modern_tls_and_nothing_else(self) -> None:
        made = stacks(PUBLIC)
        listener = only(made, "AWS::ElasticLoadBalancingV2::Listener")

        assert only(made, "AWS::ElasticLoadBalancingV2::LoadBalancer")["Scheme"] == "internet-facing"
        assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
        assert listener["Certificates"] == [{"CertificateArn": CERTIFICATE}]
        assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"

    def test_it_waits_longer_than_a_client_may_ask_the_service_to(self, made: Stacks) -> None:
        balancer = attributes(only(made, "AWS::ElasticLoadBalancingV2::LoadBalancer"), "LoadBalancer")
        targets = attributes(only(made, "AWS::ElasticLoadBalancingV2::TargetGroup"), "TargetGroup")

        assert int(balancer["idle_timeout.timeout_seconds"]) > 100
        assert int(targets["deregistration_delay.timeout_seconds"]) > 100

    def test_it_closes_a_silent_connection_before_the_service_does(self, made: Stacks) -> None:
        balancer = attributes(only(made, "AWS::ElasticLoadBalancingV2::LoadBalancer"), "LoadBalancer")
        environment = {one["Name"]: one["Value"] for one in container(made, "Api")["Environment"]}

        assert int(environment["ACUSE_KEEP_ALIVE"]) > int(balancer["idle_timeout.timeout_seconds"])

    def test_it_drops_fields_that_are_none(self, made: Stacks) -> None:
        balancer = attributes(only(made, "AWS::ElasticLoadBalancingV2::LoadBalancer"), "LoadBalancer")

        assert balancer["routing.http.drop_invalid_header_fields.enabled"] == "true"

    def test_its_log_goes_where_nobody_else_writes_and_expires(self, made: Stacks) -> None:
        balancer = attributes(only(made, "AWS::ElasticLoadBalancingV2::LoadBalancer"), "LoadBalancer")
        bucket = only(made, "AWS::S3::Bucket")
        writers = [
            one["Principal"]
            for one in only(made, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
            if one["Effect"] == "Allow"
        ]

        assert balancer["access_logs.s3.enabled"] == "true"
        assert made.type_of(balancer["access_logs.s3.bucket"]) == "AWS::S3::Bucket"
        assert writers == [{"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == INSIDE.log_days


class TestRefused:
    @pytest.mark.parametrize(
        ("wanted", "because"),
        [
            ({"worker_cpu": 1_024, "worker_memory": 1_024}, "no task with 1024"),
            ({"api_cpu": 300}, "no task with 300"),
            ({"worker_cpu": 256, "worker_memory": 512, "runners": 3}, "3 runs at once"),
        ],
    )
    def test_what_fargate_has_no_task_for(self, wanted: dict[str, Any], because: str) -> None:
        with pytest.raises(Unfit, match=because):
            Containers(**wanted)

    @pytest.mark.parametrize(
        ("changes", "because"),
        [
            ({"settings": {"ACUSE_DRAIN": "200"}}, "ACUSE_DRAIN"),
            ({"settings": {"ACUSE_PATIENCE": "20"}, "containers": Containers(drain=100)}, "a task has 120"),
        ],
    )
    def test_what_would_be_killed_before_its_end(self, changes: dict[str, Any], because: str) -> None:
        with pytest.raises(Unfit, match=because):
            stacks(Deployment(profile=Profile.FARGATE, intake=KEYS, **changes))
