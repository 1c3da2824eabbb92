from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from tests.acceptance.service import until
from tests.aws.local import LocalAws, local_aws
from tests.aws.stack import HANDLERS, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLER = """
import json, os, pathlib

def handler(event, context):
    with pathlib.Path(os.environ["SEEN"], __name__.rpartition(".")[2]).open("a") as file:
        file.write(json.dumps(event) + "\\n")
    return answer(event)
"""
ANSWERS = {
    "api": 'return {"statusCode": 201, "body": json.dumps({k: os.environ[k] for k in ("ACUSE_STORE", "ACUSE_QUEUE")})}',
    "relay": "return None",
    "worker": (
        'return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}'
        ' for record in event["Records"] if "poison" in record["body"]]}'
    ),
    "dead_letters": 'return {"batchItemFailures": []}',
}


class Stage(NamedTuple):
    aws: LocalAws
    stack: Stack
    seen: Path

    def records(self, name: str) -> list[dict[str, Any]]:
        """All that reached that function in batches."""
        file = self.seen / name
        lines = file.read_text().splitlines() if file.exists() else []
        return [record for line in lines for record in json.loads(line)["Records"]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bundle")
    folder = root
    for part in HANDLERS.split("."):
        folder /= part
        folder.mkdir()
        (folder / "__init__.py").touch()
    for name, answer in ANSWERS.items():
        (folder / f"{name}.py").write_text(f"{HANDLER}\ndef answer(event):\n    {answer}\n")
    return root


@pytest.fixture(scope="module")
def stage(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    seen = tmp_path_factory.mktemp("seen")
    aws = local_aws()
    with Stack(aws, bundle, environment={"SEEN": str(seen)}, max_receive_count=2, visibility=2) as stack:
        yield Stage(aws, stack, seen)


def test_a_post_reaches_the_api_with_its_path_and_its_body(stage: Stage) -> None:
    response = httpx.post(f"{stage.stack.api_url}/v1/requests?a=b", json={"id": "1"}, timeout=30)

    assert response.status_code == 201, response.text
    assert response.json() == {
        "ACUSE_STORE": f"dynamodb://{stage.stack.table}",
        "ACUSE_QUEUE": f"sqs://{stage.stack.queue_name}",
    }
    event = json.loads((stage.seen / "api").read_text())
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/v1/requests", "a=b")
    assert event["requestContext"]["http"]["method"] == "POST"
    assert json.loads(event["body"]) == {"id": "1"}


def test_an_item_reaches_the_relay_before_and_after_each_change(stage: Stage) -> None:
    item = {"id": {"S": "one"}, "_part": {"N": "0"}}
    with closing(stage.aws.client("dynamodb")) as dynamodb:
        dynamodb.put_item(TableName=stage.stack.table, Item=item)
        dynamodb.put_item(TableName=stage.stack.table, Item={**item, "more": {"BOOL": True}})

    records = until(lambda: len(found := stage.records("relay")) == 2 and found, "both records")
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY"]
    assert records[1]["dynamodb"]["OldImage"] == item
    assert records[1]["dynamodb"]["NewImage"] == {**item, "more": {"BOOL": True}}


def test_messages_reach_the_worker_and_those_that_fail_the_dead_letters(stage: Stage) -> None:
    with closing(stage.aws.client("sqs")) as sqs:
        bodies = ("good", "poison", "fine")
        entries = [{"Id": body, "MessageBody": body} for body in bodies]
        sqs.send_message_batch(QueueUrl=stage.stack.queue_url, Entries=entries)

        letters = until(lambda: stage.records("dead_letters"), "the dead letter")
        assert [letter["body"] for letter in letters] == ["poison"]
        assert [record["body"] for record in stage.records("worker")].count("poison") == 2
        assert {record["body"] for record in stage.records("worker")} == set(bodies)
        until(lambda: not _left(sqs, stage.stack.queue_url), "an empty queue")
        until(lambda: not _left(sqs, stage.stack.dead_letters_url), "no dead letters")


def test_nothing_is_left_of_a_stack_and_two_do_not_meet(bundle: Path, tmp_path: Path) -> None:
    aws = local_aws()
    before = _all(aws)
    with (
        Stack(aws, bundle, environment={"SEEN": str(tmp_path)}) as one,
        Stack(aws, bundle, environment={"SEEN": str(tmp_path)}) as other,
    ):
        names = [(stack.table, stack.queue_url, stack.dead_letters_url, stack.api_url) for stack in (one, other)]
        assert len({*names[0], *names[1]}) == 8
        assert len(_all(aws)) == len(before) + 2 * 11

    assert _all(aws) == before


def _left(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(told[name]) for name in names)


def _pages(client: Any, operation: str, what: str) -> Iterator[Any]:
    """Other tests of this process may have left more than one page holds."""
    for page in client.get_paginator(operation).paginate():
        yield from page.get(what, [])


def _all(aws: LocalAws) -> set[str]:
    """The tables, queues, functions, mappings and APIs that are there."""
    with (
        closing(aws.client("dynamodb")) as dynamodb,
        closing(aws.client("sqs")) as sqs,
        closing(aws.client("lambda")) as functions,
        closing(aws.client("apigatewayv2")) as gateway,
    ):
        return {
            *_pages(dynamodb, "list_tables", "TableNames"),
            *_pages(sqs, "list_queues", "QueueUrls"),
            *(one["FunctionArn"] for one in _pages(functions, "list_functions", "Functions")),
            *(one["UUID"] for one in _pages(functions, "list_event_source_mappings", "EventSourceMappings")),
            *(one["ApiId"] for one in gateway.get_apis()["Items"]),
        }
