"""Spans, kept by OpenTelemetry and sent by OTLP over HTTP. Everything is configured by the variables OTEL_*.

Only where tracing is on is this module imported: its packages are those of an extra.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from importlib.metadata import version
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_SCHEDULE_DELAY
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    ProxyTracerProvider,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from acuse.adapters.receiver import receiver_of
from acuse.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from acuse.domain.record import Failure, Record
    from acuse.domain.task import Task

NAME = "acuse"
SEND_MILLISECONDS = 1_000
"""How long an ended span waits for others; OpenTelemetry's own 5 s are what a process that is killed would lose."""
PARTING_SECONDS = 1.0
"""How long the end of a process waits for what is still to be sent."""
QUIET_SECONDS = 300.0
"""Between two lines that say the same about spans that could not be sent."""
LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace.export",
)
"""Those that speak of every span or batch that is lost."""

Attributes = dict[str, str | int]


class Tracing:
    """What one process traces. A span that cannot be sent is dropped; nobody waits for it and nothing fails."""

    def __init__(self) -> None:
        """Spans are sent from now on. Raises Misconfigured."""
        # The process ends in its own order: nothing here waits for a receiver at exit.
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        if receiver_of(os.environ) is not None:
            seldom = Seldom()
            for name in LOGGERS:
                logging.getLogger(name).addFilter(seldom)
            delay = None if os.environ.get(OTEL_BSP_SCHEDULE_DELAY) else SEND_MILLISECONDS
            try:
                self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=delay))
            except (ValueError, RuntimeError, OSError) as error:
                raise Misconfigured(f"spans cannot be sent as the variables OTEL_* say: {error}") from error
        self._tracer = self._provider.get_tracer(NAME, version(NAME))

    def attempt(self, task: Task, /) -> AttemptSpan:
        """See Tracer."""
        attributes: Attributes = {
            "acuse.request.id": task.id,
            "acuse.attempt": task.attempt,
            "messaging.system": NAME,
            "messaging.operation.type": "process",
            "messaging.operation.name": task.step.value,
            "messaging.destination.name": task.action,
            "messaging.message.id": task.id,
        }
        if task.part:
            attributes["acuse.part"] = task.part
        name = f"{task.step} {task.action}"
        context = _context(task.traceparent)
        return AttemptSpan(self._tracer.start_span(name, context, SpanKind.CONSUMER, attributes))

    def request(self, name: str, traceparent: str | None, attributes: Attributes) -> RequestSpan:
        """The span of a request to this server has begun, below the one that its client names, if any."""
        return RequestSpan(self._tracer.start_span(name, _context(traceparent), SpanKind.SERVER, attributes))

    def adopt(self) -> None:
        """What actions trace by OpenTelemetry's API is sent too, unless one of them has seen to that itself."""
        if isinstance(trace.get_tracer_provider(), ProxyTracerProvider):
            trace.set_tracer_provider(self._provider)

    @contextmanager
    def below(self, traceparent: str | None) -> Iterator[None]:
        """What is traced in this block is below that span."""
        token = attach(_context(traceparent))
        try:
            yield
        finally:
            detach(token)

    def close(self) -> None:
        """What was kept is sent, as far as the receiver took it in time. Nothing is kept any more."""
        parting = Thread(target=self._provider.shutdown, name="acuse-tracing", daemon=True)
        parting.start()
        parting.join(PARTING_SECONDS)


class AttemptSpan:
    """See Span."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        """It has begun."""
        self._span = span

    def inside(self, task: Task, /) -> Task:
        """See Span."""
        return msgspec.structs.replace(task, traceparent=_traceparent(self._span))

    def end(self, outcome: str, failure: Failure | None, /) -> None:
        """See Span."""
        self._span.set_attribute("acuse.outcome", outcome)
        if failure is not None:
            self._span.set_attribute("error.type", failure.reason.value)
            self._span.set_status(Status(StatusCode.ERROR, failure.detail))
        self._span.end()


class RequestSpan:
    """A request to the server in its trace, under way until it is ended."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        """It has begun."""
        self._span = span
        self.traceparent = _traceparent(span)
        """Of the span itself; None where it has none, because OpenTelemetry was told to do nothing."""

    def about(self, record: Record) -> None:
        """It was for this record. If another request made it, that one's trace is linked."""
        self._span.set_attribute("acuse.request.id", record.id)
        self._span.set_attribute("acuse.action", record.action)
        if record.traceparent is not None and record.traceparent != self.traceparent:
            self._span.add_link(_span_context(record.traceparent))

    def counted(self, totals: Mapping[str, int]) -> None:
        """It was for so many; what came of them."""
        for name, number in totals.items():
            self._span.set_attribute(f"acuse.{name}", number)

    def answered(self, status: int) -> None:
        """The answer has begun."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:  # noqa: PLR2004  (what the client did wrong is no error of the server's)
            self._failed(str(status))

    def end(self, error: BaseException | None = None) -> None:
        """It is over; the error is what nobody foresaw."""
        if error is not None:
            self._failed(type(error).__qualname__)
        self._span.end()

    def _failed(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


class Seldom(logging.Filter):
    """Lets a line pass if nothing like it has for a while: every batch that is lost would say the same."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        now, template = monotonic(), str(record.msg)
        if now - self._said.get(template, -QUIET_SECONDS) < QUIET_SECONDS:
            return False
        self._said[template] = now
        return True


def _resource() -> Resource:
    own = {"service.name": NAME, "service.version": version(NAME)}
    return Resource.create({**own, **OTELResourceDetector().detect().attributes})


def _context(traceparent: str | None) -> Context:
    """With the span that it names as the parent; of what begins without one, nothing is above."""
    if traceparent is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(_span_context(traceparent)), Context())


def _span_context(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def _traceparent(span: trace.Span) -> str | None:
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
