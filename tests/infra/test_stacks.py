"""What the templates have in them; docs/reference/aws.md says what must be there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from infra.deployment import Access, Deployment, Intake, Profile, Table, Worker

from acuse import Policy
from tests.infra.stacks import Stacks, stacks

if TYPE_CHECKING:
    from collections.abc import Iterator


LAMBDA = Deployment()
KEYS = Intake(access=Access.KEYS)
JWT = Intake(access=Access.JWT, issuer="https://issuer.example/", audience=("acuse", "others"))
UNDER_A_KEY = Deployment(table=Table(customer_key=True))
FARGATE = Deployment(profile=Profile.FARGATE, intake=KEYS)
EVERY = {
    "lambda": LAMBDA,
    "jwt": Deployment(intake=JWT),
    "keys": Deployment(intake=KEYS),
    "customer_key": UNDER_A_KEY,
    "fargate": FARGATE,
}


@pytest.fixture(params=EVERY.values(), ids=list(EVERY))
def made(request: pytest.FixtureRequest) -> Stacks:
    return stacks(request.param)


def table(made: Stacks) -> dict[str, Any]:
    [found] = [one for one in made.storage["Resources"].values() if one["Type"] == "AWS::DynamoDB::Table"]
    return dict(found)


def function(made: Stacks, module: str) -> tuple[str, dict[str, Any]]:
    handler = f"acuse.entrypoints.lambdas.{module}.handler"
    [found] = [one for one in made.of_type("AWS::Lambda::Function").items() if one[1]["Handler"] == handler]
    return found


def source(made: Stacks, module: str) -> dict[str, Any]:
    name = function(made, module)[0]
    sources = made.of_type("AWS::Lambda::EventSourceMapping").values()
    [found] = [one for one in sources if one["FunctionName"] == {"Ref": name}]
    return found


def queue(made: Stacks, name: str) -> dict[str, Any]:
    [found] = [one for id_, one in made.of_type("AWS::SQS::Queue").items() if id_[:-8] == f"Processing{name}"]
    return found


class TestStorage:
    def test_the_table_is_keyed_streamed_backed_up_and_kept(self, made: Stacks) -> None:
        found = table(made)

        assert found["Properties"] | {"SSESpecification": None, "Tags": None} == {
            "AttributeDefinitions": [
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "_part", "AttributeType": "N"},
                {"AttributeName": "_failed", "AttributeType": "N"},
                {"AttributeName": "finished_at", "AttributeType": "S"},
            ],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "failed",
                    "KeySchema": [
                        {"AttributeName": "_failed", "KeyType": "HASH"},
                        {"AttributeName": "finished_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["action", "created_at"]},
                }
            ],
            "KeySchema": [
                {"AttributeName": "id", "KeyType": "HASH"},
                {"AttributeName": "_part", "KeyType": "RANGE"},
            ],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "DeletionProtectionEnabled": True,
            "SSESpecification": None,
            "Tags": None,
        }
        assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == ("Retain", "Retain")

    def test_the_logical_ids_of_what_holds_data_never_change(self) -> None:
        """Another id is another table: an empty one. Whoever changes this moves the data first."""
        for deployment, ids in ((LAMBDA, {"TableCD117FA1"}), (UNDER_A_KEY, {"TableCD117FA1", "Key961B73FD"})):
            assert stacks(deployment).storage["Resources"].keys() == ids
        assert stacks(LAMBDA).of_type("AWS::SQS::Queue").keys() == {
            "ProcessingQueueA1640E9B", "ProcessingDeadLetters1EA4052A", "ProcessingUndelivered0BEE21AE",
        }  # fmt: skip

    def test_a_spending_cap_and_a_warm_table_are_as_chosen(self) -> None:
        found = table(stacks(Deployment(table=Table(max_writes=9_000, warm_writes=6_000))))["Properties"]

        assert found["OnDemandThroughput"] == {"MaxWriteRequestUnits": 9_000}
        assert found["WarmThroughput"] == {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 6_000}

    def test_under_a_key_of_ones_own_are_table_and_queues_and_the_key_turns_and_stays(self) -> None:
        made = stacks(UNDER_A_KEY)
        key = made.storage["Resources"]["Key961B73FD"]

        assert key["Properties"]["EnableKeyRotation"] is True
        assert key["DeletionPolicy"] == "Retain"
        assert table(made)["Properties"]["SSESpecification"] == {
            "KMSMasterKeyId": {"Fn::GetAtt": ["Key961B73FD", "Arn"]}, "SSEEnabled": True, "SSEType": "KMS",
        }  # fmt: skip
        for one in made.of_type("AWS::SQS::Queue").values():
            assert made.type_of(one["KmsMasterKeyId"]) == "AWS::KMS::Key"

    def test_the_storage_stack_cannot_be_deleted_by_mistake(self, made: Stacks) -> None:
        assert made.protected == {"storage": True, "service": False}


class TestIntake:
    def test_an_unknown_caller_is_let_in_nowhere(self, made: Stacks) -> None:
        """Either the HTTP API asks who it is, or the service does: the one without the other's word."""
        asks = {route["AuthorizationType"] for route in made.of_type("AWS::ApiGatewayV2::Route").values()} or {"NONE"}
        environments = [
            *(one["Environment"]["Variables"] for one in made.of_type("AWS::Lambda::Function").values()
              if one["Handler"].endswith(".api.handler")),
            *({pair["Name"]: pair["Value"] for pair in container["Environment"]}
              for task in made.of_type("AWS::ECS::TaskDefinition").values()
              for container in task["ContainerDefinitions"]),
        ]  # fmt: skip

        assert len(asks) == 1
        assert environments
        for environment in environments:
            assert ("ACUSE_ALLOW_ANYONE" in environment) == (asks != {"NONE"})

    def test_by_default_requests_are_signed(self) -> None:
        [route] = stacks(LAMBDA).of_type("AWS::ApiGatewayV2::Route").values()

        assert (route["RouteKey"], route["AuthorizationType"]) == ("$default", "AWS_IAM")

    def test_tokens_are_of_the_one_issuer_for_whom_they_are_meant(self) -> None:
        made = stacks(Deployment(intake=JWT))
        [authorizer] = made.of_type("AWS::ApiGatewayV2::Authorizer").items()
        [route] = made.of_type("AWS::ApiGatewayV2::Route").values()

        assert (route["AuthorizationType"], route["AuthorizerId"]) == ("JWT", {"Ref": authorizer[0]})
        assert authorizer[1]["JwtConfiguration"] == {"Audience": ["acuse", "others"], "Issuer": JWT.issuer}
        assert authorizer[1]["IdentitySource"] == ["$request.header.Authorization"]

    def test_the_rate_is_bounded_and_what_is_logged_holds_nothing_that_a_client_writes(self) -> None:
        made = stacks(Deployment(intake=Intake(rate=7, burst=9)))
        [stage] = made.of_type("AWS::ApiGatewayV2::Stage").values()

        settings = stage["DefaultRouteSettings"]
        assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (7, 9)
        access = stage["AccessLogSettings"]
        assert made.type_of(access["DestinationArn"]) == "AWS::Logs::LogGroup"
        logged = set(json.loads(access["Format"]).values())
        assert "$context.requestId" in logged
        assert not {one for one in logged if "path" in one or "authorizer" in one or "userAgent" in one}

    def test_the_function_is_called_as_it_expects(self) -> None:
        made = stacks(LAMBDA)
        [integration] = made.of_type("AWS::ApiGatewayV2::Integration").values()

        assert integration["PayloadFormatVersion"] == "2.0"
        assert made.type_of(integration["IntegrationUri"]) == "AWS::Lambda::Function"
        assert function(made, "api")[1]["Timeout"] < 30


