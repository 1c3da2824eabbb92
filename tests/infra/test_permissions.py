"""Who may do what: the templates, the table in docs/reference/aws.md and the code say the same."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from infra.deployment import Deployment, Table
from infra.grants import OF_REQUESTS

from acuse.adapters.aws.tallies import LANES
from tests.infra.stacks import Stacks, stacks
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator


REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference" / "aws.md"
MODULES = {"Api": "api", "Relay": "relay", "Worker": "worker", "End": "dead_letters"}
OF_ITS_SOURCE = {
    "relay": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"},
    "worker": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "dead_letters": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
}
OF_ITS_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
WITH_MESSAGES = {"kms:Decrypt", "kms:GenerateDataKey"}
"""A key of one's own (SQS guide, "Key management")."""
WITH_RECORDS = WITH_MESSAGES | {
    "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
}  # fmt: skip
"""A key of one's own (DynamoDB guide, "Authorizing use of your customer managed key")."""
COUNT = ["dynamodb:PutItem", "dynamodb:UpdateItem"]
NAMES_KEYS = {"Null": {"dynamodb:LeadingKeys": "false"}}
LAMBDA = Deployment()
UNDER_A_KEY = Deployment(table=Table(customer_key=True))


def statements(made: Stacks, role: str) -> Iterator[tuple[list[str], Any]]:
    """What the policies of the role allow, and on which resource, one after another."""
    for policy in made.of_type("AWS::IAM::Policy").values():
        if {"Ref": role} not in policy["Roles"]:
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            assert "Condition" not in statement or statement["Action"] == COUNT
            actions, resources = statement["Action"], statement["Resource"]
            for resource in resources if isinstance(resources, list) else [resources]:
                yield ([actions] if isinstance(actions, str) else actions), resource


def roles(made: Stacks) -> dict[str, str]:
    """The role of each function, by its module."""
    found = {}
    for function in made.of_type("AWS::Lambda::Function").values():
        module = function["Handler"].removeprefix("acuse.entrypoints.lambdas.").removesuffix(".handler")
        found[module] = function["Role"]["Fn::GetAtt"][0]
    return found


def documented(module: str) -> set[str]:
    """What the table in the reference says that a function may do."""
    row = next(line for line in REFERENCE.read_text().splitlines() if line.startswith(f"| `{module}` | "))
    table, queues = row.strip("| ").split("|")[1:]
    return {
        f"{service}:{action}"
        for service, cell in (("dynamodb", table), ("sqs", queues))
        for action in re.findall(r"`(\w+)`", cell)
    }


@pytest.mark.parametrize("module", MODULES.values())
def test_a_function_may_do_exactly_what_the_reference_says(module: str) -> None:
    made = stacks(LAMBDA)

    allowed = {action for actions, _ in statements(made, roles(made)[module]) for action in actions}

    assert allowed == documented(module) | OF_ITS_SOURCE.get(module, set()) | OF_ITS_LOG


@pytest.mark.parametrize("module", MODULES.values())
def test_under_a_key_a_function_may_use_it_for_what_it_reads_and_writes_and_no_more(module: str) -> None:
    may = [
        {action for actions, _ in statements(made, roles(made)[module]) for action in actions}
        for made in (stacks(LAMBDA), stacks(UNDER_A_KEY))
    ]

    assert may[1] - may[0] == WITH_RECORDS
    assert may[0] < may[1]


@pytest.mark.parametrize("module", MODULES.values())
@pytest.mark.parametrize("deployment", [LAMBDA, UNDER_A_KEY], ids=["", "key"])
def test_an_action_is_allowed_on_its_own_kind_of_resource(module: str, deployment: Deployment) -> None:
    made = stacks(deployment)
    kinds = {
        "dynamodb": "AWS::DynamoDB::Table", "sqs": "AWS::SQS::Queue", "logs": "AWS::Logs::LogGroup",
        "kms": "AWS::KMS::Key",
    }  # fmt: skip

    for actions, resource in statements(made, roles(made)[module]):
        for action in actions:
            assert made.type_of(resource) == kinds[action.partition(":")[0]], (action, resource)


def test_each_function_writes_to_its_own_log_only() -> None:
    made = stacks(LAMBDA)

    for function in made.of_type("AWS::Lambda::Function").values():
        role, log = function["Role"]["Fn::GetAtt"][0], function["LoggingConfig"]["LogGroup"]["Ref"]
        logs = [resource for actions, resource in statements(made, role) if OF_ITS_LOG & set(actions)]
        assert logs == [{"Fn::GetAtt": [log, "Arn"]}]


def test_a_queue_is_open_to_those_only_whose_work_it_is() -> None:
    made = stacks(LAMBDA)
    users: dict[str, set[str]] = {}

    for module, role in roles(made).items():
        for actions, resource in statements(made, role):
            for action in actions:
                if action.startswith("sqs:"):
                    queue = re.sub(r"^Processing|[0-9A-F]{8}$", "", resource["Fn::GetAtt"][0])
                    users.setdefault(f"{queue} {action.removeprefix('sqs:')}", set()).add(module)

    assert users == {
        "Queue GetQueueUrl": {"relay", "worker"},
        "Queue SendMessage": {"relay", "worker"},
        "Queue ReceiveMessage": {"worker"},
        "Queue DeleteMessage": {"worker"},
        "Queue GetQueueAttributes": {"worker"},
        "Undelivered SendMessage": {"relay"},
        "DeadLetters ReceiveMessage": {"dead_letters"},
        "DeadLetters DeleteMessage": {"dead_letters"},
        "DeadLetters GetQueueAttributes": {"dead_letters"},
    }


