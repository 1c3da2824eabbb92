"""A receiver of spans by OTLP over HTTP, and what it was sent."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable


class Sent(NamedTuple):
    """One span, as it was sent."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    start: int
    end: int
    attributes: dict[str, Any]
    error: str | None
    links: tuple[str, ...]
    resource: dict[str, Any]


class Receiver:
    """Takes spans until the block is left; `gate` is shut while a test wants it to be slow."""

    def __init__(self, status: int = 200) -> None:
        self._sent: list[Sent] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.status = status
        self.gate = threading.Event()
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers["content-encoding"] == "gzip":
                    body = gzip.decompress(body)
                receiver.gate.wait()
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                receiver.paths.append(self.path)
                receiver._sent += _spans(ExportTraceServiceRequest.FromString(body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def spans(self, trace: str | None = None) -> list[Sent]:
        """In the order in which they began; of that trace alone, if one is named."""
        return sorted((one for one in self._sent if trace in (None, one.trace)), key=lambda one: one.start)


def _spans(request: ExportTraceServiceRequest) -> Iterable[Sent]:
    for resource in request.resource_spans:
        of = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for one in scope.spans:
                failed = one.status.code == trace_pb2.Status.STATUS_CODE_ERROR
                yield Sent(
                    name=one.name,
                    trace=one.trace_id.hex(),
                    id=one.span_id.hex(),
                    parent=one.parent_span_id.hex(),
                    kind=trace_pb2.Span.SpanKind.Name(one.kind).removeprefix("SPAN_KIND_"),
                    start=one.start_time_unix_nano,
                    end=one.end_time_unix_nano,
                    attributes=_attributes(one.attributes),
                    error=one.status.message if failed else None,
                    links=tuple(f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in one.links),
                    resource=of,
                )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
