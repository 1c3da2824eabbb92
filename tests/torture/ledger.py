"""The clients' own books: what they sent, and what was acknowledged."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from tests.torture.requests import Members, expected

if TYPE_CHECKING:
    from random import Random


class Acknowledged(msgspec.Struct, frozen=True):
    """The first 2xx for a request. `sent_at`, `at`: seconds since 1970, when its sending began and when it was read."""

    members: Members
    sent_at: float
    at: float
    created_at: str | None


class Told(msgspec.Struct, frozen=True):
    """What an answer said of an ending."""

    status: str
    finished_at: str
    result: object
    detail: str | None


class Ledger:
    """Safe for several threads. A request is entered before a byte of it is sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, Members] = {}
        self._acknowledged: dict[str, Acknowledged] = {}
        self._told: dict[str, Told] = {}
        self._told_at: dict[str, float] = {}
        self._order: list[str] = []
        self._breaches: list[str] = []

    @property
    def sent(self) -> dict[str, Members]:
        """Every request that anything was sent of, by id."""
        with self._lock:
            return dict(self._sent)

    @property
    def acknowledged(self) -> dict[str, Acknowledged]:
        """Every request that was answered with a 2xx, by id."""
        with self._lock:
            return dict(self._acknowledged)

    @property
    def breaches(self) -> list[str]:
        """Answers that the contract does not allow."""
        with self._lock:
            return list(self._breaches)

    def send(self, requests: list[Members]) -> float:
        """They are entered as sent; the time of it."""
        with self._lock:
            self._sent.update((members["id"], members) for members in requests)
        return time.time()

    def acknowledge(self, members: Members, sent_at: float, created_at: str | None) -> None:
        """It was answered with 201, or with 200 as one that is there already."""
        with self._lock:
            first = self._acknowledged.get(members["id"])
            if first is None:
                self._acknowledged[members["id"]] = Acknowledged(members, sent_at, time.time(), created_at)
                self._order.append(members["id"])
            elif first.created_at != created_at:
                self._breaches.append(f"{members['id']}: created_at {created_at} after {first.created_at}")

    def tell(self, members: Members, record: Members, sent_at: float) -> None:
        """An answer had this record: all of the request, and an ending, if there is one, that is never another."""
        with self._lock:
            if {name: record.get(name) for name in members} != members:
                self._breaches.append(f"{members['id']}: it came back as {record}")
            first = self._told.get(members["id"])
            if record.get("finished_at") is None:
                if first is not None and sent_at > self._told_at[members["id"]]:
                    self._breaches.append(f"{members['id']}: not ended, after {first}")
                return
            detail = None if record["error"] is None else record["error"]["detail"]
            told = Told(record["status"], record["finished_at"], record["result"], detail)
            foretold = expected(members)
            if first is not None and told != first:
                self._breaches.append(f"{members['id']}: ended as {told} after {first}")
            if (told.status, told.result, told.detail) != (foretold.status, foretold.result, foretold.detail):
                self._breaches.append(f"{members['id']}: ended as {told}, not as {foretold}")
            if datetime.fromisoformat(told.finished_at) < datetime.fromisoformat(record["created_at"]):
                self._breaches.append(f"{members['id']}: ended before it was created: {record}")
            self._told.setdefault(members["id"], told)
            self._told_at.setdefault(members["id"], time.time())

    def breach(self, what: str) -> None:
        """An answer that may not be."""
        with self._lock:
            self._breaches.append(what)

    def any_acknowledged(self, random: Random) -> Members | None:
        """One that was acknowledged before."""
        with self._lock:
            return self._acknowledged[random.choice(self._order)].members if self._order else None

    def __len__(self) -> int:
        """How many were acknowledged."""
        return len(self._acknowledged)
