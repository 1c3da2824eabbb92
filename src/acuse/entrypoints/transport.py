"""A connection's transport as Uvicorn sees it."""

from __future__ import annotations

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
