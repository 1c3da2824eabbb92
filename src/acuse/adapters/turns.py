"""Whose turn it is to write to a pipe that several processes share: one that is full takes a long line in pieces."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from functools import cached_property
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 1.0
HUNG_SECONDS = 0.02
"""For one who has been waited for that long in vain."""
PAUSE_SECONDS = 0.001


class Turns:
    """Those of one process. Where it is no pipe, or the system cannot open it anew, it is always its turn."""

    def __init__(self, descriptor: int) -> None:
        """Nothing is opened yet."""
        self._descriptor = descriptor
        self._patience = PATIENCE_SECONDS

    @contextmanager
    def one(self) -> Iterator[None]:
        """No other who takes turns writes in this block, unless it has had its turn for so long that it must hang."""
        if self._own is None:
            yield
            return
        deadline = monotonic() + self._patience
        while not (has_it := _is_taken(self._own)) and monotonic() < deadline:
            sleep(PAUSE_SECONDS)
        self._patience = PATIENCE_SECONDS if has_it else HUNG_SECONDS
        try:
            yield
        finally:
            with suppress(OSError):
                flock(self._own, LOCK_UN)

    @cached_property
    def _own(self) -> int | None:
        """Opened anew, for a lock on what was inherited is that of all who inherited it."""
        with suppress(OSError):
            if stat.S_ISFIFO(os.fstat(self._descriptor).st_mode):
                return os.open(f"/proc/self/fd/{self._descriptor}", os.O_WRONLY | os.O_NONBLOCK)
        return None


def _is_taken(pipe: int) -> bool:
    try:
        flock(pipe, LOCK_EX | LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)  # Where there are no locks, there are no turns.
    return True
