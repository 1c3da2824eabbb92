"""The Queue in SQLite: a row is due at once (0), from a time on, or leased until a time: its due_at."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING

from acuse.adapters.sqlite.rows import micros
from acuse.domain.delivery import LEASES, Delivery
from acuse.domain.record import Key

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta

    from acuse.adapters.sqlite.database import Database
    from acuse.ports import Clock

LOOK_SECONDS = 0.01
"""Between looks at SQLite's data version while waiting."""
MAX_CLAIM = 500

IS_DUE = """
SELECT EXISTS (SELECT 1 FROM record WHERE action = :action AND due_at <= :now)
    OR EXISTS (SELECT 1 FROM record INDEXED BY record_leased
               WHERE action = :action AND due_at > :far AND lease IS NOT NULL)
"""

# First what a delay or a lease has held up, then what is new, in order of arrival. So the former cannot starve the
# latter, for each time costs it one of its attempts; the other way round, a steady stream of new ones would starve it.
DUE = """
SELECT * FROM (SELECT due_at = 0, due_at, seq, 1 FROM record INDEXED BY record_leased
               WHERE action = :action AND due_at > :far AND lease IS NOT NULL ORDER BY due_at, seq LIMIT :free)
UNION ALL
SELECT * FROM (SELECT due_at = 0, due_at, seq, lease IS NOT NULL FROM record
               WHERE action = :action AND due_at > 0 AND due_at <= :now ORDER BY due_at, seq LIMIT :free)
UNION ALL
SELECT * FROM (SELECT due_at = 0, due_at, seq, 0 FROM record
               WHERE action = :action AND due_at = 0 ORDER BY seq LIMIT :free)
LIMIT :free
"""

NEXT = "SELECT min(due_at) FROM record WHERE action = ? AND due_at > ?"
LEASED = """
SELECT count(*) FROM record WHERE action = :action AND due_at > :now AND due_at <= :far AND lease IS NOT NULL
"""

CLAIM = """
UPDATE record SET lease = :token, due_at = :until, attempts = attempts + 1 WHERE seq = :seq
RETURNING id, part, attempts
"""

EXTEND = "UPDATE record SET due_at = ? WHERE id = ? AND part = ? AND lease = ?"

RELEASE = """
UPDATE record SET lease = NULL, due_at = ?, attempts = attempts - ? WHERE id = ? AND part = ? AND lease = ?
"""


class SqliteQueue:
    """Its database need not be durable: a lease or an attempt lost with the power is only a run repeated.

    The clock may be set. What is due at once does not look at it. Forward: what is leased or delayed is due too early.
    Back: leases of longer than twice one from now are over, and what is delayed waits longer, by the jump at most.
    All who receive from one file must have leases of about one length.
    """

    def __init__(self, database: Database, clock: Clock, *, lease: timedelta, bounds: Mapping[str, int | None]) -> None:
        """`lease`: how long what is received is the receiver's alone.

        `bounds`: the actions to receive, each with how many may be leased at once; None: any number.
        """
        self._database = database
        self._clock = clock
        self._lease = lease
        self._bounds = bounds
        self._waiting = threading.Lock()
        self._released = threading.Event()

    def receive(self, limit: int, wait: timedelta) -> list[Delivery]:
        """See Queue. One thread of a process looks at the file at a time; the others wait behind it."""
        deadline = time.monotonic() + wait.total_seconds()
        if not self._waiting.acquire(timeout=max(0.0, wait.total_seconds())):
            return []
        try:
            while True:
                self._released.clear()
                version = self._database.version()
                claimed, rest_due = self._claim(min(limit, MAX_CLAIM))
                if claimed or time.monotonic() >= deadline:
                    return claimed
                self._wait(version, min(deadline, time.monotonic() + rest_due))
        finally:
            self._waiting.release()

    def extend(self, deliveries: Sequence[Delivery]) -> None:
        """See Queue."""
        until = micros(self._clock.now() + self._lease)
        rows = [(until, one.key.id, one.key.part, one.token) for one in deliveries]
        with self._database.writing() as connection:
            connection.executemany(EXTEND, rows)

    def release(self, deliveries: Sequence[Delivery], delay: timedelta, *, charged: bool) -> None:
        """See Queue."""
        due = micros(self._clock.now() + delay) if delay else 0
        refund = 0 if charged else 1
        rows = [(due, refund, one.key.id, one.key.part, one.token) for one in deliveries]
        with self._database.writing() as connection:
            connection.executemany(RELEASE, rows)
        self._released.set()

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See Queue. Settling and planning took them off already: it is the same row."""

    def _wait(self, version: int, until: float) -> None:
        """Returns when another connection has committed, this one has released, or it is time."""
        while (left := until - time.monotonic()) > 0:
            if self._released.wait(min(LOOK_SECONDS, left)) or self._database.version() != version:
                return

    def _claim(self, limit: int) -> tuple[list[Delivery], float]:
        """What was claimed; and seconds until something falls due, as far as is known now."""
        at = self._clock.now()
        now, far = micros(at), micros(at + LEASES * self._lease)
        times = {"now": now, "far": far}
        with self._database.reading() as connection:
            if not any(connection.execute(IS_DUE, {"action": one, **times}).fetchone()[0] for one in self._bounds):
                return [], _seconds_to_next(connection, self._bounds, now)
        with self._database.writing() as connection:
            token = secrets.token_bytes(16)
            until = micros(self._clock.now() + self._lease)
            deliveries: list[Delivery] = []
            for _, _, seq, was_leased in self._choose(connection, times, limit):
                id_, part, attempt = connection.execute(CLAIM, {"token": token, "until": until, "seq": seq}).fetchone()
                key = Key(id_, part)
                deliveries.append(Delivery(key=key, attempt=attempt, token=token, was_cut_off=bool(was_leased)))
            return deliveries, _seconds_to_next(connection, self._bounds, now)

    def _choose(
        self, connection: sqlite3.Connection, times: Mapping[str, int], limit: int
    ) -> list[tuple[int, int, int, int]]:
        """The first that are due, of all actions, with no action above its bound."""
        due: list[tuple[int, int, int, int]] = []
        for action, bound in self._bounds.items():
            free = limit
            if bound is not None:
                leased = connection.execute(LEASED, {"action": action, **times}).fetchone()[0]
                free = min(limit, max(0, bound - leased))
            due += connection.execute(DUE, {"action": action, "free": free, **times}).fetchall()
        return sorted(due)[:limit]


def _seconds_to_next(connection: sqlite3.Connection, actions: Iterable[str], now: int) -> float:
    times = [connection.execute(NEXT, (action, now)).fetchone()[0] for action in actions]
    return min(((time_ - now) / 1e6 for time_ in times if time_ is not None), default=float("inf"))
