"""An operator, who opens failed requests again, makes and revokes keys, and has the log copied back at any moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from acuse.adapters.sqlite.keyring import SqliteKeyring
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.api_key import ApiKey
from acuse.domain.record import Key
from tests.power.ledger import State

if TYPE_CHECKING:
    from random import Random
    from threading import Event

    from acuse.adapters.sqlite.database import Database
    from acuse.ports import Clock
    from tests.power.witness import Witness

PAUSE_SECONDS = 0.003


class Operator:
    """Notes, too, what it asks for and what it is told."""

    def __init__(
        self, durable: Database, quick: Database, clock: Clock, witness: Witness, failed: list[str], random: Random
    ) -> None:
        """`failed`: from where it takes the ids of requests that have failed."""
        self._databases = (durable, quick)
        self._store = SqliteStore(durable, clock)
        self._keyring = SqliteKeyring(durable)
        self._witness = witness
        self._failed = failed
        self._random = random

    def operate(self, over: Event) -> None:
        """It is over."""
        while not over.wait(PAUSE_SECONDS):
            match self._random.choices(["reopen", "checkpoint", "key"], [5, 3, 2])[0]:
                case "reopen":
                    self._reopen()
                case "checkpoint":
                    kind = self._random.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
                    with self._random.choice(self._databases).reading() as connection:
                        connection.execute(f"PRAGMA wal_checkpoint({kind})").fetchall()
                case _:
                    self._turn_key()

    def _reopen(self) -> None:
        ids = [self._failed.pop(0) for _ in range(min(len(self._failed), 4))]
        begun = [
            (key, self._witness.begin(key, _reopened(self._witness.latest(key))))
            for id_ in ids
            for key in self._to_reopen(id_)
        ]
        assert all(self._store.reopen(ids))
        for key, number in begun:
            self._witness.done(key, number)

    def _to_reopen(self, id_: str) -> list[Key]:
        parts = [Key(id_, part) for part in range(1, (self._witness.latest(Key(id_)).parts or 0) + 1)]
        return [Key(id_), *(key for key in parts if self._witness.latest(key).status == "failed")]

    def _turn_key(self) -> None:
        name, at = f"key-{self._random.getrandbits(60)}", datetime.now(UTC)
        state = State(content=self._random.randbytes(32))
        number = self._witness.begin(name, state)
        assert self._keyring.put(ApiKey(name=name, hash=state.content, created_at=at))
        self._witness.done(name, number, at)
        if self._random.random() < 0.5:
            number = self._witness.begin(name, msgspec.structs.replace(state, status="revoked"))
            assert self._keyring.revoke(name, datetime.now(UTC))
            self._witness.done(name, number)


def _reopened(state: State) -> State:
    return msgspec.structs.replace(state, status="accepted", result=None, detail=None)
