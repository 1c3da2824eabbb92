"""The network of the containers: what is open, and to whom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.fargate import INSIDE, PUBLIC, only, task
from tests.infra.stacks import Stacks, stacks

NOWHERE = ("127.0.0.1/32", "-1", None)


@pytest.fixture
def made(request: pytest.FixtureRequest) -> Stacks:
    return stacks(getattr(request, "param", INSIDE))


@pytest.mark.parametrize(
    ("made", "clients", "port"), [(INSIDE, "10.0.0.0/16", 80), (PUBLIC, "192.0.2.0/24", 443)], indirect=["made"]
)
def test_nothing_is_open_but_the_way_from_clients_to_the_services_of_aws(made: Stacks, clients: str, port: int) -> None:
    groups = {id_: id_.removeprefix("ContainersNetwork")[:-8] for id_ in made.of_type("AWS::EC2::SecurityGroup")}

    def rules(direction: str, other: str) -> set[tuple[str, Any]]:
        within = [
            (groups[id_], rule)
            for id_, one in made.of_type("AWS::EC2::SecurityGroup").items()
            for rule in one.get(f"SecurityGroup{direction}", [])
        ]
        beside = [
            (groups[one["GroupId"]["Fn::GetAtt"][0]], one)
            for one in made.of_type(f"AWS::EC2::SecurityGroup{direction}").values()
        ]
        return {
            (
                group,
                (
                    rule.get("CidrIp") or groups[rule[f"{other}SecurityGroupId"]["Fn::GetAtt"][0]],
                    rule["IpProtocol"],
                    rule.get("ToPort"),
                ),
            )
            for group, rule in within + beside
            if rule.get("FromPort") == rule.get("ToPort")
        }

    assert rules("Ingress", "Source") == {
        ("Balancer", (clients, "tcp", port)),
        ("ApiTasks", ("Balancer", "tcp", 8080)),
        ("Endpoints", ("ApiTasks", "tcp", 443)),
        ("Endpoints", ("WorkerTasks", "tcp", 443)),
    }
    assert rules("Egress", "Destination") - {(group, NOWHERE) for group in groups.values()} == {
        ("Balancer", ("ApiTasks", "tcp", 8080)),
        ("ApiTasks", ("0.0.0.0/0", "tcp", 443)),
        ("WorkerTasks", ("0.0.0.0/0", "tcp", 443)),
    }
    for one in made.of_type("AWS::EC2::SecurityGroup").values():
        assert one["SecurityGroupEgress"], "EC2 would let everything out"


def test_without_the_internet_there_is_no_way_out(made: Stacks) -> None:
    assert not made.of_type("AWS::EC2::Route")
    assert not made.of_type("AWS::EC2::NatGateway")
    assert len(made.of_type("AWS::EC2::Subnet")) == 2


def test_with_the_internet_tasks_go_through_one_gateway() -> None:
    made = stacks(PUBLIC)

    [gateway] = made.of_type("AWS::EC2::NatGateway")
    out = {id_: one for id_, one in made.of_type("AWS::EC2::Route").items() if "Vpctasks" in id_}
    assert len(out) == 2
    assert all(one["NatGatewayId"] == {"Ref": gateway} for one in out.values())


def test_every_service_of_aws_that_is_used_has_an_endpoint_that_lets_through_no_more(made: Stacks) -> None:
    endpoints = {
        json.dumps(one["ServiceName"]).rpartition('".')[2].rstrip('"]}'): one
        for one in made.of_type("AWS::EC2::VPCEndpoint").values()
    }

    assert endpoints.keys() == {"dynamodb", "s3", "sqs", "ecr.api", "ecr.dkr", "logs"}
    for name, endpoint in endpoints.items():
        for statement in endpoint["PolicyDocument"]["Statement"]:
            assert (statement["Resource"] == "*") == (statement["Action"] == "ecr:GetAuthorizationToken"), name


def test_only_the_role_of_actions_gets_through_to_more_and_only_if_it_may_do_more() -> None:
    made = stacks(PUBLIC)
    role = task(made, "Worker")["TaskRoleArn"]
    wide = [
        (statement["Action"], statement["Condition"])
        for one in made.of_type("AWS::EC2::VPCEndpoint").values()
        for statement in one["PolicyDocument"]["Statement"]
        if statement["Resource"] == "*" and statement["Action"] != "ecr:GetAuthorizationToken"
    ]

    only_it = {"ArnEquals": {"aws:PrincipalArn": role}}
    assert sorted(wide, key=str) == [(f"{one}:*", only_it) for one in ("dynamodb", "s3", "sqs")]


def test_what_was_refused_is_logged(made: Stacks) -> None:
    assert only(made, "AWS::EC2::FlowLog")["TrafficType"] == "REJECT"
