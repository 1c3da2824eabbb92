"""A connection's transport as Uvicorn sees it."""

from __future__ import annotations

import sys
import termios
from contextlib import suppress
from fcntl import ioctl
from typing import TYPE_CHECKING

from uvicorn.protocols.http.flow_control import FlowControl

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Gate:
    """The transport, with another way to close."""

    __slots__ = (
        "_transport", "close", "get_extra_info", "is_closing", "pause_reading", "resume_reading", "write",
    )  # fmt: skip

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None], is_closing: Callable[[], bool]) -> None:
        """`close` and `is_closing` stand in for the transport's own."""
        self._transport = transport
        self.close = close
        self.is_closing = is_closing
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.write = transport.write

    def forget(self) -> None:
        """Nothing holds on to the protocol of a connection that is lost."""
        self.close = self._transport.close
        self.is_closing = self._transport.is_closing


class Flow(FlowControl):
    """Reads no further while it is held, whatever the request that runs asks for."""

    is_held = False

    def resume_reading(self) -> None:
        """As its parent, unless it is held."""
        if not self.is_held:
            super().resume_reading()


class Unread:
    """Cuts off a client that reads nothing for a while of what it was told."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Nothing is timed yet."""
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_timed(self) -> bool:
        """Whether the client had better read."""
        return self._timer is not None

    def watch(self, *, is_paused: bool) -> None:
        """Timed from now, if what is unread keeps the app from writing or the connection from closing."""
        self.stop()
        if is_paused or (self._transport.is_closing() and self._transport.get_write_buffer_size()):
            self._timer = self._loop.call_later(self._seconds, self._look, self._size(), is_paused)

    def stop(self) -> None:
        """Nothing is timed any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, before: int, is_paused: bool) -> None:  # noqa: FBT001
        if self._size() < before:
            self.watch(is_paused=is_paused)
        else:
            self._transport.abort()

    def _size(self) -> int:
        """Bytes that the other side has not taken: those held here, and by the system where it tells (Linux does)."""
        size = self._transport.get_write_buffer_size()
        with suppress(OSError, ValueError):
            held = ioctl(self._transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
            size += int.from_bytes(held, sys.byteorder)
        return size
