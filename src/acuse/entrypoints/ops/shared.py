"""One look at the store for all who ask."""

from __future__ import annotations

import asyncio
import math
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

REST_SECONDS = 1.0
SHARE = 0.1
"""Of the time, that looks may take."""


class Shared(Generic[T]):
    """A look serves all who ask while it lasts, and for a while after, so that those who ask cannot load the store."""

    def __init__(self, look: Callable[[], T], *, longest_rest: float = math.inf) -> None:
        """`look` is called in a thread, never twice at once."""
        self._look = look
        self._longest_rest = longest_rest
        self._seen: tuple[T, float] | None = None
        self._began = -math.inf
        self._looking: asyncio.Task[T] | None = None

    @property
    def lasts(self) -> float:
        """Seconds since the last look began."""
        return monotonic() - self._began

    async def seen(self, patience: float) -> T | None:
        """What was seen a moment ago, or now; None while a look lasts longer than that."""
        if self._seen is not None and monotonic() < self._seen[1]:
            return self._seen[0]
        if self._looking is None:
            self._began = monotonic()
            self._looking = asyncio.create_task(self._take())
        done, _ = await asyncio.wait({self._looking}, timeout=max(patience - self.lasts, 0.0))
        return done.pop().result() if done else None

    async def _take(self) -> T:
        try:
            seen = await asyncio.to_thread(self._look)
        finally:
            self._looking = None
        rest = min(max(REST_SECONDS, self.lasts * (1 / SHARE - 1)), self._longest_rest)
        self._seen = seen, monotonic() + rest
        return seen
