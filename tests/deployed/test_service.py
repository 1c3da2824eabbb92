"""What is deployed is used: from the HTTP API to the end of a request, over updates, and to its deletion."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from infra.deploy import Failed

from acuse.domain.finding import Level
from acuse.domain.listing import Filter, Order
from acuse.domain.record import Status
from acuse.domain.tally import SPAN
from acuse.entrypoints.lambdas.dead_letters import FAILURE
from tests.acceptance.service import until
from tests.aws.local import LocalAws
from tests.deployed.stage import (
    HIDDEN_SECONDS,
    NOT_MADE,
    RECEIVES,
    SERVICE,
    STORAGE,
    Stage,
    edited,
    synthesize,
    templates_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.deploy_assembly import Template


@pytest.fixture(scope="module")
def stage(templates: list[Template]) -> Iterator[Stage]:
    """Its queues stand still: what a worker does not answer for comes again when a test lets the time pass."""
    aws = LocalAws(still=True)
    made = Stage(aws)
    made.deploy(templates)
    yield made
    aws.stop()


@pytest.fixture
def changing(stage: Stage, templates: list[Template]) -> Iterator[Stage]:
    """Whatever a test makes of it, it is afterwards as before."""
    yield stage
    stage.deploy(templates)


def test_a_request_is_stored_sent_run_and_finished(stage: Stage) -> None:
    request = stage.accept("echo", text="é")

    ended = stage.ended(request)

    assert (ended["status"], ended["result"]["text"], ended["attempts"]) == ("finished", "é", 1)
    assert ended["finished_at"] > ended["created_at"]


def test_a_split_action_is_merged(stage: Stage) -> None:
    assert stage.submit("sums", upto=30)["result"] == {"sum": 465}


def test_what_takes_its_worker_down_each_time_becomes_a_dead_letter_and_ends_as_failed(
    stage: Stage, tmp_path: Path
) -> None:
    book = tmp_path / "book"

    def deliveries() -> int:
        return len(book.read_text().splitlines()) if book.exists() else 0

    def delivered(times: int) -> None:
        until(lambda: deliveries() == times, f"delivery {times}")

    poisoned = stage.accept("takes-down", book=str(book))
    for delivery in range(1, RECEIVES + 1):
        delivered(delivery)
        assert stage.record(poisoned)["status"] == "accepted"
        stage.aws.pass_time(HIDDEN_SECONDS)
    ended = stage.ended(poisoned)

    assert ended["status"] == "failed"
    assert ended["error"] == {"reason": FAILURE.reason, "detail": FAILURE.detail}
    assert deliveries() == RECEIVES
    until(lambda: not stage.waiting("ProcessingDeadLetters"), "no dead letters")
    assert stage.waiting("ProcessingQueue") == 0


def test_what_was_accepted_and_ended_can_be_looked_at(stage: Stage) -> None:
    since = datetime.now(UTC) - SPAN
    finished, failed = stage.submit("echo"), stage.submit("misbehaves", how="refuses")

    with stage.backend() as backend:

        def told() -> set[tuple[str, Status]]:
            tallies = backend.overview.tallies(since)
            return {(one.action, one.status) for one in tallies if one.count > 0}

        expected = {(action, Status.ACCEPTED) for action in ("echo", "misbehaves")}
        expected |= {("echo", Status.FINISHED), ("misbehaves", Status.FAILED)}
        until(lambda: told() >= expected, "the tallies of the relay")
        page = backend.overview.find(Filter(status=Status.FAILED), 100, None)
        listed = backend.overview.find(Filter(action="echo"), 100, None)

    assert page.order is Order.LAST_FAILED
    assert page.records[0].id == failed["id"]
    assert finished["id"] in [one.id for one in listed.records]


def test_what_was_deployed_is_found_to_be_as_it_must_be(stage: Stage) -> None:
    with stage.backend() as backend:
        assert {one.subject for one in backend.examine() if one.level is not Level.OK} <= NOT_MADE


def test_an_update_of_the_stacks_keeps_every_record(changing: Stage, tmp_path: Path) -> None:
    before = changing.submit("echo", text="before")

    changing.deploy(templates_in(synthesize(tmp_path, log_days=7)))

    with closing(changing.aws.client("logs")) as logs:
        groups = logs.describe_log_groups()["logGroups"]
    assert {group["retentionInDays"] for group in groups} == {7}
    assert changing.record({name: before[name] for name in ("id", "action", "text")}) == before
    assert changing.submit("echo", text="after")["status"] == "finished"


def test_the_service_is_deleted_and_made_anew_over_the_same_records(changing: Stage, templates: list[Template]) -> None:
    before = changing.submit("echo", text="before")

    changing.destroy([template for template in templates if template.stack == SERVICE])

    assert _stacks(changing.aws) == {STORAGE}
    changing.deploy(templates)
    assert changing.record({name: before[name] for name in ("id", "action", "text")}) == before
    assert changing.submit("echo", text="after")["status"] == "finished"


def test_all_is_deleted_but_the_table(changing: Stage, templates: list[Template]) -> None:
    table = changing.output(STORAGE, "TableName")

    changing.destroy(templates)

    assert _stacks(changing.aws) == set()
    assert _left(changing.aws) == {table}


def test_a_change_that_cannot_be_made_is_said_and_undone(
    changing: Stage, templates: list[Template], tmp_path: Path
) -> None:
    def spoil(template: dict[str, Any]) -> None:
        template["Resources"]["Wrong"] = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "m"}}

    with pytest.raises(Failed, match="AWS::CloudWatch::Alarm Wrong: MetricName and Namespace are required"):
        changing.deploy(edited(templates, SERVICE, tmp_path, spoil))

    assert changing.submit("echo")["status"] == "finished"


def _stacks(aws: LocalAws) -> set[str]:
    with closing(aws.client("cloudformation")) as cloudformation:
        return {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}


def _left(aws: LocalAws) -> set[str]:
    """The tables, queues, functions, mappings, APIs, roles and alarms that are there."""
    lists = [
        ("dynamodb", "list_tables", "TableNames", None),
        ("sqs", "list_queues", "QueueUrls", None),
        ("lambda", "list_functions", "Functions", "FunctionName"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
        ("apigatewayv2", "get_apis", "Items", "ApiId"),
        ("iam", "list_roles", "Roles", "RoleName"),
        ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ]
    found = set()
    for service, call, member, name in lists:
        with closing(aws.client(service)) as client:
            found |= {one[name] if name else one for one in getattr(client, call)().get(member, [])}
    return found
