"""One trace from the POST to the merge, of the service as an operator runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.acceptance.service import Running
from tests.otlp import Receiver
from tests.requests import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.otlp import Sent

ACTIONS = """
import os, signal
from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar
from opentelemetry import trace
from acuse import Action, Backoff, Policy, Retry, this_run

tracer = trace.get_tracer("actions")
QUICK = Backoff(first=timedelta(milliseconds=1), most=timedelta(milliseconds=1))


class Squares(Action, tag="squares"):
    upto: int

    def split(self) -> list[int]:
        return list(range(1, self.upto + 1))

    def process(self, part: int) -> int:
        return part * part

    def merge(self, results: Iterable[int]) -> int:
        return sum(results)


class Tells(Action, tag="tells"):
    def run(self) -> str:
        with tracer.start_as_current_span("its own"):
            return this_run().traceparent


class TellsLater(Action, tag="tells-later"):
    async def run(self) -> str:
        with tracer.start_as_current_span("its own"):
            return this_run().traceparent


class Fails(Action, tag="fails"):
    policy: ClassVar[Policy] = Policy(attempts=2, backoff=QUICK)
    how: str

    def run(self) -> None:
        if self.how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "postpones" and this_run().attempt == 2:
            return
        raise Retry("later") if self.how == "postpones" else ValueError("no")
"""
CLIENT = "b7ad6b7169203331"


class Seen(NamedTuple):
    """The record of a request, the span of its POST, and all others of that trace, as they began."""

    record: dict[str, Any]
    post: Sent
    others: list[Sent]


class World:
    """What was asked of a service that has ended since, and what it has traced."""

    def __init__(self, folder: Path) -> None:
        (folder / "actions.py").write_text(ACTIONS)
        with Receiver() as receiver:
            # Nothing is sent before the end: what is there afterwards was sent by processes that drained.
            environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
            with serve(folder, **environment) as self.service:
                # What a runner had not sent when it was killed is lost, so those that kill theirs come first.
                self.failed = {
                    how: self._submit("01", action="fails", how=how) for how in ("raises", "postpones", "dies")
                }
                self.split = self._submit("01", action="squares", upto=3)
                self.alone = self._submit(None, action="squares", upto=1)
                self.unsampled = self._submit("00", action="squares", upto=2)
                self.tells = self._submit("01", action="tells")
                self.tells_later = self._submit("01", action="tells-later")
            self.spans = receiver.spans()

    def seen(self, sent: dict[str, Any]) -> Seen:
        [post] = [
            one
            for one in self.spans
            if one.attributes.get("acuse.request.id") == sent["id"] and one.kind == "SERVER" and not one.links
        ]
        others = [one for one in self.spans if one.trace == post.trace and one is not post]
        return Seen(sent, post, others)

    def _submit(self, flags: str | None, **members: Any) -> dict[str, Any]:
        """The record of the request at its end, with a trace of the client's, of that sort, or without any."""
        sent = {"id": new_id(), **members}
        headers = {} if flags is None else {"traceparent": f"00-{trace_of(sent)}-{CLIENT}-{flags}"}
        assert self.service.client.post(self.service.url, json=sent, headers=headers).status_code == 201
        return self.service.ended(sent)


def serve(folder: Path, **environment: str) -> Running:
    """As an operator runs it, with traces."""
    return Running(folder / "data", "--workers", 1, actions=folder / "actions.py", ACUSE_TRACING="true", **environment)


def trace_of(sent: dict[str, Any]) -> str:
    """A client's trace, one for each request."""
    return str(sent["id"]).replace("-", "")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("traced"))


def test_a_split_request_is_one_trace_from_its_client_to_its_merge(world: World) -> None:
    record, post, steps = world.seen(world.split)

    assert record["result"] == 14
    assert (post.name, post.trace, post.parent) == ("POST /v1/requests", trace_of(record), CLIENT)
    assert [one.name for one in steps] == ["split squares", *["process squares"] * 3, "merge squares"]
    assert {one.parent for one in steps} == {post.id}
    assert sorted(one.attributes["acuse.part"] for one in steps[1:4]) == [1, 2, 3]
    split, *parts, merge = steps
    assert post.start <= split.start <= split.end
    assert all(split.end <= one.start <= one.end <= merge.start for one in parts)
    assert {one.attributes["acuse.outcome"] for one in steps} == {"finished"}
    assert {one.attributes["acuse.request.id"] for one in steps} == {record["id"]}


def test_a_request_without_a_trace_begins_one(world: World) -> None:
    _, post, steps = world.seen(world.alone)

    assert post.parent == ""
    assert [(one.name, one.parent) for one in steps] == [
        ("split squares", post.id),
        ("process squares", post.id),
        ("merge squares", post.id),
    ]


def test_of_a_trace_that_its_client_does_not_sample_nothing_is_kept(world: World) -> None:
    assert world.unsampled["result"] == 5
    assert [one for one in world.spans if one.trace == trace_of(world.unsampled)] == []


@pytest.mark.parametrize("name", ["tells", "tells_later"])
def test_what_an_action_traces_is_below_its_run_and_so_is_what_it_hands_on(world: World, name: str) -> None:
    record, post, (run, own) = world.seen(getattr(world, name))

    assert run.parent == post.id
    assert (own.name, own.parent) == ("its own", run.id)
    assert record["result"] == f"00-{run.trace}-{run.id}-01"
    assert run.start <= own.start <= own.end <= run.end


@pytest.mark.parametrize(
    ("how", "outcomes", "kept"),
    [
        ("raises", ["raised", "raised"], "ValueError: no"),
        ("postpones", ["retry", "finished"], "later"),
        ("dies", ["crashed", "crashed"], "SIGKILL"),
    ],
)
def test_each_attempt_is_a_span_and_says_why_it_failed(world: World, how: str, outcomes: list[str], kept: str) -> None:
    _, post, attempts = world.seen(world.failed[how])

    assert [one.name for one in attempts] == ["run fails"] * 2
    assert [one.attributes["acuse.attempt"] for one in attempts] == [1, 2]
    assert [one.attributes["acuse.outcome"] for one in attempts] == outcomes
    assert {one.parent for one in attempts} == {post.id}
    assert kept in (attempts[0].error or "")
    assert (attempts[1].error is None) == (outcomes[1] == "finished")
    assert attempts[0].end <= attempts[1].start


def test_without_a_receiver_everything_ends_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "actions.py").write_text(ACTIONS)
    with serve(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_BSP_SCHEDULE_DELAY="10") as service:
        sent = [service.accept(action="squares", upto=3) for _ in range(5)]

        assert {service.ended(one)["result"] for one in sent} == {14}
    assert service.process.returncode == 0
