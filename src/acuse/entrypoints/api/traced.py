"""The span of each request, around the app, where tracing is on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from acuse.domain.traceparent import valid_traceparent
from acuse.entrypoints.api.target import PATH, is_served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping

    from acuse.domain.record import Record

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Coroutine[Any, Any, Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

SPAN = "acuse.span"
"""Where the app finds the span of the request: a member of the scope."""
NAME = f"POST {PATH}"


class Told(Protocol):
    """What the app may say of its request to whoever traces it."""

    def about(self, record: Record, /) -> None:
        """The request was for this record."""

    def counted(self, totals: Mapping[str, int], /) -> None:
        """The request was for many; what came of them."""


class Span(Told, Protocol):
    """The request in its trace, under way until it is ended."""

    traceparent: str | None

    def answered(self, status: int, /) -> None:
        """The answer has begun."""

    def end(self, error: BaseException | None = None, /) -> None:
        """It is over; the error is what nobody foresaw."""


class Tracer(Protocol):
    """Keeps the spans of requests; never raises, never waits."""

    def request(self, name: str, traceparent: str | None, attributes: dict[str, str | int], /) -> Span:
        """The span has begun, below the one that the traceparent names."""


class Nobody:
    """Listens to nothing, where nothing is traced."""

    def about(self, _: Record, /) -> None:
        """See Told."""

    def counted(self, _: Mapping[str, int], /) -> None:
        """See Told."""


NOBODY = Nobody()


class Traced:
    """The app, each of whose requests is a span: what is accepted has that span's traceparent, not its client's."""

    def __init__(self, app: App, tracer: Tracer) -> None:
        """Nothing is traced yet."""
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. What is not served is not traced."""
        if scope["method"] != "POST" or not is_served(scope.get("raw_path") or scope["path"].encode()):
            await self._app(scope, receive, send)
            return
        span = self._tracer.request(NAME, _traceparent(scope), _attributes(scope))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.answered(message["status"])
            await send(message)

        try:
            await self._app(_inside(scope, span), receive, answer)
        except BaseException as error:
            span.end(error)
            raise
        span.end()


def _traceparent(scope: Scope) -> str | None:
    found = [value for name, value in scope["headers"] if name == b"traceparent"]
    return valid_traceparent(b", ".join(found).decode("latin-1"))


def _inside(scope: Scope, span: Span) -> Scope:
    headers = scope["headers"]
    if span.traceparent is not None:
        own = (b"traceparent", span.traceparent.encode())
        headers = [*(one for one in headers if one[0] != b"traceparent"), own]
    return {**scope, "headers": headers, SPAN: span}


def _attributes(scope: Scope) -> dict[str, str | int]:
    """By the semantic conventions for HTTP servers."""
    attributes: dict[str, str | int] = {
        "http.request.method": "POST",
        "http.route": PATH,
        "url.path": PATH,
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }
    if server := scope.get("server"):
        attributes["server.address"], attributes["server.port"] = server
    return attributes
