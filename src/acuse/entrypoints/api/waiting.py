"""Answers that are held until a request has ended, whichever process ends it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from acuse.domain.errors import StoreUnavailable
from acuse.domain.record import Status
from acuse.domain.subject import subject

if TYPE_CHECKING:
    from acuse.domain.record import Record
    from acuse.ports import Store

log = logging.getLogger(__name__)

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
        self._next_look = 0.0
        self._changed = asyncio.Event()
        """Somebody came who is due before the next look, or the last one left."""
        self._is_over = False

    async def ended(self, id_: str, seconds: float, traceparent: str | None = None) -> Record | None:
        """The record once the request has ended; None if it has not after so many seconds."""
        if self._is_over or not seconds:
            return None
        loop = asyncio.get_running_loop()
        waiter = _Waiter(id_, loop.time(), loop.create_future())
        self._waiters.add(waiter)
        if self._watch is None:
            self._watch = asyncio.create_task(self._look_on())
        elif waiter.due < self._next_look:
            self._changed.set()
        try:
            async with asyncio.timeout(seconds):
                return await waiter.ended
        except TimeoutError:
            pass
        finally:
            self._leave(waiter)
        return await self._at_last(id_, traceparent)

    def end(self) -> None:
        """Nobody waits any longer."""
        self._is_over = True
        for waiter in self._waiters:
            if not waiter.ended.done():
                waiter.ended.set_result(None)

    def _leave(self, waiter: _Waiter) -> None:
        self._waiters.discard(waiter)
        if not self._waiters:
            self._changed.set()

    async def _look_on(self) -> None:
        """Until nobody waits. After an error that nobody foresaw, the next who comes begins anew."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiters:
                await self._look()
                self._changed.clear()
                soonest = min((waiter.due for waiter in self._waiters), default=0.0)
                self._next_look = max(loop.time() + FIRST_SECONDS / 2, soonest)
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._next_look):
                        await self._changed.wait()
        except Exception:
            log.exception("cannot see what has ended")
        finally:
            self._watch = None

    async def _look(self) -> None:
        """Those who are due have their record, if their request has ended."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = [waiter for waiter in self._waiters if waiter.due <= now]
        found = await self._found({waiter.id for waiter in due})
        for waiter in due:
            record = found.get(waiter.id)
            if record is not None and not waiter.ended.done():
                waiter.ended.set_result(record)
            waiter.due = loop.time() + max(FIRST_SECONDS, SHARE * (now - waiter.since))

    async def _at_last(self, id_: str, traceparent: str | None) -> Record | None:
        """What ended since the last look is told too."""
        try:
            return (await self._found({id_})).get(id_)
        except Exception:
            log.exception("cannot see whether it has ended", extra=subject(id_, traceparent=traceparent))
            return None

    async def _found(self, ids: set[str]) -> dict[str, Record]:
        """Those that have ended; none, while the store cannot be read."""
        if not ids:
            return {}
        try:
            records = await asyncio.to_thread(self._store.get, list(ids))
        except StoreUnavailable:
            return {}
        return {id_: record for id_, record in records.items() if record.status is not Status.ACCEPTED}
