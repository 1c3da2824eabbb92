"""HTTP/1.1 on one connection: what Uvicorn leaves open, closed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    import asyncio

TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

_UPGRADE = re.compile(rb"(?<=\r\n)upgrade(?=[ \t]*:)", re.IGNORECASE)


class Protocol(HttpToolsProtocol):
    """Bounds the head of a request in bytes and time, ignores offers to upgrade, and answers a half-closed client."""

    def __init__(self, *args: Any, max_head: int, head_seconds: float, **kwargs: Any) -> None:
        """As its parent; the bounds are on the head of each request."""
        super().__init__(*args, **kwargs)
        self._max_head = max_head
        self._head_seconds = head_seconds
        self._is_in_head = True
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client that says nothing is given up after a while."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self._head_seconds, self._give_up, TOO_SLOW)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is timed any more."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head grows too large.

        The parser takes what follows an offer to upgrade (`curl --http2` makes one) for another protocol, though a
        server may ignore the offer (RFC 9110 section 7.8). The field's name is changed before the parser sees it: no
        JSON has that line in it, for a string holds no line break.
        """
        if b"pgrade" in data or b"PGRADE" in data:
            data = _UPGRADE.sub(b"x-upgrade", data)
        super().data_received(data)
        if not self._is_in_head:
            return
        self._head_size += len(data)
        if self._head_size > self._max_head:
            self._give_up(TOO_LARGE)
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_seconds, self._give_up, TOO_SLOW)

    def on_message_begin(self) -> None:
        """The head begins."""
        self._is_in_head = True
        self._head_size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._is_in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has said all it will say still gets its answer."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    def _give_up(self, answer: bytes) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
