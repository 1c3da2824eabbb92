"""An answer that is sent while it is still being made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from acuse.entrypoints.api.answers import Gone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from types import TracebackType

    from acuse.adapters.spool import Spool

    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Outflow:
    """Sends what is written as fast as the client reads it; the rest waits in the spool.

    Many clients read no answer before they have sent the whole body: to wait for them would be to wait for ever.
    """

    def __init__(
        self, send: Send, start: MutableMapping[str, Any], spool: Spool, *, most: int, patience: float
    ) -> None:
        """`start` is sent before the first byte. `most`: bytes that may wait; `patience`: seconds, for room."""
        self._send = send
        self._start = start
        self._spool = spool
        self._most = most
        self._patience = patience
        self._sender: asyncio.Task[None] | None = None
        self._written = asyncio.Event()
        self._sent = asyncio.Event()
        self._is_complete = False

    def write(self, data: bytes) -> None:
        """The data will be sent."""
        self._spool.write(data)
        self._written.set()
        if self._sender is None:
            self._sender = asyncio.create_task(self._run())

    async def room(self) -> None:
        """The spool may grow; Gone if the client leaves it full for too long, whatever it sends meanwhile."""
        while len(self._spool) > self._most:
            self._sent.clear()
            try:
                async with asyncio.timeout(self._patience):
                    await self._sent.wait()
            except TimeoutError:
                raise Gone from None

    async def finish(self) -> None:
        """Everything has been sent."""
        self._is_complete = True
        self._written.set()
        if self._sender is not None:
            await self._sender

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        self._spool.close()

    async def _run(self) -> None:
        await self._send(self._start)
        while data := await self._next():
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            self._sent.set()
        await self._send({"type": "http.response.body", "body": b""})

    async def _next(self) -> bytes:
        while not (data := self._spool.read()) and not self._is_complete:
            self._written.clear()
            await self._written.wait()
        return data


class Whole:
    """Sends an answer when all of it is there, with its length."""

    def __init__(self, send: Send) -> None:
        """Nothing is there yet."""
        self._send = send
        self._start: MutableMapping[str, Any] = {}
        self._body = bytearray()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """The message is sent with the last one."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message["body"]
        if message.get("more_body", False):
            return
        headers = [one for one in self._start["headers"] if one[0] != b"content-length"]
        await self._send({**self._start, "headers": [*headers, (b"content-length", b"%d" % len(self._body))]})
        await self._send({"type": "http.response.body", "body": bytes(self._body)})
