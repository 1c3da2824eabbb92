"""One look at the store for all who have the page open."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from acuse.application.duration import in_words
from acuse.application.overview import PICTURE, Summary, summed
from acuse.domain.errors import AcuseError, Misconfigured
from acuse.domain.listing import Filter, Order, Page
from acuse.domain.record import Record, Status
from acuse.domain.tally import SPAN
from acuse.entrypoints.ops.shared import Shared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from acuse.entrypoints.ops.sources import Sources
    from acuse.ports import Overview

log = logging.getLogger(__name__)

FEW = 8
LONGEST_REST_SECONDS = 15.0
"""For those who watch: it may have been the machine that was slow, and not the store."""
SCAN_REST_SECONDS = 300.0
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
        self._shared = Shared(self._look, longest_rest=LONGEST_REST_SECONDS)
        self._scanned: tuple[Page, float] | None = None

    async def seen(self) -> Seen:
        """What was seen a moment ago, or now; if the look lasts too long, that it does."""
        seen = await self._shared.seen(PATIENCE_SECONDS)
        if seen is not None:
            return seen
        waited = in_words(timedelta(seconds=self._shared.lasts))
        return Seen(at=self._sources.clock.now(), away=f"it has not answered for {waited}")

    def _look(self) -> Seen:
        now = self._sources.clock.now()
        try:
            overview = self._sources.overview
            tallies = overview.tallies(now - PICTURE - SPAN)
            failed = self._failed(overview)
            summary = summed(tallies, overview.backlog(), self._sources.clock.now(), known(self._sources))
        except AcuseError as error:
            log.warning("the overview was not seen", extra={"error": str(error)})
            return Seen(at=now, away=str(error))
        except Exception:
            log.exception("the overview was not seen")
            return Seen(at=now, away="it failed in an unforeseen way")
        return Seen(at=now, summary=summary, failed=failed.records, order=failed.order)

    def _failed(self, overview: Overview) -> Page:
        """The last that failed; where the store lists them in no order, it reads much for it, and so seldom."""
        if self._scanned is not None and monotonic() < self._scanned[1]:
            return self._scanned[0]
        page = overview.find(Filter(status=Status.FAILED), FEW, None)
        if page.order is Order.NONE:
            self._scanned = page, monotonic() + SCAN_REST_SECONDS
        return page


def known(sources: Sources) -> Iterable[str]:
    """The actions that can be chosen; none where they cannot be loaded: the store can be looked at all the same."""
    try:
        return sources.catalogue
    except Misconfigured as error:
        log.warning("the actions are not known", extra={"error": str(error)})
        return ()
