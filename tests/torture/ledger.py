"""The clients' own books: what they sent, and what was acknowledged."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import msgspec

from tests.torture.requests import Members

if TYPE_CHECKING:
    from random import Random


class Acknowledged(msgspec.Struct, frozen=True):
    """The first 2xx for a request. `sent_at`, `at`: seconds since 1970, when its sending began and when it was read."""

    members: Members
    sent_at: float
    at: float
    created_at: str | None


class Ledger:
    """Safe for several threads. A request is entered before a byte of it is sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, Members] = {}
        self._acknowledged: dict[str, Acknowledged] = {}
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