class TestProcessing:
    def test_the_relay_reads_all_there_was_and_gives_up_in_good_time_and_says_so(self, made: Stacks) -> None:
        found = source(made, "relay")

        assert made.type_of(found["EventSourceArn"]) == "AWS::DynamoDB::Table"
        assert found["StartingPosition"] == "TRIM_HORIZON"
        assert found["BisectBatchOnFunctionError"] is True
        assert 0 < found["MaximumRetryAttempts"] <= 10_000
        assert 0 < found["MaximumRecordAgeInSeconds"] < 24 * 3_600
        assert made.type_of(found["DestinationConfig"]["OnFailure"]["Destination"]) == "AWS::SQS::Queue"
        assert "FunctionResponseTypes" not in found

    def test_what_is_removed_and_what_the_relay_writes_itself_do_not_call_it_and_all_else_does(
        self, made: Stacks
    ) -> None:
        """For an alarm says that it is silent when the table is written to and it is not called."""
        [pattern] = source(made, "relay")["FilterCriteria"]["Filters"]

        assert json.loads(pattern["Pattern"]) == {
            "eventName": ["INSERT", "MODIFY"],
            "dynamodb": {"Keys": {"id": {"S": [{"anything-but": ["_tally0", "_tally1", "_tally2", "_tally3"]}]}}},
        }

    @pytest.mark.parametrize(("module", "name"), [("worker", "Queue"), ("dead_letters", "DeadLetters")])
    def test_a_queue_hides_a_message_six_times_as_long_as_its_function_may_take(self, module: str, name: str) -> None:
        made = stacks(Deployment(worker=Worker(seconds=123)))

        assert queue(made, name)["VisibilityTimeout"] == 6 * function(made, module)[1]["Timeout"]
        assert source(made, module)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]

    def test_calls_of_the_worker_are_bounded_where_it_costs_no_receives(self) -> None:
        made = stacks(Deployment(worker=Worker(concurrency=17, batch=3)))

        assert source(made, "worker")["ScalingConfig"] == {"MaximumConcurrency": 17}
        assert source(made, "worker")["BatchSize"] == 3
        for one in made.of_type("AWS::Lambda::Function").values():
            assert "ReservedConcurrentExecutions" not in one

    def test_what_is_delivered_too_often_goes_where_it_ends(self, made: Stacks) -> None:
        redrive = queue(made, "Queue")["RedrivePolicy"]

        assert redrive["maxReceiveCount"] > Policy().attempts
        assert redrive["deadLetterTargetArn"] == source(made, "dead_letters")["EventSourceArn"]

    def test_a_dead_letter_does_not_expire_on_its_way(self, made: Stacks) -> None:
        kept = [queue(made, name)["MessageRetentionPeriod"] for name in ("Queue", "DeadLetters", "Undelivered")]

        assert kept[0] < kept[1] == kept[2] == 14 * 24 * 3_600

    def test_only_the_worker_may_call_itself(self) -> None:
        made = stacks(LAMBDA)

        loops = {one["Handler"] for one in made.of_type("AWS::Lambda::Function").values() if "RecursiveLoop" in one}

        assert loops == {"acuse.entrypoints.lambdas.worker.handler"}
        assert function(made, "worker")[1]["RecursiveLoop"] == "Allow"

    def test_a_run_is_given_less_memory_than_its_function_has(self) -> None:
        found = function(stacks(Deployment(worker=Worker(memory=2_048))), "worker")[1]

        assert found["MemorySize"] == 2_048
        assert int(found["Environment"]["Variables"]["ACUSE_MAX_MEMORY"]) == (2_048 - 192) * 1_024**2


