"""Bytes that wait to be sent: a few in memory, the rest in a file without a name."""

from __future__ import annotations

import tempfile
from collections import deque
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

IN_MEMORY = 262_144
PIECE = 65_536


class Spool:
    """First in, first out. What does not fit in memory goes to the file, with all that follows until that is read."""

    def __init__(self, folder: Path | None) -> None:
        """`folder`: where the file would be; None: where temporary files are. It is made when it is needed."""
        self._folder = folder
        self._memory: deque[bytes] = deque()
        self._in_memory = 0
        self._file: IO[bytes] | None = None
        self._written = self._read = 0

    def __len__(self) -> int:
        """Bytes that wait."""
        return self._in_memory + self._written - self._read

    def write(self, data: bytes) -> None:
        """The data waits behind what was written before. Raises OSError when the disk does not take it."""
        if self._written == self._read and self._in_memory + len(data) <= IN_MEMORY:
            self._memory.append(data)
            self._in_memory += len(data)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  (`close` closes it)
        self._file.seek(self._written)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self._written += len(data)

    def read(self) -> bytes:
        """The next bytes, and they wait no more; none, if nothing waits."""
        if self._memory:
            data = self._memory.popleft()
            self._in_memory -= len(data)
            return data
        if self._file is None or self._read == self._written:
            return b""
        self._file.seek(self._read)
        data = self._file.read(PIECE)
        self._read += len(data)
        if self._read == self._written:
            self._file.truncate(0)
            self._written = self._read = 0
        return data

    def close(self) -> None:
        """What waits is gone."""
        self._memory.clear()
        self._in_memory = self._written = self._read = 0
        if self._file is not None:
            self._file.close()
            self._file = None
