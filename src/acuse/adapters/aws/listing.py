"""Requests of the table, a bounded page at a time, in no order: no index has all of them."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

from acuse.adapters.aws.items import number, record_from, text
from acuse.domain.errors import Misconfigured
from acuse.domain.listing import MAX_PAGE_BYTES, Order, Page, size_of
from acuse.domain.record import Key, rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from acuse.adapters.aws.items import Attribute, Item
    from acuse.adapters.aws.table import Table
    from acuse.domain.listing import Filter
    from acuse.domain.record import Record

LOOKED_AT = 1_000
"""Items after which a page ends, whatever was found; DynamoDB ends one after 1 MB."""

_CURSOR = re.compile(r"scan/(-?\d{1,9})/(.{1,255})")


def scanned(table: Table, wanted: Filter, limit: int, after: str | None) -> Page:
    """The next of them. What is written meanwhile may be in it, or not."""
    condition, values = _condition(wanted)
    start = None if after is None else _key(after)
    items: list[Item] = []
    looked_at, piece = 0, limit
    while True:
        more, start = table.scan(condition, values, (), piece, start)
        items += more
        looked_at += piece
        left = limit - len(items)
        if start is None or left <= 0 or looked_at >= LOOKED_AT:
            break
        # What is read beyond what the page takes is read again for the next one. Where none was found, there are fewer.
        piece = min(left * looked_at // len(items) + 1 if more else 2 * piece, LOOKED_AT)
    records: list[Record] = []
    size = 0
    for item in items:
        if len(records) == limit or size >= MAX_PAGE_BYTES:
            start = Key(records[-1].id)
            break
        records.append(record_from(item))
        size += size_of(records[-1])
    return Page(records=records, order=Order.NONE, next=None if start is None else f"scan/{start.part}/{start.id}")


def is_scanned(after: str | None) -> bool:
    """Whether it is where a page of a scan ended."""
    return after is not None and after.startswith("scan/")


def terms_of(wanted: Filter) -> tuple[list[str], dict[str, Attribute]]:
    """What is wanted, but for the status, as terms of a condition, and their values."""
    terms: list[str] = []
    values: dict[str, Attribute] = {}
    if wanted.action is not None:
        terms.append("#action = :action")
        values["action"] = text(wanted.action)
    if wanted.since is not None:
        terms.append("#created_at >= :since")
        values["since"] = time_of(wanted.since)
    if wanted.until is not None:
        terms.append("#created_at < :until")
        values["until"] = time_of(wanted.until)
    return terms, values


def time_of(moment: datetime) -> Attribute:
    """The moment, as the stamps are stored."""
    return text(rfc3339(moment.astimezone(UTC)))


def _condition(wanted: Filter) -> tuple[str, dict[str, Attribute]]:
    terms, values = terms_of(wanted)
    if wanted.status is not None:
        terms.append("#status = :status")
        values["status"] = text(wanted.status)
    return " AND ".join(["#_part = :request", *terms]), values | {"request": number(0)}


def _key(cursor: str) -> Key:
    read = _CURSOR.fullmatch(cursor) if cursor.isprintable() else None
    if not read:
        raise Misconfigured(f"no page of this store ended with {cursor!r}")
    return Key(read[2], int(read[1]))
