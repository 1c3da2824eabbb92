"""Everything that was done to the files, and everything that was promised meanwhile, in one order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from tests.power.ledger import Mark

if TYPE_CHECKING:
    from collections.abc import Callable


class Created(msgspec.Struct, frozen=True):
    """The name stands for a new, empty file."""

    name: str
    file: int


class Deleted(msgspec.Struct, frozen=True):
    """The name stands for nothing."""

    name: str


class Written(msgspec.Struct, frozen=True):
    """The operating system has the bytes; whether the disk has them is not known."""

    file: int
    offset: int
    data: bytes


class Truncated(msgspec.Struct, frozen=True):
    """The operating system knows the size."""

    file: int
    size: int


class Synced(msgspec.Struct, frozen=True):
    """The disk has what was written to the file before the event at `before`."""

    file: int
    before: int


class FolderSynced(msgspec.Struct, frozen=True):
    """The disk has the names as they were before the event at `before`."""

    before: int


Event = Created | Deleted | Written | Truncated | Synced | FolderSynced | Mark


class Log:
    """Events, each at its position."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lock = threading.Lock()

    def add(self, *events: Event) -> None:
        """They stand at the end."""
        with self._lock:
            self.events += events

    def position(self) -> int:
        """Everything that has returned by now stands before it."""
        with self._lock:
            return len(self.events)

    def during(self, act: Callable[[], int], *events: Event) -> int:
        """What the act returned. It was done, and noted if it returned 0, with nothing else in between."""
        with self._lock:
            code = act()
            if code == 0:
                self.events += events
            return code
