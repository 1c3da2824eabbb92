"""Connections to one service, as many as are needed at once."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from acuse.entrypoints.bench.connection import Answer, Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Answer", "Connection", "Wire"]

CONNECT_SECONDS = 10.0


class Wire:
    """As many connections as are needed at once, up to a limit; those that are idle are used again."""

    def __init__(self, url: str, *, limit: int) -> None:
        """Nothing is opened yet."""
        where = urlsplit(url)
        self._host = where.hostname or ""
        self._port = where.port or (443 if where.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if where.scheme == "https" else None
        self._named, self._path = where.netloc, where.path + (f"?{where.query}" if where.query else "")
        self._limit = asyncio.Semaphore(limit)
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def connection(self, *, fresh: bool = False) -> AsyncIterator[Connection]:
        """A connection that nobody else uses; `fresh`: one that nobody used. Raises OSError."""
        async with self._limit:
            found = (None if fresh else self._take()) or await self._open()
            try:
                yield found
            except BaseException:
                found.close()
                raise
            if found.is_open:
                self._idle.append(found)

    def close(self) -> None:
        """All that are idle are closed."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> Connection | None:
        while self._idle:
            found = self._idle.pop()
            if found.is_open:
                return found
        return None

    async def _open(self) -> Connection:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, made = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._named, self._path), self._host, self._port, ssl=self._tls
            )
        return made
