"""Who stands beside the clients and the workers and notes, in the log, what they ask for and what they are told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.power.ledger import Begun, Done, Ledger, Together

if TYPE_CHECKING:
    from datetime import datetime

    from tests.power.ledger import Mark, Name, State
    from tests.power.log import Log


class Witness:
    """Begins are noted before the call that asks, promises after it has returned."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._ledger = Ledger()
        self._lock = threading.Lock()

    def begin(self, name: Name, state: State) -> int:
        """The state may be on disk from now on. It has this number."""
        with self._lock:
            self._note(Begun(name, state))
            return len(self._ledger.names[name].states) - 1

    def done(self, name: Name, number: int, created_at: datetime | None = None) -> None:
        """Somebody was told that it is so."""
        with self._lock:
            self._note(Done(name, number, created_at))

    def together(self, names: tuple[Name, ...]) -> None:
        """All of them are asked for now, or none."""
        with self._lock:
            self._note(Together(names))

    def seen(self, name: Name, status: str, created_at: datetime) -> None:
        """A client was told that it is in this status; it is not known since when."""
        with self._lock:
            self._note(Done(name, self._ledger.names[name].first(status), created_at))

    def latest(self, name: Name) -> State:
        """The state that was asked for last."""
        with self._lock:
            return self._ledger.names[name].states[-1]

    def _note(self, event: Mark) -> None:
        self._ledger.read(event)
        self._log.add(event)
