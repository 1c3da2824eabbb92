"""One look at the store for all who have the page open."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from acuse.application.duration import in_words
from acuse.application.overview import PICTURE, Summary, summed
from acuse.domain.errors import AcuseError
from acuse.domain.listing import Filter, Order, Page
from acuse.domain.record import Record, Status
from acuse.domain.tally import SPAN

if TYPE_CHECKING:
    from acuse.entrypoints.ops.sources import Sources

log = logging.getLogger(__name__)

FEW = 8
REST_SECONDS = 1.0
SHARE = 0.1
"""Of the time, that looks may take. One that fails is over soon, or has waited and not read."""
LONGEST_REST_SECONDS = 15.0
"""For those who watch: it may have been the machine that was slow, and not the store."""
PATIENCE_SECONDS = 3.0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen: all of it, or why nothing."""

    at: datetime
    summary: Summary | None = None
    failed: Sequence[Record] = ()
    order: Order = Order.NONE
    away: str | None = None


class Look:
    """A look serves all who ask while it lasts, and for a while after."""

    def __init__(self, sources: Sources) -> None:
        """Nothing is looked at yet."""
        self._sources = sources
        self._seen: Seen | None = None
        self._began = self._fresh_until = -math.inf
        self._looking: asyncio.Task[Seen] | None = None

    async def seen(self) -> Seen:
        """What was seen a moment ago, or now; if the look lasts too long, that it does."""
        if self._seen is not None and monotonic() < self._fresh_until:
            return self._seen
        if self._looking is None:
            self._began = monotonic()
            self._looking = asyncio.create_task(self._look())
            # Those who asked may have left: then nobody else looks at what became of it.
            self._looking.add_done_callback(lambda look: look.cancelled() or look.exception())
        try:
            async with asyncio.timeout(self._began + PATIENCE_SECONDS - monotonic()):
                return await asyncio.shield(self._looking)
        except TimeoutError:
            waited = in_words(timedelta(seconds=monotonic() - self._began))
            return Seen(at=self._sources.clock.now(), away=f"it has not answered for {waited}")

    async def _look(self) -> Seen:
        try:
            seen = self._seen = await asyncio.to_thread(_looked, self._sources)
        finally:
            self._looking = None
        rest = (monotonic() - self._began) * (1 / SHARE - 1) if seen.summary else 0
        self._fresh_until = monotonic() + min(max(REST_SECONDS, rest), LONGEST_REST_SECONDS)
        return seen


def _looked(sources: Sources) -> Seen:
    now = sources.clock.now()
    try:
        overview = sources.overview
        tallies = overview.tallies(now - PICTURE - SPAN)
        failed: Page = overview.find(Filter(status=Status.FAILED), FEW, None)
        summary = summed(tallies, overview.backlog(), sources.clock.now(), sources.catalogue)
    except AcuseError as error:
        log.warning("the overview was not seen", extra={"error": str(error)})
        return Seen(at=now, away=str(error))
    return Seen(at=now, summary=summary, failed=failed.records, order=failed.order)
