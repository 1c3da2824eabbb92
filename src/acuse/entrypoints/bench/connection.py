"""A connection to the service: HTTP/1.1 with as little between the request and the socket as there can be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, cast

import httptools

if TYPE_CHECKING:
    from collections.abc import Mapping


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """Carries one POST at a time."""

    def __init__(self, host: str, path: str) -> None:
        """Not connected yet."""
        self._first = f"POST {path} HTTP/1.1\r\nhost: {host}\r\n"
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._pieces: list[bytes] = []
        self._renew()
        self.is_open = False

    async def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer. Raises ConnectionError if there is none."""
        if self._transport is None or not self.is_open:
            raise ConnectionError("closed before the request was sent")
        self._answer = asyncio.get_running_loop().create_future()
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._transport.write(f"{self._first}{fields}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body)
        return await self._answer

    def close(self) -> None:
        """No more is sent over it."""
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"not HTTP: {error}"))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.is_open = False
        self._fail(ConnectionError("closed before the answer was there" if exc is None else type(exc).__name__))

    def on_body(self, piece: bytes) -> None:
        """Called by the parser."""
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        status = self._parser.get_status_code()
        if status < 200:  # noqa: PLR2004  (1xx: the answer is still to come)
            return
        if not self._parser.should_keep_alive():
            self.close()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(Answer(status, b"".join(self._pieces)))
        self._renew()

    def _renew(self) -> None:
        self._pieces = []
        self._parser = httptools.HttpResponseParser(self)

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
