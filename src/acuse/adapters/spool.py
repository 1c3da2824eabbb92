"""Bytes that wait to be sent: a few in memory, the rest in files without a name."""

from __future__ import annotations

import tempfile
from collections import deque
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

IN_MEMORY = 262_144
PIECE = 65_536


class Spool:
    """First in, first out. What does not fit in memory goes to a file, with all that follows until that is read.

    While one file is read another is written, so that neither is ever longer than what waited at some time.
    """

    def __init__(self, folder: Path | None) -> None:
        """`folder`: where the files would be; None: where temporary files are. They are made when they are needed."""
        self._folder = folder
        self._memory: deque[bytes] = deque()
        self._in_memory = 0
        self._front: _File | None = None
        self._back: _File | None = None

    def __len__(self) -> int:
        """Bytes that wait."""
        return self._in_memory + self._in_files

    def write(self, data: bytes) -> None:
        """The data waits behind what was written before. Raises OSError, and it does not, if the disk is full."""
        if not data:
            return
        if not self._in_files and self._in_memory + len(data) <= IN_MEMORY:
            self._memory.append(data)
            self._in_memory += len(data)
            return
        if self._back is None:
            self._back = _File(self._folder)
        self._back.write(data)

    def read(self) -> bytes:
        """The next bytes, and they wait no more; none, if nothing waits."""
        if self._memory:
            data = self._memory.popleft()
            self._in_memory -= len(data)
            return data
        if not self._front:
            self._front, self._back = self._back, self._front
        return self._front.read() if self._front else b""

    def close(self) -> None:
        """What waits is gone."""
        self._memory.clear()
        self._in_memory = 0
        for file in (self._front, self._back):
            if file is not None:
                file.close()
        self._front = self._back = None

    @property
    def _in_files(self) -> int:
        return len(self._front or ()) + len(self._back or ())


class _File:
    """Written at its end, read from its begin, and emptied when all of it is read."""

    def __init__(self, folder: Path | None) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  (`close` closes it)
        self._written = self._read = 0

    def __len__(self) -> int:
        return self._written - self._read

    def write(self, data: bytes) -> None:
        self._file.seek(self._written)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self._written += len(data)

    def read(self) -> bytes:
        self._file.seek(self._read)
        data = self._file.read(min(PIECE, len(self)))  # Behind that may be what the disk took of a write that failed.
        self._read += len(data)
        if not len(self):
            self._file.truncate(0)
            self._written = self._read = 0
        return data

    def close(self) -> None:
        self._file.close()
