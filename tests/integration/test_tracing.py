"""Spans, from the adapter and from the public plane, at a receiver that decodes what it is sent."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from opentelemetry import trace

from acuse.adapters.clock import SystemClock
from acuse.adapters.memory import Memory, MemoryStore
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.adapters.receiver import examine_receiver
from acuse.adapters.tracing import Tracing
from acuse.bootstrap import load_catalogue, tracing_of
from acuse.config import Settings
from acuse.domain.errors import Misconfigured
from acuse.domain.finding import Finding, Level
from acuse.domain.record import Failure, Reason
from acuse.domain.task import Step, Task
from acuse.entrypoints.api.app import Api
from acuse.entrypoints.api.traced import Traced
from tests.acceptance.service import acuse, until
from tests.integration.server import hosted
from tests.otlp import Receiver
from tests.requests import body, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.otlp import Sent

TRACE = "0af7651916cd43dd8448eb211c80319c"
CLIENT = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{CLIENT}-01"
UNSAMPLED = f"00-{TRACE}-{CLIENT}-00"
JSON = {"content-type": "application/json"}


def task(traceparent: str | None = SAMPLED, **members: Any) -> Task:
    plain = Task(
        id=new_id(), part=0, attempt=1, step=Step.RUN, action="quick", body=b"{}", time_limit=timedelta(seconds=1)
    )
    return msgspec.structs.replace(plain, traceparent=traceparent, **members)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        yield found
        # Who goes on sending uses `random`, which the next test's Hypothesis would take for its own strategy's doing.
        found.gate.set()
        until(lambda: not any(one.name == "acuse-tracing" for one in threading.enumerate()), "all is sent")


def spent(tracing: Tracing, *tasks: Task) -> list[str | None]:
    """Each had a span; what its runner was handed."""
    handed = []
    for one in tasks:
        span = tracing.attempt(one)
        handed.append(span.inside(one).traceparent)
        span.end("finished", None)
    tracing.close()
    return handed


def test_an_attempt_is_a_span_below_what_its_record_names_and_above_what_it_causes(receiver: Receiver) -> None:
    sent = task(part=3, attempt=2, step=Step.PROCESS)

    [handed] = spent(Tracing(), sent)

    [span] = receiver.spans()
    assert (span.name, span.kind, span.trace, span.parent) == ("process quick", "CONSUMER", TRACE, CLIENT)
    assert handed == f"00-{TRACE}-{span.id}-01"
    assert span.error is None
    assert span.attributes == {
        "acuse.request.id": sent.id,
        "acuse.part": 3,
        "acuse.attempt": 2,
        "acuse.outcome": "finished",
        "messaging.system": "acuse",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "quick",
        "messaging.message.id": sent.id,
    }
    assert span.end >= span.start


def test_a_failed_attempt_says_why(receiver: Receiver) -> None:
    tracing = Tracing()

    tracing.attempt(task()).end("raised", Failure(Reason.RAISED, "ValueError: no"))
    tracing.close()

    [span] = receiver.spans()
    assert span.error == "ValueError: no"
    assert (span.attributes["acuse.outcome"], span.attributes["error.type"]) == ("raised", "raised")


def test_of_a_trace_that_is_not_sampled_nothing_is_sent_and_what_follows_hears_so(receiver: Receiver) -> None:
    [handed] = spent(Tracing(), task(UNSAMPLED))

    assert receiver.spans() == []
    assert handed is not None
    assert (handed[:36], handed[-3:]) == (UNSAMPLED[:36], "-00")


def test_what_comes_without_a_trace_begins_one(receiver: Receiver) -> None:
    [handed] = spent(Tracing(), task(None))

    [span] = receiver.spans()
    assert span.parent == ""
    assert handed is not None
    assert handed.startswith(f"00-{span.trace}-{span.id}-")


def test_the_variables_of_open_telemetry_say_who_sends_how_much_to_whom(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "billing")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")

    spent(Tracing(), task(), task(None))

    [span] = receiver.spans()
    assert span.trace == TRACE
    assert span.resource["service.name"] == "billing"
    assert span.resource["deployment.environment.name"] == "test"
    assert receiver.headers[0]["authorization"] == "Bearer secret"
    assert receiver.paths == ["/v1/traces"]


def test_without_them_the_service_goes_by_its_own_name(receiver: Receiver) -> None:
    spent(Tracing(), task())

    [span] = receiver.spans()
    assert span.resource["service.name"] == "acuse"
    assert span.resource["service.version"]


@pytest.mark.parametrize(("name", "value"), [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_SDK_DISABLED", "true")])
def test_where_they_say_that_nothing_is_sent_a_trace_is_handed_on_all_the_same(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    [handed] = spent(Tracing(), task())

    assert receiver.spans() == []
    assert handed is not None
    assert handed.startswith(f"00-{TRACE}-")


def test_where_they_switch_it_off_what_has_no_trace_gets_none(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    assert spent(Tracing(), task(None)) == [None]
    assert receiver.spans() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:port/v1/traces"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://it:s3cret@collector:port"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Bearer s3cret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b, s3cret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret;c=d"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=s3cret%0A"),
    ],
)
def test_what_they_cannot_mean_is_refused_at_the_start_and_no_key_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(Misconfigured, match="spans") as raised:
        Tracing()

    assert "s3cret" not in f"{raised.value} {caplog.text}"


def test_the_key_of_a_receiver_is_sent_to_it_and_told_to_nobody_else(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", " authorization=Bearer s3cret,, x-key = a%2Cs3cret=")

    spent(Tracing(), task())

    assert [(one["authorization"], one["x-key"]) for one in receiver.headers] == [("Bearer s3cret", "a,s3cret=")]
    assert "s3cret" not in caplog.text
    told = examine_receiver({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url.replace("//", "//it:s3cret@")})
    assert told.detail == f"somebody listens at {receiver.url}/v1/traces"


def test_that_a_receiver_takes_nothing_is_not_said_of_every_batch(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    receiver.status = 401

    spent(Tracing(), *[task() for _ in range(3)])

    assert len(receiver.paths) == 3
    [line] = caplog.messages
    assert "401" in line


@pytest.mark.timeout(20)
def test_a_receiver_that_does_not_answer_is_waited_for_by_nobody(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
    receiver.gate.clear()

    spent(Tracing(), *[task() for _ in range(1_000)])

    assert receiver.spans() == []
    assert [line.levelno for line in caplog.records].count(logging.WARNING) == 1, "and that is not said again and again"


def test_what_actions_trace_is_sent_below_the_run_unless_they_see_to_it_themselves(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from acuse.adapters.tracing import Tracing\n"
        "early = trace.get_tracer('early')\n"
        "tracing = Tracing()\n"
        "if 'own' in sys.argv: trace.set_tracer_provider(TracerProvider())\n"
        "tracing.adopt()\n"
        f"with tracing.below('{SAMPLED}'), early.start_as_current_span('inner'): pass\n"
        "with early.start_as_current_span('outside'): pass\n"
        "tracing.close()\n"
    )
    with Receiver() as receiver:
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}

        subprocess.run([sys.executable, program], check=True, env=environment)
        sent = receiver.spans()
        own = subprocess.run([sys.executable, program, "own"], check=True, env=environment, capture_output=True)

        assert [(one.name, one.parent) for one in sent] == [("inner", CLIENT), ("outside", "")]
        assert receiver.spans() == sent
        assert own.stderr == b"", "and nothing complains"


def test_without_its_packages_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "acuse.adapters.tracing")
    monkeypatch.delattr("acuse.adapters.tracing")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(Misconfigured, match=r"pip install 'acuse\[otel\]'"):
        tracing_of(Settings(tracing=True))


def test_an_examination_says_where_they_would_go(receiver: Receiver) -> None:
    here = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{receiver.url}/"}

    assert examine_receiver(here) == Finding(Level.OK, "traces", f"somebody listens at {receiver.url}/v1/traces")
    assert examine_receiver(here | {"OTEL_TRACES_EXPORTER": "none"}).detail.startswith("none is sent")
    refused = examine_receiver(here | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert (refused.level, refused.detail[:35]) == (Level.FAILURE, "OTEL_EXPORTER_OTLP_PROTOCOL is grpc")
    assert receiver.paths == []


@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_service_that_cannot_send_as_it_is_told_does_not_start(command: str, tmp_path: Path) -> None:
    environment = {**os.environ, "ACUSE_TRACING": "true", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}

    ended = acuse(command, data=tmp_path / "data", env=environment)

    assert ended.returncode == 2
    assert "OTEL_EXPORTER_OTLP_PROTOCOL" in ended.stderr


class Plane:
    """The public plane over memory, traced."""

    def __init__(self, tracing: Tracing, client: httpx.Client, store: MemoryStore, receiver: Receiver) -> None:
        self.client = client
        self.store = store
        self._tracing = tracing
        self._receiver = receiver

    def post(self, content: bytes, path: str = "/v1/requests", **headers: str) -> httpx.Response:
        return self.client.post(path, content=content, headers=JSON | headers)

    def span(self, count: int = 1) -> Sent:
        """The last of so many."""
        found: list[Sent] = until(lambda: len(self._receiver.spans()) == count and self._receiver.spans(), "the spans")
        return found[-1]

    def close(self) -> list[Sent]:
        self._tracing.close()
        return self._receiver.spans()


@pytest.fixture
def plane(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plane]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    store = MemoryStore(Memory(SystemClock()))
    tracing, settings, made = Tracing(), Settings(), []

    def make() -> Traced:
        made.append(Api(store, MemoryKeyring(), SystemClock(), load_catalogue([]), settings, lambda: None))
        made[0].start()
        return Traced(made[0], tracing)

    def close() -> None:
        made[0].close()

    with (
        hosted(make, settings, close) as ((host, port), _),
        httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client,
    ):
        yield Plane(tracing, client, store, receiver)
    tracing.close()


def test_a_post_is_a_span_below_its_clients_and_above_its_record(plane: Plane) -> None:
    id_ = new_id()

    assert plane.post(body(id=id_), traceparent=SAMPLED).status_code == 201

    span = plane.span()
    assert (span.name, span.kind, span.trace, span.parent) == ("POST /v1/requests", "SERVER", TRACE, CLIENT)
    assert plane.store.get([id_])[id_].traceparent == f"00-{TRACE}-{span.id}-01"
    port = int(plane.client.base_url.port or 0)
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/requests",
        "http.response.status_code": 201,
        "url.path": "/v1/requests",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": port,
        "acuse.request.id": id_,
        "acuse.action": "delay",
    }


def test_a_replay_is_a_span_of_its_own_that_links_the_trace_of_the_first(plane: Plane) -> None:
    sent = body()
    plane.post(sent, traceparent=SAMPLED)
    first = plane.span()

    assert plane.post(sent).status_code == 200

    again = plane.span(2)
    assert again.trace != first.trace
    assert again.links == (f"{TRACE}-{first.id}",)
    assert first.links == ()
    id_ = first.attributes["acuse.request.id"]
    assert plane.store.get([id_])[id_].traceparent == f"00-{TRACE}-{first.id}-01"


@pytest.mark.parametrize("traceparent", ["nonsense", f"{SAMPLED}, {SAMPLED}"])
def test_an_invalid_trace_is_ignored_and_a_new_one_begins(plane: Plane, traceparent: str) -> None:
    plane.post(body(), traceparent=traceparent)

    assert plane.span().parent == ""


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_many_requests_are_one_span_that_counts_them_and_all_have_its_trace(plane: Plane, media_type: str) -> None:
    sent = [body(), body(), b'{"id": 7}']
    content = b"\n".join(sent) if media_type.endswith("ndjson") else b"[" + b",".join(sent) + b"]"

    answer = plane.client.post("/v1/requests", content=content, headers={"content-type": media_type})

    assert answer.status_code == 207
    span = plane.span()
    counted = {name: span.attributes[f"acuse.{name}"] for name in ("items", "accepted", "refused")}
    assert counted == {"items": 3, "accepted": 2, "refused": 1}
    ids = [msgspec.json.decode(one)["id"] for one in sent[:2]]
    [kept] = {one.traceparent for one in plane.store.get(ids).values()}
    assert kept is not None
    assert kept.startswith(f"00-{span.trace}-{span.id}-")


def test_what_the_client_did_wrong_is_no_error_of_ours(plane: Plane) -> None:
    assert plane.post(b"{}").status_code == 422

    span = plane.span()
    assert (span.attributes["http.response.status_code"], span.error) == (422, None)


def test_what_nobody_foresaw_is(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(plane.store, "get", breaks)

    assert plane.post(body(action="unknown")).status_code == 500

    span = plane.span()
    assert (span.attributes["error.type"], span.error) == ("ZeroDivisionError", "")


def test_what_is_not_served_is_not_traced(plane: Plane) -> None:
    assert plane.post(b"{}", path="/elsewhere").status_code == 404
    assert plane.client.get("/v1/requests").status_code == 405

    assert plane.close() == []


def test_a_post_that_is_not_sampled_hands_that_on_and_is_not_sent(plane: Plane) -> None:
    id_ = new_id()
    plane.post(body(id=id_), traceparent=UNSAMPLED)

    kept = plane.store.get([id_])[id_].traceparent
    assert kept is not None
    assert (kept[:36], kept[-3:]) == (UNSAMPLED[:36], "-00")
    assert plane.close() == []


def test_nothing_global_is_touched_where_no_action_runs(plane: Plane) -> None:
    plane.post(body())

    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
