"""Messages between a worker and its runner, over a socket pair."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.outcome import Again, Done, Failed, Planned
from acuse.domain.task import Task

if TYPE_CHECKING:
    import socket

HEADER = struct.Struct("!I")
READ_SIZE = 65_536
SEND_SECONDS = 10.0
"""The other end waits for the message; if it does not take it, something has stopped it."""
MAX_MESSAGE = 67_108_864
CUT_OFF = 113
"""The code that a runner ends with when its run has spoilt the channel."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The runner knows its actions and waits for a task."""


class Spent(msgspec.Struct, frozen=True, tag=True):
    """The outcome that follows is the runner's last: its run left behind what the next must not meet."""


class Over(msgspec.Struct, frozen=True, tag=True):
    """No task will follow: the runner may end in order."""


Message = Task | Ready | Spent | Over | Done | Planned | Again | Failed


class Closed(Exception):
    """The other end is gone, or no longer talks sense."""


class Channel:
    """Sends and receives whole messages, each with its length in front."""

    def __init__(self, sock: socket.socket) -> None:
        """The socket is the channel's alone."""
        self._socket = sock
        self._buffer = bytearray()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Message)

    def send(self, message: Message) -> None:
        """The message is on its way; Closed if nobody will read it."""
        body = self._encoder.encode(message)
        try:
            self._socket.settimeout(SEND_SECONDS)
            self._socket.sendall(HEADER.pack(len(body)) + body)
        except OSError as error:
            raise Closed from error

    def receive(self, wait: float | None) -> Message | None:
        """The next message; None if it has not come after so many seconds (None: however long). Closed at the end."""
        while (message := self._take()) is None:
            try:
                self._socket.settimeout(wait)
                data = self._socket.recv(READ_SIZE)
            except (BlockingIOError, TimeoutError):
                return None
            except OSError as error:
                raise Closed from error
            if not data:
                raise Closed
            self._buffer += data
        return message

    def close(self) -> None:
        """The other end will see Closed."""
        self._socket.close()

    def _take(self) -> Message | None:
        if len(self._buffer) < HEADER.size:
            return None
        size = HEADER.unpack_from(self._buffer)[0]
        end = HEADER.size + size
        if size > MAX_MESSAGE:
            raise Closed
        if len(self._buffer) < end:
            return None
        try:
            message: Message = self._decoder.decode(self._buffer[HEADER.size : end])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Closed from error  # An action wrote to it: nothing that follows can be understood.
        del self._buffer[:end]
        return message
