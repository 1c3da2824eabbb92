"""A file that is there whole, or not at all; and standard output, of which nobody can promise that."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from acuse.domain.errors import Misconfigured
from acuse.entrypoints.terminal import say


class WholeFile:
    """Written beside the place where it is wanted, under another name, until it is kept."""

    def __init__(self, path: Path) -> None:
        """The file beside it is there. Raises Misconfigured where it cannot be made."""
        self._is_open = True
        self._path = Path(os.path.realpath(path))  # Not `resolve`: links in a circle are for `stat` to refuse.
        self._beside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.part")
        before = None
        try:
            with suppress(FileNotFoundError):
                before = self._path.stat().st_mode
            if before is not None and not stat.S_ISREG(before):
                raise Misconfigured(f"{path} is not a file; - is standard output")
            self._file = self._beside.open("xb")
        except OSError as error:
            raise Misconfigured(f"{path} cannot be written: {error.strerror}") from error
        if before is not None:  # Who may not read the file from before may not read this one.
            os.fchmod(self._file.fileno(), stat.S_IMODE(before))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """What was not kept is gone, and nothing is written any more."""
        self._is_open = False
        with suppress(OSError):  # It could not be written before, and is not wanted.
            self._file.close()
        self._beside.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """The data is at the end of it, unless it was left."""
        if self._is_open:  # A writer of pyarrow that is thrown away ends its file all the same.
            self._file.write(data)

    def keep(self) -> None:
        """All of it is on disk, and in the place of what had the name before."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class StandardOutput:
    """What is written to it can be read at once, so it may be broken off."""

    def __init__(self) -> None:
        """Nothing is written yet."""
        self._is_open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is written any more, also not what would make it look whole."""
        self._is_open = False

    def write(self, data: bytes) -> None:
        """The data is written; on a terminal, what cannot be seen is in the escapes of JSON."""
        if not self._is_open:
            return
        if sys.stdout.isatty():
            say(data.decode().replace("\r\n", "\n"), end="")
        else:
            sys.stdout.buffer.write(data)

    def keep(self) -> None:
        """All of it was taken."""
        sys.stdout.flush()


Output = WholeFile | StandardOutput
