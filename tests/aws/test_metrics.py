"""What the relay counts, as CloudWatch would read it from the log of the function under the real runtime client."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from acuse.adapters.clock import SystemClock
from acuse.domain.record import Failure, Key, Reason
from tests.aws.runtime import Function, FunctionError
from tests.aws.stage import Stage, closed_port, due
from tests.requests import record

FAILURE = Failure(Reason.RAISED, "no")
UNITS = {"Accepted": "Count", "Finished": "Count", "Failed": "Count", "TimeToEnd": "Seconds"}
MAX_VALUES = 100


def told(function: Function, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents of the Embedded Metric Format that one call wrote, each of them valid."""
    before = len(function.log)
    assert function.invoke({"Records": records}) is None
    documents = [json.loads(line) for line in function.log[before:].splitlines() if line.startswith('{"_aws"')]
    for one in documents:
        check(one)
    return documents


def check(document: dict[str, Any]) -> None:
    """As the specification has it: amazonaws.com, "Embedded metric format document structure"."""
    metadata = document["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(metadata["Timestamp"], int)
    assert len(str(metadata["Timestamp"])) == len("1767225600000"), "milliseconds are wanted"
    [directive] = metadata["CloudWatchMetrics"]
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert directive["Namespace"] == "acuse"
    assert directive["Dimensions"] == [["service"]]
    assert isinstance(document["service"], str)
    assert {one["Name"]: one["Unit"] for one in directive["Metrics"]}.items() <= UNITS.items()
    for metric in directive["Metrics"]:
        assert set(metric) == {"Name", "Unit"}
        values = document[metric["Name"]]
        assert 1 <= len(values) <= MAX_VALUES
        assert all(isinstance(value, float) for value in values)
    assert set(document) == {"_aws", "service", *(one["Name"] for one in directive["Metrics"])}


def sums(documents: list[dict[str, Any]]) -> dict[str, float]:
    return {name: sum(sum(one.get(name, [])) for one in documents) for name in ("Accepted", "Finished", "Failed")}


def test_requests_are_counted_when_they_are_accepted_and_when_they_end(stage: Stage, relay: Function) -> None:
    long_ago = record(SystemClock().now() - timedelta(hours=1), action="echo")
    stage.store.add([long_ago])
    requests = [stage.add("echo") for _ in range(3)]

    [accepted] = told(relay, stage.changes())

    assert accepted["service"] == stage.name
    assert (accepted["Accepted"], accepted["Finished"], accepted["Failed"]) == ([4.0], [0.0], [0.0])
    assert "TimeToEnd" not in accepted
    stage.end(*(Key(one.id) for one in requests[:2]), plan=0)
    stage.end(Key(long_ago.id), plan=0, error=FAILURE)

    [ended] = told(relay, stage.changes())

    assert (ended["Accepted"], ended["Finished"], ended["Failed"]) == ([0.0], [2.0], [1.0])
    at = stage.record(long_ago.id).finished_at
    assert at is not None
    assert max(ended["TimeToEnd"]) == (at - long_ago.created_at).total_seconds() >= 3_600
    assert len(ended["TimeToEnd"]) == 3


def test_of_a_split_request_only_the_request_is_counted(stage: Stage, relay: Function) -> None:
    request = stage.planned("sums", 3, upto=3)
    stage.end(*(Key(request.id, part) for part in (1, 2, 3)))

    assert sums(told(relay, stage.changes())) == {"Accepted": 1, "Finished": 0, "Failed": 0}

    stage.end(Key(request.id), result=b'{"sum":6}')
    assert sums(told(relay, stage.changes())) == {"Accepted": 0, "Finished": 1, "Failed": 0}


def test_what_is_sent_again_opened_again_or_removed_counts_for_nothing(stage: Stage, relay: Function) -> None:
    request = stage.add("echo")
    stage.end(Key(request.id), plan=0, error=FAILURE)
    [_, ended] = stage.changes()
    images = {**ended["dynamodb"], "OldImage": ended["dynamodb"]["NewImage"]}
    del images["NewImage"]

    stage.store.add([request])
    assert stage.store.reopen([request.id]) == [True]
    [reopened] = stage.changes()
    assert told(relay, [reopened, {**ended, "eventName": "REMOVE", "dynamodb": images}]) == []

    stage.end(Key(request.id), plan=1)
    assert sums(told(relay, stage.changes())) == {"Accepted": 0, "Finished": 1, "Failed": 0}


def test_many_ends_are_told_in_several_documents(stage: Stage, relay: Function) -> None:
    at = SystemClock().now()
    many = [record(at, action="echo") for _ in range(2 * MAX_VALUES + 50)]
    stage.store.add(many)
    stage.end(*(Key(one.id) for one in many), plan=0)

    documents = told(relay, stage.changes())

    assert sums(documents) == {"Accepted": 250, "Finished": 250, "Failed": 0}
    assert [len(one["TimeToEnd"]) for one in documents] == [100, 100, 50]


def test_exactly_as_many_ends_as_one_document_holds_are_told_once(stage: Stage, relay: Function) -> None:
    at = SystemClock().now()
    many = [record(at, action="echo") for _ in range(MAX_VALUES)]
    stage.store.add(many)
    stage.forget()
    stage.end(*(Key(one.id) for one in many), plan=0)

    documents = told(relay, stage.changes())

    assert sums(documents) == {"Accepted": 0, "Finished": 100, "Failed": 0}
    assert sum(len(one.get("TimeToEnd", [])) for one in documents) == 100
    assert "UserWarning" not in relay.log


def test_the_service_may_have_a_name_of_its_own(stage: Stage) -> None:
    stage.add("echo")
    with stage.function("relay", POWERTOOLS_SERVICE_NAME="orders") as relay:
        [document] = told(relay, stage.changes())

    assert document["service"] == "orders"


def test_a_batch_that_failed_counted_nothing_and_told_why(stage: Stage) -> None:
    stage.add("echo")
    changes = stage.changes()
    with closed_port() as nowhere, stage.function("relay", endpoint=nowhere) as relay:
        with pytest.raises(FunctionError) as raised:
            relay.invoke({"Records": changes})
        log = relay.log

    assert raised.value.error_type == "StoreUnavailable"
    assert "[ERROR] StoreUnavailable: " in log
    assert '"_aws"' not in log


def test_what_cannot_be_counted_is_logged_and_its_messages_are_sent(stage: Stage, relay: Function) -> None:
    request, ended = stage.add("echo"), stage.add("echo")
    stage.forget()
    stage.end(Key(ended.id), plan=0)
    [change] = stage.changes()
    del change["dynamodb"]["NewImage"]["finished_at"]
    added = stage.add("echo")

    assert told(relay, [change, *stage.changes()]) == []

    assert stage.sent() == [due(added)]
    assert "a batch is missing from the metrics changes=2" in relay.log
    assert "KeyError: 'finished_at'" in relay.log
    assert request.id not in relay.log


def test_where_lambda_logs_json_so_does_the_function(stage: Stage) -> None:
    ended = stage.add("echo")
    stage.forget()
    stage.end(Key(ended.id), plan=0)
    [change] = stage.changes()
    del change["dynamodb"]["NewImage"]["finished_at"]
    with stage.function("relay", AWS_LAMBDA_LOG_FORMAT="JSON") as relay:
        assert told(relay, [change]) == []
        [line] = [json.loads(line) for line in relay.log.splitlines()]

    assert (line["level"], line["message"]) == ("ERROR", "a batch is missing from the metrics")
    assert (line["changes"], line["errorType"], line["errorMessage"]) == (1, "KeyError", "'finished_at'")
    assert line["requestId"]
