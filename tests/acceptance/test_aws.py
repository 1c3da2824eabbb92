"""The service on AWS, end to end on a local one: its API, its functions, its table and its queues."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.acceptance.plane import ops_plane, samples
from tests.acceptance.service import ACTIONS, Running, acuse, exists, until
from tests.aws.local import LocalAws, local_aws
from tests.aws.stack import Stack
from tests.otlp import Receiver
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

BUNDLE = Path(__file__).parent.parent.parent / "build" / "bundle"


class Deployed:
    """What a client and an operator see of it."""

    def __init__(self, aws: LocalAws, stack: Stack) -> None:
        self.aws = aws
        self.stack = stack
        self.http = httpx.Client(base_url=stack.api_url, timeout=30)

    def post(self, **members: Any) -> httpx.Response:
        return self.http.post("/v1/requests", json=members)

    def ended(self, request: dict[str, Any]) -> dict[str, Any]:
        """The record, read by sending the request again, when it has ended."""

        def record() -> dict[str, Any] | None:
            answer: dict[str, Any] = self.post(**request).json()
            return answer if answer["finished_at"] else None

        found: dict[str, Any] = until(record, f"the end of {request}")
        return found

    def accept(self, action: str, **members: Any) -> dict[str, Any]:
        request = {"id": new_id(), "action": action, **members}
        assert self.post(**request).status_code == 201
        return request

    def submit(self, action: str, **members: Any) -> dict[str, Any]:
        """The record at its end."""
        return self.ended(self.accept(action, **members))

    def command(self, *arguments: object) -> Any:
        store = f"dynamodb://{self.stack.table}"
        return acuse(*arguments, "--store", store, env={**os.environ, **self.aws.environment})


@contextmanager
def deploy(**options: Any) -> Iterator[Deployed]:
    assert BUNDLE.is_dir(), "run `make bundle` first"
    aws = local_aws()
    environment = {"ACUSE_ACTIONS": str(ACTIONS), "ACUSE_POSTPONE": "1"}
    with Stack(aws, BUNDLE, environment=environment, visibility=2, max_receive_count=3, **options) as stack:
        deployed = Deployed(aws, stack)
        yield deployed
        deployed.http.close()


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with deploy() as made:
        yield made


@pytest.fixture(scope="module")
def without_functions() -> Iterator[Deployed]:
    """Processed by workers of `acuse serve` and `acuse work` alone."""
    with deploy(has_worker=False) as made:
        yield made


def test_a_request_is_accepted_processed_and_finished(deployed: Deployed) -> None:
    request = {"id": new_id(), "action": "delay", "seconds": 0.1, "note": {"n": [1.5, None, True, ""]}}

    first = deployed.post(**request)

    assert first.status_code == 201
    assert first.json()["status"] == "accepted"
    ended = deployed.ended(request)
    assert ended["status"] == "finished"
    assert ended["result"] == {"seconds": 0.1}
    assert ended["finished_at"] > ended["created_at"]
    assert {name: ended[name] for name in request} == request


def test_the_public_contract_holds_behind_the_api(deployed: Deployed) -> None:
    request = deployed.accept("echo", text="é")

    assert deployed.post(**request).status_code == 200
    conflict = deployed.post(**{**request, "text": "other"})
    assert (conflict.status_code, conflict.headers["content-type"]) == (409, "application/problem+json")
    assert conflict.json()["instance"] == f"urn:uuid:{request['id']}"
    assert deployed.http.get("/v1/requests").headers["allow"] == "POST"
    assert deployed.http.post("/elsewhere", json=request).status_code == 404
    assert deployed.http.post("/v1/requests", content=b"{", headers={"content-type": "application/json"}).is_error
    assert deployed.post(id=new_id(), action="nothing").json()["errors"][0]["pointer"] == "#/action"


def test_a_split_action_is_merged(deployed: Deployed) -> None:
    ended = deployed.submit("sums", upto=30)

    assert ended["result"] == {"sum": 465}


def test_failed_parts_are_run_again_on_demand(deployed: Deployed, tmp_path: Path) -> None:
    book = tmp_path / "book"
    ended = deployed.submit("sums", upto=5, bad=3, book=str(book))

    assert (ended["status"], ended["error"]["reason"]) == ("failed", "parts-failed")
    assert "part 3" in ended["error"]["detail"]
    first = book.read_text().splitlines()
    assert first.count("part 3") == 2

    assert deployed.command("retry", ended["id"]).returncode == 0

    request = {name: ended[name] for name in ("id", "action", "upto", "bad", "book")}
    deployed.ended(request)
    again = book.read_text().splitlines()[len(first) :]
    assert again == ["part 3", "part 3"]


@pytest.mark.parametrize(
    ("how", "reason", "attempts"),
    [("raises", "raised", 2), ("leaves", "crashed", 2), ("hangs", "timed-out", 2), ("refuses", "refused", 1)],
)
def test_a_run_that_goes_wrong_ends_as_it_does_anywhere(
    deployed: Deployed, how: str, reason: str, attempts: int
) -> None:
    ended = deployed.submit("misbehaves", how=how)

    assert (ended["status"], ended["error"]["reason"], ended["attempts"]) == ("failed", reason, attempts)


def test_a_retry_that_was_asked_for_is_made(deployed: Deployed) -> None:
    ended = deployed.submit("misbehaves", how="postpones")

    assert (ended["status"], ended["attempts"]) == ("finished", 2)


def test_what_takes_its_function_down_again_and_again_ends_as_failed(deployed: Deployed, tmp_path: Path) -> None:
    book = tmp_path / "book"
    ended = deployed.submit("takes-down", book=str(book))

    assert (ended["status"], ended["error"]["reason"]) == ("failed", "abandoned")
    assert len(book.read_text().splitlines()) == 3


def test_what_is_no_message_harms_no_other(deployed: Deployed) -> None:
    sqs = deployed.aws.client("sqs")
    sqs.send_message(QueueUrl=deployed.stack.queue_url, MessageBody="what?")

    assert deployed.submit("echo")["status"] == "finished"

    def left() -> int:
        urls = (deployed.stack.queue_url, deployed.stack.dead_letters_url)
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in urls]
        return sum(int(count) for one in told for count in one.values())

    until(lambda: left() == 0, "the message to be put away")


def test_no_more_runs_than_its_bound_are_under_way(deployed: Deployed, tmp_path: Path) -> None:
    book = tmp_path / "book"
    requests = [deployed.accept("alone", book=str(book)) for _ in range(4)]

    for request in requests:
        assert deployed.ended(request)["status"] == "finished"

    assert book.read_text().split() == ["begin", "end"] * 4


def test_a_container_serves_and_works_over_the_same_data(without_functions: Deployed, tmp_path: Path) -> None:
    with _serve(without_functions, tmp_path) as service:
        until(service.ready, "the service to be ready")
        sent = service.accept(text="here")
        through_the_api = without_functions.accept("sums", upto=20)

        assert service.ended(sent)["result"]["text"] == "here"
        assert without_functions.ended(through_the_api)["result"] == {"sum": 210}
        shown = without_functions.command("show", sent["id"])
        assert json.loads(shown.stdout)["status"] == "finished"


def test_a_container_traces_what_it_takes_in_and_what_it_runs(without_functions: Deployed, tmp_path: Path) -> None:
    trace, client = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"traceparent": f"00-{trace}-{client}-01"}
    with Receiver() as receiver:
        environment = {"ACUSE_TRACING": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        with _serve(without_functions, tmp_path, **environment) as service:
            here, through_the_api = [{"id": new_id(), "action": "sums", "upto": 1} for _ in range(2)]
            assert service.client.post(service.url, json=here, headers=headers).status_code == 201
            assert without_functions.http.post("/v1/requests", json=through_the_api, headers=headers).is_success
            assert service.ended(here)["result"] == service.ended(through_the_api)["result"] == {"sum": 1}

        post, *others = receiver.spans(trace)
        above = {
            one["id"]: {span.parent for span in others if span.attributes["acuse.request.id"] == one["id"]}
            for one in (here, through_the_api)
        }
        assert (post.name, post.parent) == ("POST /v1/requests", client)
        assert len(others) == 6
        assert above == {here["id"]: {post.id}, through_the_api["id"]: {client}}, (
            "a function hands on what it was given"
        )


def test_what_a_killed_worker_held_is_taken_up_by_another(without_functions: Deployed, tmp_path: Path) -> None:
    book, until_file = tmp_path / "book", tmp_path / "until"
    with _serve(without_functions, tmp_path) as service:
        sent = service.accept(action="notes", book=str(book), until=str(until_file))
        until(book.exists, "the run to begin")

        killed = service.kill("worker")

        until(lambda: not any(map(exists, killed)), "the workers to be gone")
        until_file.touch()
        ended = service.ended(sent)
    assert (ended["status"], ended["attempts"]) == ("finished", 2)


def test_a_worker_that_is_to_end_gives_back_what_it_runs_uncharged(without_functions: Deployed, tmp_path: Path) -> None:
    book, until_file = tmp_path / "book", tmp_path / "until"
    with _serve(without_functions, tmp_path, ACUSE_DRAIN="0.2") as service:
        sent = service.accept(action="notes", book=str(book), until=str(until_file))
        until(book.exists, "the run to begin")

        service.kill("worker", signal.SIGTERM)

        until(lambda: len(book.read_text().splitlines()) > 1, "the run to begin again")
        until_file.touch()
        assert service.ended(sent)["attempts"] == 1


def test_a_store_or_a_queue_that_is_not_there_is_said_at_once(without_functions: Deployed) -> None:
    environment = {**os.environ, **without_functions.aws.environment}

    no_table = acuse("serve", "--store", "dynamodb://nowhere", "--queue", "sqs://nowhere", env=environment)
    table = f"dynamodb://{without_functions.stack.table}"
    no_queue = acuse("work", "--store", table, "--queue", "sqs://nowhere", env=environment)

    assert (no_table.returncode, "ResourceNotFound" in no_table.stderr) == (3, True)
    assert (no_queue.returncode, "there is no queue nowhere" in no_queue.stderr) == (2, True)


def _serve(deployed: Deployed, folder: Path, **environment: str) -> Running:
    chosen = {"ACUSE_VISIBILITY": "2", "ACUSE_POSTPONE": "1", **deployed.aws.environment, **environment}
    where = ("--store", f"dynamodb://{deployed.stack.table}", "--queue", f"sqs://{deployed.stack.queue_name}")
    return Running(folder / "data", *where, actions=ACTIONS, **chosen)


def test_the_ops_plane_alone_looks_at_table_and_queue(deployed: Deployed) -> None:
    sent = deployed.submit("echo")
    stack = deployed.stack
    places = ("--store", f"dynamodb://{stack.table}", "--queue", f"sqs://{stack.queue_name}")

    with ops_plane("ops", *places, **deployed.aws.environment) as (client, _):
        ready = client.get("/health/ready")
        found = samples(client, "/metrics")
        page = client.get(f"/requests/{sent['id']}")

    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": {"store": True}})
    assert (found['acuse_waiting{action="all"}'], found["acuse_store_up"]) == (0, 1)
    assert page.status_code == 200