class TestEverywhere:
    def test_every_log_is_kept_for_as_long_as_was_chosen(self) -> None:
        for deployment in EVERY.values():
            made = stacks(deployment)
            logs = made.of_type("AWS::Logs::LogGroup").values()
            assert logs
            assert {log["RetentionInDays"] for log in logs} == {deployment.log_days}

    def test_every_queue_and_topic_is_encrypted_and_spoken_to_over_tls(self, made: Stacks) -> None:
        queues = made.of_type("AWS::SQS::Queue")
        for one in queues.values():
            assert one.get("SqsManagedSseEnabled") is True or one["KmsMasterKeyId"]
        for one in made.of_type("AWS::SNS::Topic").values():
            assert one["KmsMasterKeyId"]
        secured = {
            policy["Queues"][0]["Ref"]
            for policy in made.of_type("AWS::SQS::QueuePolicy").values()
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny"
            and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            and statement["Action"] == "sqs:*"
        }
        assert secured == queues.keys()

    def test_the_functions_know_the_table_and_the_queue(self, made: Stacks) -> None:
        for one in made.of_type("AWS::Lambda::Function").values():
            if not one.get("Handler", "").startswith("acuse."):
                continue
            variables = one["Environment"]["Variables"]
            store, where = variables["ACUSE_STORE"]["Fn::Join"][1]
            assert (store, made.type_of(where)) == ("dynamodb://", "AWS::DynamoDB::Table")
            scheme, name = variables["ACUSE_QUEUE"]["Fn::Join"][1]
            assert scheme == "sqs://"
            assert name["Fn::GetAtt"][1] == "QueueName"

    def test_settings_of_the_deployment_reach_every_function(self) -> None:
        made = stacks(Deployment(settings={"ACUSE_LOG_LEVEL": "WARNING"}, actions=("company.actions",)))

        for one in made.of_type("AWS::Lambda::Function").values():
            assert one["Environment"]["Variables"]["ACUSE_LOG_LEVEL"] == "WARNING"
            assert one["Environment"]["Variables"]["ACUSE_ACTIONS"] == "company.actions"

    def test_what_a_client_needs_is_told(self, made: Stacks) -> None:
        assert {"Url", "QueueName"} <= made.service["Outputs"].keys()
        assert "TableName" in made.storage["Outputs"]

    def test_nothing_that_was_said_is_lost_on_its_way_to_the_template(self, made: Stacks) -> None:
        """The CDK drops, without a word, what stands in a plain dictionary under a name that it does not know."""
        for template in (made.service, made.storage):
            assert list(empty(template["Resources"])) == []


def empty(value: Any, where: str = "") -> Iterator[str]:
    """The places where an object has no members."""
    match value:
        case {**members}:
            if not members:
                yield where
            for name, member in members.items():
                yield from empty(member, f"{where}/{name}")
        case [*elements]:
            for place, element in enumerate(elements):
                yield from empty(element, f"{where}/{place}")
