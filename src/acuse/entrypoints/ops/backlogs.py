"""The backlog for machines that watch, read so seldom that they cannot load the store."""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.backlog import Backlog
from acuse.domain.errors import AcuseError

if TYPE_CHECKING:
    from acuse.entrypoints.ops.sources import Sources

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that who asks waits; Prometheus itself waits for ten."""
REST_SECONDS = 1.0
SHARE = 0.1
"""Of the time, that looks may take."""


class Seen(msgspec.Struct, frozen=True):
    """The backlog at that moment; None: it could not be read."""

    at: datetime
    backlog: Backlog | None


class Backlogs:
    """One look serves all who ask while it lasts, and for a while after."""

    def __init__(self, sources: Sources) -> None:
        """Nothing is looked at yet."""
        self._sources = sources
        self._seen: Seen | None = None
        self._fresh_until = -math.inf
        self._looking: asyncio.Task[Seen] | None = None

    async def seen(self) -> Seen:
        """What was seen a moment ago, or now. A look that takes too long for who asks serves those who come later."""
        if self._seen is not None and monotonic() < self._fresh_until:
            return self._seen
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        done, _ = await asyncio.wait({self._looking}, timeout=PATIENCE)
        return done.pop().result() if done else Seen(self._sources.clock.now(), None)

    async def answers(self) -> bool:
        """Whether it could be read."""
        return (await self.seen()).backlog is not None

    async def _look(self) -> Seen:
        began = monotonic()
        self._seen = await asyncio.to_thread(_looked, self._sources)
        self._looking = None
        took = monotonic() - began
        self._fresh_until = monotonic() + max(REST_SECONDS, took * (1 / SHARE - 1))
        return self._seen


def _looked(sources: Sources) -> Seen:
    backlog: Backlog | None = None
    try:
        backlog = sources.overview.backlog()
    except AcuseError as error:
        log.warning("the backlog was not seen", extra={"error": str(error)})
    except Exception:
        log.exception("the backlog was not seen")
    return Seen(sources.clock.now(), backlog)
