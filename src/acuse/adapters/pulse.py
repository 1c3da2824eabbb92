"""When each process last showed that it works: a little memory shared by one process tree."""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from time import monotonic

BEAT = struct.Struct("d")


class Pulse:
    """One time for each place; the clock is the machine's monotonic one, which its processes share."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: of the file that `create` made."""
        self._memory = mmap.mmap(descriptor, 0)

    @staticmethod
    def create(places: int) -> int:
        """The descriptor of a new unnamed file with that many places; hand it to the processes that share it."""
        with tempfile.TemporaryFile() as file:
            file.truncate(BEAT.size * max(places, 1))
            return os.dup(file.fileno())

    def beat(self, place: int) -> None:
        """The place was alive just now."""
        BEAT.pack_into(self._memory, BEAT.size * place, monotonic())

    def age(self, place: int) -> float:
        """Seconds since it last was; infinite if it never was."""
        (at,) = BEAT.unpack_from(self._memory, BEAT.size * place)
        return monotonic() - at if at else float("inf")

    def has_beaten(self, place: int) -> bool:
        """Whether it ever did."""
        return self.age(place) != float("inf")
