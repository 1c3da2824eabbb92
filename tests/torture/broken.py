"""A service with a promise broken, to see that the torture finds it. `TORTURE_BREAK` names the promise.

It is loaded as a module of actions, so that every process of the service has it.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from acuse import Action
from acuse.adapters.sqlite import store
from acuse.domain.outcome import Added

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from acuse.domain.outcome import Addition
    from acuse.domain.record import Record

BREAK = "TORTURE_BREAK"
HELD_SECONDS = 0.5


class Unused(Action, tag="unused"):
    """A module of actions has at least one."""

    def run(self) -> None: ...


def acknowledge_from_memory() -> None:
    """A 2xx stands on memory: what is to be stored half a second later is lost with the process."""
    add = store.SqliteStore.add

    def add_soon(self: store.SqliteStore, records: Sequence[Record]) -> list[Addition]:
        soon = threading.Timer(HELD_SECONDS, add, (self, records))
        soon.daemon = True
        soon.start()
        return [Added(record) for record in records]

    setattr(store.SqliteStore, "add", add_soon)  # noqa: B010  (a method is replaced)


def end_without_a_fence() -> None:
    """Whoever comes with an ending has it recorded, be it the second."""
    store.SETTLE = _replaced(store.SETTLE, "lease = ? AND status = 'accepted'", "? IS NOT NULL")


def forget_the_merge() -> None:
    """The last part ends, and nobody is told."""
    store.COUNT_PART = _replaced(store.COUNT_PART, "due_at = CASE parts_left WHEN 1 THEN 0 END", "due_at = NULL")


BREAKS: dict[str, Callable[[], None]] = {
    one.__name__: one for one in (acknowledge_from_memory, end_without_a_fence, forget_the_merge)
}


def _replaced(statement: str, old: str, new: str) -> str:
    if old not in statement:
        raise LookupError(f"there is no {old!r} in it")
    return statement.replace(old, new)


if BREAK in os.environ:
    BREAKS[os.environ[BREAK]]()
