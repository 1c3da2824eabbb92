"""Numbers by name, in a file that outlives the process that counts in it: who comes after it counts on."""

from __future__ import annotations

import errno
import logging
import mmap
import os
import struct
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

MAGIC = b"acuse\0\0\1"
HEADER = struct.Struct("8sQ")
"""The magic, and how many bytes are in use."""
ENTRY = struct.Struct("II")
"""Bytes of the name and how many numbers there are; then come the name, filled up to whole words, and the numbers."""
WORD = 8
SIZE = 65_536


class Damaged(Exception):
    """What is in the file is not what was written there."""


def create() -> int:
    """The descriptor of a new unnamed file, in memory where the system can; hand it to those who count and read."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("acuse-counts")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def read(descriptor: int) -> dict[bytes, tuple[float, ...]]:
    """The numbers by name, as they are now, while others count. Raises Damaged."""
    data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    return {name: struct.unpack_from(f"{count}d", data, at) for name, at, count in _entries(data)}


class Cells:
    """The numbers of one file, for one process at a time, and for one thread at a time in it."""

    def __init__(self, descriptor: int) -> None:
        """What was counted is there; of a new file, or of a damaged one, it is nothing. Raises OSError."""
        self._descriptor = descriptor
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        self._places: dict[tuple[bytes, int], int] = {}
        self._used = HEADER.size
        try:
            for name, at, count in _entries(data):
                self._places[name, count] = at // WORD
                self._used = at + count * WORD
        except Damaged as damage:
            log.warning("counting begins anew", extra={"error": str(damage)})
            self._places.clear()
            data = b""
            os.ftruncate(descriptor, 0)
        if not data:
            self._used = HEADER.size
            self._allocate(SIZE)
        self._map()
        self._account()

    def place(self, name: bytes, count: int) -> int:
        """Where among `numbers` those of that name are: so many, zero at first. Raises OSError if there is no room."""
        found = self._places.get((name, count))
        if found is not None:
            return found
        entry = ENTRY.pack(len(name), count) + name + bytes(-len(name) % WORD) + bytes(count * WORD)
        size = len(self._memory)
        if self._used + len(entry) > size:
            self._allocate(max(size, len(entry)))
            self._map()
        end = self._used + len(entry)
        self._memory[self._used : end] = entry
        self._used = end
        self._account()  # Last: of what was only half written, nobody knows.
        place = self._places[name, count] = end // WORD - count
        return place

    def _allocate(self, size: int) -> None:
        """The file is longer, and has the room that it says: to write into a hole of a full disk is fatal (SIGBUS)."""
        end = os.fstat(self._descriptor).st_size
        if os.pwrite(self._descriptor, bytes(size), end) < size:
            os.ftruncate(self._descriptor, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _map(self) -> None:
        self._memory = mmap.mmap(self._descriptor, 0)
        self.numbers = memoryview(self._memory).cast("d")
        """Each is written at once, so that nobody ever reads half of one."""

    def _account(self) -> None:
        self._memory[: HEADER.size] = HEADER.pack(MAGIC, self._used)


def _entries(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name of each, at which byte its numbers begin, and how many they are. Nothing is in an empty file."""
    if not data:
        return
    if len(data) < HEADER.size:
        raise Damaged("the header is cut off")
    magic, used = HEADER.unpack_from(data)
    if magic != MAGIC or not HEADER.size <= used <= len(data):
        raise Damaged("the header is not one")
    at = HEADER.size
    while at < used:
        size, count = ENTRY.unpack_from(data, at) if at + ENTRY.size <= used else (0, 0)
        begin = at + ENTRY.size
        numbers = begin + size + -size % WORD
        at = numbers + count * WORD
        if not size or not count or at > used:
            raise Damaged("an entry is not one")
        yield data[begin : begin + size], numbers, count
