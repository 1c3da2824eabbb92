"""One look at the store for all who have the page open."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from acuse.application.duration import in_words
from acuse.application.overview import PICTURE, Summary, summed
from acuse.domain.errors import AcuseError
from acuse.domain.listing import Filter, Order, Page
from acuse.domain.record import Record, Status
from acuse.domain.tally import SPAN
from acuse.entrypoints.ops.shared import Shared

if TYPE_CHECKING:
    from acuse.entrypoints.ops.sources import Sources

log = logging.getLogger(__name__)

FEW = 8
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
    """What is seen at once, for all who have the page open."""

    def __init__(self, sources: Sources) -> None:
        """Nothing is looked at yet."""
        self._sources = sources
        self._shared = Shared(partial(_looked, sources), longest_rest=LONGEST_REST_SECONDS)

    async def seen(self) -> Seen:
        """What was seen a moment ago, or now; if the look lasts too long, that it does."""
        seen = await self._shared.seen(PATIENCE_SECONDS)
        if seen is not None:
            return seen
        waited = in_words(timedelta(seconds=self._shared.lasts))
        return Seen(at=self._sources.clock.now(), away=f"it has not answered for {waited}")


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
