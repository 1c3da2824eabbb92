"""Answers that are held until a request has ended, whichever process ends it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from acuse.domain.errors import StoreUnavailable
from acuse.domain.record import Status

if TYPE_CHECKING:
    from acuse.domain.record import Record
    from acuse.ports import Store

FIRST_SECONDS = 0.02
SHARE = 0.1
"""The next look comes after this share of the time waited so far: the longer it takes, the fewer looks."""


class _Waiter:
    def __init__(self, id_: str, now: float, ended: asyncio.Future[Record | None]) -> None:
        self.id = id_
        self.since = now
        self.due = now + FIRST_SECONDS
        self.ended = ended


class Waiting:
    """One look at the store serves all who wait; while nobody does, there is none."""

    def __init__(self, store: Store) -> None:
        """Nothing is read yet."""
        self._store = store
        self._waiters: set[_Waiter] = set()
        self._watch: asyncio.Task[None] | None = None
        self._is_over = False

    async def ended(self, id_: str, seconds: float) -> Record | None:
        """The record once the request has ended; None if it has not after so many seconds."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(id_, loop.time(), loop.create_future())
        if self._is_over:
            return None
        self._waiters.add(waiter)
        if self._watch is None:
            self._watch = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                return await waiter.ended
        except TimeoutError:
            return None
        finally:
            self._waiters.discard(waiter)

    def end(self) -> None:
        """Nobody waits any longer."""
        self._is_over = True
        for waiter in self._waiters:
            if not waiter.ended.done():
                waiter.ended.set_result(None)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiters:
            now = loop.time()
            due = [waiter for waiter in self._waiters if waiter.due <= now]
            found = await self._found({waiter.id for waiter in due})
            for waiter in due:
                record = found.get(waiter.id)
                if record is not None and not waiter.ended.done():
                    waiter.ended.set_result(record)
                waiter.due = loop.time() + max(FIRST_SECONDS, SHARE * (now - waiter.since))
            next_due = min((waiter.due for waiter in self._waiters), default=0.0)
            await asyncio.sleep(max(FIRST_SECONDS / 2, next_due - loop.time()))
        self._watch = None

    async def _found(self, ids: set[str]) -> dict[str, Record]:
        """Those that have ended; none, while the store cannot be read."""
        if not ids:
            return {}
        try:
            records = await asyncio.to_thread(self._store.get, list(ids))
        except StoreUnavailable:
            return {}
        return {id_: record for id_, record in records.items() if record.status is not Status.ACCEPTED}
