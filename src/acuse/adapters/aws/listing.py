"""Requests of the table, a bounded page at a time, in no order: no index has all of them."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

from acuse.adapters.aws.items import number, record_from, text
from acuse.domain.errors import Misconfigured
from acuse.domain.listing import MAX_PAGE_BYTES, Order, Page
from acuse.domain.record import Key, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    looked_at, size = 0, limit
    while True:
        more, start = table.scan(condition, values, (), size, start)
        items += more
        looked_at += size
        if start is None or len(items) >= limit or looked_at >= LOOKED_AT:
            break
        size = min(2 * size, LOOKED_AT)
    records = [record_from(item) for item in items[:limit]]
    records = records[: fitting(records)]
    if len(records) < len(items):
        start = Key(records[-1].id)
    return Page(records=records, order=Order.NONE, next=None if start is None else f"scan/{start.part}/{start.id}")


def fitting(records: Sequence[Record]) -> int:
    """How many of them a page takes: as many as its bytes allow, and one at least."""
    size = 0
    for place, record in enumerate(records):
        size += len(record.body) + len(record.result or b"")
        if size > MAX_PAGE_BYTES and place:
            return place
    return len(records)


def _condition(wanted: Filter) -> tuple[str, dict[str, Attribute]]:
    terms = ["#_part = :request"]
    values = {"request": number(0)}
    if wanted.status is not None:
        terms.append("#status = :status")
        values["status"] = text(wanted.status)
    if wanted.action is not None:
        terms.append("#action = :action")
        values["action"] = text(wanted.action)
    if wanted.since is not None:
        terms.append("#created_at >= :since")
        values["since"] = text(rfc3339(wanted.since.astimezone(UTC)))
    if wanted.until is not None:
        terms.append("#created_at < :until")
        values["until"] = text(rfc3339(wanted.until.astimezone(UTC)))
    return " AND ".join(terms), values


def _key(cursor: str) -> Key:
    read = _CURSOR.fullmatch(cursor) if cursor.isprintable() else None
    if not read:
        raise Misconfigured("no page of this list goes on there")
    return Key(read[2], int(read[1]))