@pytest.mark.parametrize("deployment", [LAMBDA, UNDER_A_KEY], ids=["", "key"])
def test_nothing_is_allowed_by_a_wildcard_but_to_ask_for_the_streams_of_the_one_table(deployment: Deployment) -> None:
    made = stacks(deployment)
    wild = [
        (actions, resource)
        for role in made.of_type("AWS::IAM::Role")
        for actions, resource in statements(made, role)
        if "*" in str(resource) or any("*" in action for action in actions)
    ]

    [(actions, resource)] = wild
    assert actions == ["dynamodb:ListStreams"]
    table, rest = resource["Fn::Join"][1]
    assert (made.type_of(table), rest) == ("AWS::DynamoDB::Table", "/stream/*")


@pytest.mark.parametrize("deployment", [LAMBDA, UNDER_A_KEY], ids=["", "key"])
def test_the_relay_writes_nothing_but_tallies(deployment: Deployment) -> None:
    made = stacks(deployment)
    lanes = [f"_tally{lane}" for lane in range(LANES)]

    [statement] = (
        statement
        for policy in made.of_type("AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if policy["Roles"] == [{"Ref": roles(made)["relay"]}] and statement["Action"] == COUNT
    )

    assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": lanes}, **NAMES_KEYS}


def operators(made: Stacks) -> list[dict[str, Any]]:
    [policy] = made.of_type("AWS::IAM::ManagedPolicy").values()
    assert policy.keys() & {"Groups", "Roles", "Users"} == set()
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def actions_of(statement: dict[str, Any]) -> set[str]:
    named = statement["Action"]
    return {named} if isinstance(named, str) else set(named)


def test_an_operator_may_do_exactly_what_the_reference_says() -> None:
    statements = operators(stacks(LAMBDA))

    allowed = {action for statement in statements for action in actions_of(statement)}

    assert allowed == documented("Operators") | {"cloudwatch:GetMetricStatistics"}
    assert {statement["Effect"] for statement in statements} == {"Allow"}


def test_an_operator_changes_requests_only_and_everything_but_a_metric_is_named() -> None:
    for statement in operators(made := stacks(UNDER_A_KEY)):
        actions, resource = actions_of(statement), statement["Resource"]
        if actions == {"cloudwatch:GetMetricStatistics"}:
            assert resource == "*"
            continue
        assert made.type_of(resource) in {"AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::KMS::Key"}
        if actions & {"dynamodb:PartiQLUpdate", "dynamodb:UpdateItem"}:
            assert statement["Condition"] == {
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [OF_REQUESTS]}, **NAMES_KEYS,
            }  # fmt: skip
            assert actions == {"dynamodb:PartiQLUpdate", "dynamodb:UpdateItem"}
        else:
            assert "Condition" not in statement
            assert not {one for one in actions if re.search("Delete|Insert|Put|Send|Update", one)}


@pytest.mark.parametrize(
    "id_", ["_keys", "_tally0", "concurrency of delay", f"concurrency of {new_id()}", f"{new_id()}0", ""]
)
def test_what_an_operator_may_change_has_the_id_of_a_request(id_: str) -> None:
    assert fnmatchcase(new_id(), OF_REQUESTS)
    assert not fnmatchcase(id_, OF_REQUESTS)


def test_no_role_has_a_policy_that_is_written_elsewhere() -> None:
    for deployment in (LAMBDA, UNDER_A_KEY):
        for role in stacks(deployment).of_type("AWS::IAM::Role").values():
            assert role.keys() <= {"AssumeRolePolicyDocument", "Tags"}


def test_policies_for_actions_are_the_workers_alone() -> None:
    arn = "arn:aws:iam::123456789012:policy/read-the-lake"
    made = stacks(Deployment(policies=(arn,)))

    holders = {name for name, role in made.of_type("AWS::IAM::Role").items() if role.get("ManagedPolicyArns") == [arn]}

    assert holders == {roles(made)["worker"]}


def test_the_api_is_called_by_this_one_http_api_only() -> None:
    made = stacks(LAMBDA)

    [permission] = made.of_type("AWS::Lambda::Permission").values()

    assert permission["Principal"] == "apigateway.amazonaws.com"
    [api] = made.of_type("AWS::ApiGatewayV2::Api")
    assert {"Ref": api} in permission["SourceArn"]["Fn::Join"][1]


def test_under_a_key_of_ones_own_everybody_who_touches_records_may_use_it() -> None:
    made = stacks(UNDER_A_KEY)

    for role in roles(made).values():
        keys = [resource for actions, resource in statements(made, role) if "kms:Decrypt" in actions]
        assert keys
        assert {made.type_of(key) for key in keys} == {"AWS::KMS::Key"}
