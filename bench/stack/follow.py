"""What became of a sample of what was stored: read until it has ended, by sending it again."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from acuse.client.chunk import Chunk, lines_of
from acuse.client.errors import Busy, Refused, Unreachable
from bench.stack.answers import CREATED, MULTI_STATUS, OK, Kept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from acuse.client import Item
    from bench.stack.wire import Answer

TOGETHER = 100
"""Read in one POST."""
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 0.2, 1.5, 5.0
CONFLICT = 409


class Fate(msgspec.Struct, kw_only=True):
    """What is known of one request that the service said it has stored."""

    id: str
    created_at: str
    was_read: bool = False
    """False: the service never answered for it since."""
    is_lost: bool = False
    """The service took it for a new one: what it acknowledged before was not there any more."""
    is_changed: bool = False
    """It is there with another created_at, or with other content."""
    status: str | None = None
    """How it ended; None: it has not ended."""
    finished_at: str | None = None

    @property
    def seconds(self) -> float | None:
        """From created to finished, by the clock of the service."""
        if self.finished_at is None:
            return None
        return (datetime.fromisoformat(self.finished_at) - datetime.fromisoformat(self.created_at)).total_seconds()

    @property
    def is_open(self) -> bool:
        """Whether reading it again may tell more."""
        return not (self.is_lost or self.is_changed or self.finished_at)

    def learn(self, item: Item) -> None:
        """What the service says of it now."""
        record = item.record
        if item.status not in {OK, CREATED, CONFLICT}:
            return
        self.was_read = True
        self.is_lost = item.status == CREATED
        self.is_changed = item.status == CONFLICT
        if item.status == OK and record is not None:
            self.is_changed = record["created_at"] != self.created_at
            self.finished_at = record["finished_at"]
            self.status = record["status"] if self.finished_at else None


async def follow(
    kept: Sequence[Kept],
    post: Callable[[bytes], Awaitable[Answer]],
    stopped: asyncio.Event,
    *,
    patience: float,
) -> list[Fate]:
    """Each was read at least once, and again until it had ended or patience was over.

    Many in one POST. `post` may raise OSError: then they are read in the next round.
    """
    lines = {one.request.id: one.request.line for one in kept}
    fates = [Fate(id=one.request.id, created_at=one.created_at) for one in kept]
    deadline = time.monotonic() + patience
    pause = FIRST_PAUSE
    while still := [fate for fate in fates if fate.is_open]:
        for start in range(0, len(still), TOGETHER):
            await _read(still[start : start + TOGETHER], lines, post)
        if stopped.is_set() or time.monotonic() >= deadline:
            break
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), max(0.0, min(pause, deadline - time.monotonic())))
        pause = min(pause * GROWTH, LONGEST_PAUSE)
    return fates


async def _read(fates: Sequence[Fate], lines: dict[str, bytes], post: Callable[[bytes], Awaitable[Answer]]) -> None:
    chunk = Chunk(0, [lines[fate.id] for fate in fates])
    try:
        answer = await post(chunk.body(range(len(fates))))
    except OSError:
        return
    if answer.status != MULTI_STATUS:
        return
    # What stands in whole lines is so; the others are read in the next round.
    with suppress(Busy, Refused, Unreachable):
        chunk.take(range(len(fates)), lines_of([answer.body]))
    for item in chunk.answers:
        fates[item.index].learn(item)
