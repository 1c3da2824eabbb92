"""HTTP/1.1 on one connection: what Uvicorn leaves open, closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from acuse.entrypoints.api.body import MAX_DISCARDED
from acuse.entrypoints.refusals import BAD, TOO_LARGE, TOO_SLOW, is_sound, size_of, without_offer
from acuse.entrypoints.transport import Flow, Gate, Unread

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

MAX_PIPELINED = 100
"""Requests that wait for those before them on their connection; it ends after them, and what follows is not read."""
MAX_PARTING = 100
"""Connections that are over but for a client that may still be sending; more are closed at once."""


class Protocol(HttpToolsProtocol):
    """Bounds what a client may send and leave unread, ignores offers to upgrade, and answers a half-closed client."""

    def __init__(
        self,
        *args: Any,
        max_head: int,
        head_seconds: float,
        answer_timeout: float,
        max_connections: int,
        turned_away: Callable[[], bytes],
        parting: set[Protocol],
        **kwargs: Any,
    ) -> None:
        """`turned_away`: the answer where there is no room. `parting`: what is over, shared by all."""
        super().__init__(*args, **kwargs)
        self._max_head = max_head
        self._head_seconds = head_seconds
        self._answer_timeout = answer_timeout
        self._max_connections = max_connections
        self._turned_away = turned_away
        self._parting = parting
        self._running: RequestResponseCycle | None = None
        self._is_in_head = True
        self._is_in_body = self._is_half_closed = False
        self._offer = b""
        """The head of a request that offers to upgrade, without the offer."""
        self._refusal: bytes | None = None
        self._last_words: bytes | None = None
        """What is said at the end. From then on that it is known, nothing more is read."""
        self._read_size = self._head_size = self._bare_size = self._discarded = 0
        self._has_ended = self._has_body = False
        """Whether the last piece ended a request, and whether it had any of a body."""
        self._slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Open, if there is room; a client that says nothing is given up after a while."""
        self._socket = transport
        self._unread = Unread(transport, self.loop, self._answer_timeout)
        self._gate = Gate(transport, self._part, self._is_over)
        super().connection_made(cast("asyncio.Transport", self._gate))
        self.flow = self._flow = Flow(self.transport)
        if len(self.connections) - len(self._parting) > self._max_connections:
            self._end(self._turned_away())
        else:
            self._slow = self.loop.call_later(self._head_seconds, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is timed any more, and nothing waits for it."""
        self._parting.discard(self)
        self._stop_timer()
        self._unset_keepalive_if_required()
        self._unread.stop()
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            _drop(self._running)
        super().connection_lost(exc)
        self._gate.forget()

    def data_received(self, data: bytes) -> None:
        """Read on, within the bounds."""
        if self._last_words is not None:
            self._discard(len(data))
            return
        if self._unread.is_timed and self._is_in_body:
            self._unread.watch(is_paused=self.flow.write_paused)
        self._unset_keepalive_if_required()
        self._read_size = len(data)
        self._has_ended = self._has_body = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offered:
            # The parser takes what follows for another protocol, but this one goes on (RFC 9110 section 7.8).
            head, self._offer = self._offer, b""
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.data_received(head + data[offered.args[0] :])
        except httptools.HttpParserError:
            self._end(BAD if self._refusal is None else self._refusal)
        else:
            self._account()

    def on_message_begin(self) -> None:
        """The head begins."""
        self._is_in_head = True
        self._head_size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete, and the request begun or queued, unless it cannot be taken."""
        version = self.parser.get_http_version()
        self._refusal = self._judge(version)
        if self._refusal is not None:
            raise ValueError  # Stops the parser.
        if self.parser.should_upgrade():
            self._offer = without_offer(self.parser.get_method(), self.url, version, self.headers)
            return
        if version == "1.0":
            self.expect_100_continue = False
        super().on_headers_complete()
        self.headers = []  # What comes after the body is not of the head that the app has been given.
        self._is_in_head = False
        self._is_in_body = True
        self._bare_size = 0
        self._stop_timer()
        if self.pipeline:
            self._flow.is_held = True

    def on_body(self, body: bytes) -> None:
        """A piece more is there to be received, or thrown away."""
        self._has_body = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is all there."""
        if self._offer:
            return
        self._is_in_body = False
        self._has_ended = True
        cycle = self.cycle
        if cycle.response_complete:
            self._stop_timer()
        else:
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """What was queued goes on; else the rest of a refused body is thrown away, or the client may send the next."""
        is_last = not self.pipeline
        if len(self.pipeline) <= 1 and self._last_words is None:
            self._flow.is_held = False
        super().on_response_complete()
        if not is_last or not (self._is_in_body or self._last_words is not None) or self._is_over():
            return
        if self._last_words is not None:
            self._say_last_words()
        else:
            self._unset_keepalive_if_required()
            self._discarded = 0
            self._slow = self.loop.call_later(self._head_seconds, self._leave)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has said all it will say still gets its answer."""
        self._is_half_closed = True
        if not self._is_answering():
            self._leave()
        elif self._is_in_body:
            self._end(b"")
        else:
            self.cycle.keep_alive = False
        return not self._socket.is_closing()

    def pause_writing(self) -> None:
        """A client that goes on leaving its answer unread is cut off after a while."""
        super().pause_writing()
        self._unread.watch(is_paused=self.flow.write_paused)

    def resume_writing(self) -> None:
        """The client reads."""
        super().resume_writing()
        self._unread.watch(is_paused=self.flow.write_paused)

    def shutdown(self) -> None:
        """As its parent; nobody lingers."""
        super().shutdown()
        if self in self._parting:
            self._leave()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _judge(self, version: str) -> bytes | None:
        """Why the request cannot be taken."""
        if size_of(self.url, self.headers) > self._max_head:
            return TOO_LARGE
        if not is_sound(self.parser.get_method(), version, self.headers):
            return BAD
        if len(self.pipeline) >= MAX_PIPELINED:
            self.cycle.keep_alive = False
            return b""
        return None

    def _account(self) -> None:
        """What was just read keeps within the bounds."""
        if self._is_in_head:
            self._head_size += 0 if self._has_ended else self._read_size
            if self._head_size > self._max_head:
                self._end(TOO_LARGE)
            elif self._slow is None:
                self._slow = self.loop.call_later(self._head_seconds, self._give_up)
        elif self._is_in_body:
            self._bare_size = 0 if self._has_body else self._bare_size + self._read_size
            if self.cycle.response_complete:
                self._discard(self._read_size)
            elif self._bare_size > self._max_head:
                self._end(TOO_LARGE)
        elif self.timeout_keep_alive_task is None and not self._is_answering() and not self._is_over():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > MAX_DISCARDED:
            self._leave()

    def _is_answering(self) -> bool:
        cycle = self._running
        return cycle is not None and not cycle.response_complete and not cycle.disconnected

    def _is_over(self) -> bool:
        return self in self._parting or self._socket.is_closing()

    def _give_up(self) -> None:
        self._slow = None
        if self.flow.read_paused:  # It is not the client who is slow.
            self._slow = self.loop.call_later(self._head_seconds, self._give_up)
        else:
            self._end(TOO_SLOW)

    def _end(self, words: bytes) -> None:
        """Nothing more is read. The words are said when everything before is answered, in its order."""
        self._last_words = words
        self._stop_timer()
        if self._is_in_body and self.cycle is self._running:
            self._last_words = b"" if self.cycle.response_started else words
            _drop(self.cycle)
        elif self._is_in_body:
            self.pipeline.popleft()
        if self._is_answering():
            self.flow.pause_reading()
            self._flow.is_held = True
        else:
            self._say_last_words()

    def _say_last_words(self) -> None:
        self._socket.write(self._last_words or b"")
        self._part()

    def _part(self) -> None:
        """Closed, but not at once on a client that may still be sending: it would be reset, and the answer lost."""
        if self._is_over():
            return
        self._stop_timer()
        self._unset_keepalive_if_required()
        is_done = self._is_half_closed or not (self._is_in_body or self._last_words is not None)
        if is_done or len(self._parting) >= MAX_PARTING:
            self._leave()
            return
        self._parting.add(self)
        self._last_words = b""
        self._discarded = 0
        self._socket.write_eof()
        self._flow.is_held = False
        self.flow.resume_reading()
        self._slow = self.loop.call_later(self._head_seconds, self._leave)

    def _leave(self) -> None:
        """Closed as soon as the client has read the answer, or has left it unread for too long."""
        self._stop_timer()
        self._socket.close()
        self._unread.watch(is_paused=self.flow.write_paused)

    def _stop_timer(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


def _drop(cycle: RequestResponseCycle) -> None:
    """To the app it is as if the client had left."""
    cycle.disconnected = True
    cycle.message_event.set()
