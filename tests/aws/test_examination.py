"""What `acuse check` finds of a table, a queue, and whoever looks at them."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from acuse.adapters.aws.backend import AwsBackend
from acuse.adapters.clock import SystemClock
from acuse.domain.finding import Finding, Level
from tests.aws.faults import Broken, Denied, FaultProxy
from tests.aws.stage import Stage, closed_port
from tests.clock import SetClock
from tests.contract.aws import create_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acuse.ports import Clock

VISIBILITY = timedelta(seconds=30)
KEYS = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "_part", "KeyType": "RANGE"}]


@pytest.fixture
def at(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with FaultProxy(stage.aws.url) as proxy:
        for name, value in stage.environment(proxy.url).items():
            monkeypatch.setenv(name, value)
        yield proxy


def examined(table: str, queue: str, clock: Clock | None = None) -> list[Finding]:
    backend = AwsBackend(
        clock or SystemClock(),
        table=table,
        queue=queue and f"sqs://{queue}",
        lease=VISIBILITY,
        patience=timedelta(0),
        in_flight=1,
        bounds=dict,
        postpone=timedelta(0),
    )
    return list(backend.examine())


def levels(findings: list[Finding]) -> dict[str, Level]:
    assert len({one.subject for one in findings}) == len(findings)
    return {one.subject: one.level for one in findings}


def told(findings: list[Finding], subject: str) -> str:
    [detail] = [one.detail for one in findings if one.subject == subject]
    return detail


def protected(stage: Stage) -> None:
    dynamodb = stage.aws.client("dynamodb")
    dynamodb.update_continuous_backups(
        TableName=stage.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    dynamodb.update_table(TableName=stage.name, DeletionProtectionEnabled=True)


def redriven(stage: Stage, receives: int, visibility: int = 30) -> None:
    arn = stage.sqs.get_queue_attributes(QueueUrl=stage.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": receives}
    attributes = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": str(visibility)}
    stage.sqs.set_queue_attributes(QueueUrl=stage.url, Attributes=attributes)


@pytest.mark.usefixtures("at")
def test_all_is_well_with_a_table_and_a_queue_as_they_should_be(stage: Stage) -> None:
    protected(stage)
    redriven(stage, 5)
    try:
        findings = examined(stage.name, stage.name)
    finally:
        stage.aws.client("dynamodb").update_table(TableName=stage.name, DeletionProtectionEnabled=False)

    assert levels(findings) == dict.fromkeys(
        (
            "credentials",
            "clock",
            "table",
            "stream",
            "index",
            "deletion",
            "recovery",
            "time to live",
            "queue",
            "visibility",
            "dead letters",
        ),
        Level.OK,
    )
    assert "arn:aws:" in told(findings, "credentials")


@pytest.mark.usefixtures("at")
def test_what_is_only_less_safe_is_a_warning(stage: Stage) -> None:
    redriven(stage, 3, visibility=10)

    found = levels(examined(stage.name, stage.name))

    assert {one for one, level in found.items() if level is Level.WARNING} >= {"deletion", "visibility", "dead letters"}
    assert Level.FAILURE not in found.values()


@pytest.mark.usefixtures("at")
def test_another_table_is_a_failure(stage: Stage) -> None:
    dynamodb, name = stage.aws.client("dynamodb"), f"other-{uuid.uuid4()}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=KEYS[:1],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    findings = examined(name, "")

    assert {one: level for one, level in levels(findings).items() if level is not Level.OK} == {
        "table": Level.FAILURE, "stream": Level.FAILURE, "index": Level.WARNING, "deletion": Level.WARNING,
        "queue": Level.WARNING,
    }  # fmt: skip
    assert "`_part`" in told(findings, "table")
    dynamodb.delete_table(TableName=name)


@pytest.mark.usefixtures("at")
def test_a_stream_without_old_images_an_index_on_something_else_and_time_to_live_are_failures(stage: Stage) -> None:
    dynamodb, name = stage.aws.client("dynamodb"), f"other-{uuid.uuid4()}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=KEYS,
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "_part", "AttributeType": "N"},
            {"AttributeName": "action", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "failed",
                "KeySchema": [{"AttributeName": "action", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "finished_at"}
    )

    found = levels(examined(name, stage.name))

    assert [found[one] for one in ("table", "stream", "index", "time to live")] == [Level.OK, *[Level.FAILURE] * 3]
    dynamodb.delete_table(TableName=name)


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize(
    ("projection", "level"),
    [
        ({"ProjectionType": "ALL"}, Level.OK),
        ({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["created_at", "status", "action"]}, Level.OK),
        ({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["created_at"]}, Level.FAILURE),
        ({"ProjectionType": "KEYS_ONLY"}, Level.FAILURE),
    ],
    ids=["all", "more", "less", "keys"],
)
def test_an_index_must_include_what_failed_requests_are_found_by(
    stage: Stage, projection: dict[str, Any], level: Level
) -> None:
    dynamodb, name = stage.aws.client("dynamodb"), f"other-{uuid.uuid4()}"
    create_table(dynamodb, name)
    table = dynamodb.describe_table(TableName=name)["Table"]
    [index] = table["GlobalSecondaryIndexes"]
    made = {"IndexName": "failed", "KeySchema": index["KeySchema"], "Projection": projection}
    for change in ({"Delete": {"IndexName": "failed"}}, {"Create": made}):
        dynamodb.update_table(
            TableName=name,
            AttributeDefinitions=table["AttributeDefinitions"],
            GlobalSecondaryIndexUpdates=[change],
        )

    assert levels(examined(name, stage.name))["index"] is level
    dynamodb.delete_table(TableName=name)


@pytest.mark.usefixtures("at")
def test_what_is_not_there_is_a_failure() -> None:
    findings = examined("nowhere", "neither")

    assert levels(findings) == {
        "credentials": Level.OK, "clock": Level.OK, "table": Level.FAILURE, "queue": Level.FAILURE,
    }  # fmt: skip
    assert "there is no table nowhere" in told(findings, "table")
    assert "there is no queue neither" in told(findings, "queue")


@pytest.mark.usefixtures("at")
def test_a_fifo_queue_is_a_failure(stage: Stage) -> None:
    name = f"{uuid.uuid4()}.fifo"
    url = stage.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]

    assert levels(examined(stage.name, name))["queue"] is Level.FAILURE
    stage.sqs.delete_queue(QueueUrl=url)


def test_what_may_not_be_looked_at_is_a_warning(stage: Stage, at: FaultProxy) -> None:
    for call in ("DescribeTable", "DescribeContinuousBackups", "DescribeTimeToLive", "GetQueueAttributes"):
        at.always(call, Denied())

    found = levels(examined(stage.name, stage.name))

    assert found == {
        "credentials": Level.OK,
        "clock": Level.OK,
        **dict.fromkeys(("table", "recovery", "time to live", "queue"), Level.WARNING),
    }


def test_what_does_not_answer_is_a_failure(stage: Stage, at: FaultProxy) -> None:
    at.always("DescribeTable", Broken())
    at.always("GetQueueUrl", Broken(503))

    found = levels(examined(stage.name, stage.name))

    assert (found["table"], found["queue"]) == (Level.FAILURE, Level.FAILURE)


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize(
    ("ahead", "level"),
    [
        (2, Level.OK),
        (-2, Level.OK),
        (60, Level.WARNING),
        (-60, Level.WARNING),
        (400, Level.FAILURE),
        (-400, Level.FAILURE),
    ],
)
def test_a_clock_that_disagrees_with_that_of_aws_is_told(stage: Stage, ahead: float, level: Level) -> None:
    clock = SetClock()
    clock.ahead = timedelta(seconds=ahead)

    findings = examined(stage.name, stage.name, clock)

    assert levels(findings)["clock"] is level
    assert level is Level.OK or ("ahead of" if ahead > 0 else "behind") in told(findings, "clock")


@pytest.mark.usefixtures("at")
def test_without_credentials_nothing_else_is_looked_at(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")

    findings = examined(stage.name, stage.name)

    assert levels(findings) == {"credentials": Level.FAILURE}


@pytest.mark.usefixtures("at")
def test_without_a_region_nothing_else_is_looked_at(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    [finding] = examined(stage.name, stage.name)

    assert finding.level is Level.FAILURE
    assert "region" in finding.detail


def test_where_aws_is_out_of_reach_each_thing_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as nowhere:
        for name, value in stage.environment(nowhere).items():
            monkeypatch.setenv(name, value)
        found: dict[str, Any] = levels(examined(stage.name, stage.name))

    assert found == {"credentials": Level.WARNING, "table": Level.FAILURE, "queue": Level.FAILURE}
