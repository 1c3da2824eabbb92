"""Requests that are looked for, and a page of those that were found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from acuse.domain.record import Record, Status

MAX_PAGE_BYTES = 4_194_304
"""Bytes of bodies and results after which a page ends, with one record at least."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests are looked for. None: whichever it is."""

    status: Status | None = None
    action: str | None = None
    since: datetime | None = None
    """Created then or later."""
    until: datetime | None = None
    """Created before."""

    def takes(self, record: Record) -> bool:
        """Whether it is one of them."""
        return (
            self.status in (None, record.status)
            and self.action in (None, record.action)
            and (self.since is None or record.created_at >= self.since)
            and (self.until is None or record.created_at < self.until)
        )


class Order(StrEnum):
    """In which order a store lists what it was asked for: those that failed by when they did, if in any."""

    NEWEST = "newest first"
    LAST_FAILED = "last failed first"
    NONE = "in no order"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of what was looked for. It may hold few, or none, and yet not be the last.

    `next`: where to go on, as long as the filter stays; None: this is the last page.
    """

    records: Sequence[Record]
    order: Order
    next: str | None = None


def size_of(record: Record) -> int:
    """What it counts of MAX_PAGE_BYTES."""
    return len(record.body) + len(record.result or b"")
