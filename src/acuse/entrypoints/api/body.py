"""How a request's body is read: bounded in bytes, in time, and in what all of them hold at once."""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from acuse.domain.errors import Overloaded
from acuse.entrypoints.api import problems
from acuse.entrypoints.api.answers import CLOSE, Gone, Refused, too_large
from acuse.entrypoints.api.expansion import Expansion

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, MutableMapping

    from acuse.config import Settings

    Receive = Callable[[], Coroutine[Any, Any, MutableMapping[str, Any]]]

MAX_DISCARDED = 8_388_608
"""Bytes of a body that are read and thrown away after a refusal, so that the client hears why."""

_ARRAY = re.compile(rb"[ \t\r\n]*\[")


def is_array(body: bytes | bytearray) -> bool:
    """Whether it can only be a JSON array."""
    return _ARRAY.match(body) is not None


class Held:
    """What all bodies that are being read hold in memory."""

    def __init__(self, most: int) -> None:
        """`most`: bytes, of all of them."""
        self._most = most
        self._bytes = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """The share of one body; it is given back at the end, if not before."""
        share = Share(self)
        try:
            yield share
        finally:
            share.release()

    def take(self, size: int) -> None:
        """So many bytes more are held; Overloaded if they would be too many."""
        if self._bytes + size > self._most:
            raise Overloaded("too many large bodies are being read")
        self._bytes += size

    def give(self, size: int) -> None:
        """So many are held no more."""
        self._bytes -= size


class Share:
    """What one body holds of it."""

    def __init__(self, held: Held) -> None:
        """Nothing yet."""
        self._held = held
        self._size = 0

    def grow(self, size: int) -> None:
        """The body has become so much longer; Overloaded if there is no room for it."""
        self._held.take(size)
        self._size += size

    def release(self) -> None:
        """The body is held no more."""
        self._held.give(self._size)
        self._size = 0


class Body:
    """One body, read once: as a whole, or in pieces."""

    def __init__(self, receive: Receive, settings: Settings, *, is_gzip: bool, length: int | None) -> None:
        """Nothing is read yet. `length`: what the client says it is."""
        self._receive = receive
        # A client that is still sending would see its connection broken, and not the answer.
        self._must_close = length is None or length > MAX_DISCARDED
        self._length = length or 0
        self._settings = settings
        self._is_gzip = is_gzip
        self._timeout = settings.body_timeout.total_seconds()

    async def whole(self, grow: Callable[[int], None], *, is_lines: bool) -> bytes:
        """All of it: an object of at most max_body bytes, or an array, or lines, of at most max_array."""
        self._check_size(self._length, max(self._settings.max_array, self._settings.max_body))
        # Nearly every body is here already. Only one that makes us wait gets a timer, which costs more than reading.
        message, receiving = None, self._receive()
        try:
            receiving.send(None)
        except StopIteration as done:
            message = done.value
            if not message.get("more_body", False) and not self._is_gzip:
                body = _piece(message)
                self._check(body, is_lines=is_lines)
                return body
        receiving.close()
        whole = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                async for piece in self._expanded(self._messages(message)):
                    grow(len(piece))
                    whole += piece
                    self._check(whole, is_lines=is_lines)
        except TimeoutError:
            raise self._too_slow() from None
        return bytes(whole)

    async def pieces(self) -> AsyncIterator[bytes]:
        """What arrives, as it arrives, and at a rate that shows that the client means it."""
        async for piece in self._expanded(self._timed()):
            yield piece

    async def _messages(self, message: MutableMapping[str, Any] | None) -> AsyncIterator[bytes]:
        message = message or await self._receive()
        while True:
            yield _piece(message)
            if not message.get("more_body", False):
                return
            message = await self._receive()

    async def _timed(self) -> AsyncIterator[bytes]:
        """Only the time in which the client is waited for counts, not that in which it waits for us."""
        loop = asyncio.get_running_loop()
        waited, received, more = 0.0, 0, True
        while more:
            left = self._timeout + received / self._settings.min_rate - waited
            begun = loop.time()
            try:
                async with asyncio.timeout(min(left, self._timeout)):
                    message = await self._receive()
            except TimeoutError:
                raise self._too_slow() from None
            waited += loop.time() - begun
            piece = _piece(message)
            received += len(piece)
            more = message.get("more_body", False)
            yield piece

    async def _expanded(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        if not self._is_gzip:
            async for piece in pieces:
                yield piece
            return
        expansion = Expansion(self._settings.max_expanded)
        async for piece in pieces:
            for expanded in expansion.expand(piece):
                if expanded:
                    yield expanded
                await asyncio.sleep(0)  # A little gzip can be much to do: others get a turn.
        expansion.end()

    def _check(self, body: bytes | bytearray, *, is_lines: bool) -> None:
        if len(body) <= self._settings.max_body:
            return
        most = self._settings.max_array if is_lines or is_array(body) else self._settings.max_body
        self._check_size(len(body), most)

    def _check_size(self, size: int, most: int) -> None:
        if size > most:
            raise too_large(f"at most {most} bytes are taken", closing=self._must_close)

    def _too_slow(self) -> Refused:
        detail = f"nothing came for {self._timeout:g} seconds, or too little in a longer time"
        return Refused(problems.BODY_TIMEOUT, detail, headers=[CLOSE])


def _piece(message: MutableMapping[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise Gone
    piece: bytes = message.get("body", b"")
    return piece
