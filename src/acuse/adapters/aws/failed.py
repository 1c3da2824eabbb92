"""The requests that failed, last first: a sparse index of the table has them alone, and loses what is opened again.

Whatever fails has its place in one of several shards, so that a day on which everything fails does not come to one
partition: an index that cannot keep up holds up the table. The index tells what was so a moment ago. So each request is
read from the table, too, and left out if it has not failed then.

The order is that of the times; of one time, that of the shards; of one shard, that of DynamoDB. So one place in it says
for every shard where to go on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from botocore.exceptions import ClientError

from acuse.adapters.aws.calls import code_of
from acuse.adapters.aws.items import native_key, number, record_from, text
from acuse.adapters.aws.listing import terms_of, time_of
from acuse.domain.errors import Misconfigured
from acuse.domain.listing import MAX_PAGE_BYTES, Order, Page, size_of
from acuse.domain.record import Key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acuse.adapters.aws.items import Item
    from acuse.adapters.aws.table import Table
    from acuse.domain.errors import StoreUnavailable
    from acuse.domain.listing import Filter
    from acuse.domain.record import Record

INDEX = "failed"
SHARD, FAILED_AT = "_failed", "finished_at"
"""Its keys."""
PROJECTED = ("action", "created_at")
"""Beside the keys, so that what is not wanted need not be read."""
SHARDS = 10
SPARE = 10
LOOKED_AT = 100
"""At least, of each shard, where not everything that failed is wanted."""
READ_AT_ONCE = 25
"""Requests that are read whole, at up to 400 KB each."""

_CURSOR = re.compile(r"failed/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)/([0-9a-f-]{36})", re.ASCII)


class Place(NamedTuple):
    """That of one request in the list."""

    at: str
    shard: int
    id: str

    @property
    def rank(self) -> tuple[str, int]:
        """The higher, the earlier it comes; those of one rank are in one shard, which knows their order."""
        return self.at, -self.shard


class Looked(NamedTuple):
    """What was seen of one shard: the places of what may be wanted, and how far that went; None: to the end."""

    places: Sequence[Place]
    end: Place | None


def shard_of(id_: str) -> int:
    """Where the request has its place while it is failed."""
    return crc32(id_.encode()) % SHARDS


def last_failed(table: Table, wanted: Filter, limit: int, after: str | None) -> Page:
    """The next of them."""
    start = None if after is None else _start(after)
    looked = table.each(lambda shard: [_look(table, shard, wanted, limit, start)], range(SHARDS))
    # What comes after the end of one shard's part may come after something that was not seen.
    end = max((one.end for one in looked if one.end is not None), key=lambda one: one.rank, default=None)
    places = sorted((place for one in looked for place in one.places), key=lambda one: one.rank, reverse=True)
    seen = [place for place in places if end is None or place.rank >= end.rank]
    records, last = _records(table, wanted, seen[:limit])
    if last is not None and last != seen[-1]:
        end = last
    if end is not None and wanted.since is not None and end.at < time_of(wanted.since)["S"]:
        end = None  # No request ends before it is created.
    return Page(records=records, order=Order.LAST_FAILED, next=end and f"failed/{end.at}/{end.id}")


def lacks_index(error: StoreUnavailable) -> bool:
    """Whether the table has no such index, or not yet."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and code_of(cause) == "ValidationException" and "index" in str(cause)


def _look(table: Table, shard: int, wanted: Filter, limit: int, start: Place | None) -> Looked:
    condition, values = f"#{SHARD} = :shard", {"shard": number(shard)}
    after: Item | None = None
    if start is not None:
        condition += f" AND #{FAILED_AT} {'<' if shard < start.shard else '<='} :at"
        values["at"] = text(start.at)
        if shard == start.shard:
            after = {**native_key(Key(start.id)), SHARD: number(shard), FAILED_AT: text(start.at)}
    terms, more = terms_of(wanted)
    # Some more than its share: the ids are spread by chance.
    share = max(2 * limit // SHARDS + SPARE, LOOKED_AT) if terms else min(limit, 2 * limit // SHARDS + SPARE)
    items, last = table.page_of_query(
        condition,
        values | more,
        ("id", FAILED_AT),
        after,
        filtered=" AND ".join(terms),
        IndexName=INDEX,
        ScanIndexForward=False,
        Limit=share,
    )
    return Looked([_place(item) for item in items], None if last is None else _place(last))


def _records(table: Table, wanted: Filter, places: Sequence[Place]) -> tuple[list[Record], Place | None]:
    """Those that are still what the index says, as many as a page takes; and the last place that was looked at."""
    records: list[Record] = []
    size, last = 0, None
    for start in range(0, len(places), READ_AT_ONCE):
        some = places[start : start + READ_AT_ONCE]
        items = table.read([Key(place.id) for place in some])
        for place in some:
            if size >= MAX_PAGE_BYTES:
                return records, last
            last, item = place, items.get(Key(place.id), {})
            if item.get(FAILED_AT) == text(place.at) and wanted.takes(record := record_from(item)):
                records.append(record)
                size += size_of(record)
    return records, last


def _start(cursor: str) -> Place:
    read = _CURSOR.fullmatch(cursor)
    if not read:
        raise Misconfigured(f"no page of what failed ended with {cursor!r}")
    return _placed(read[1], read[2])


def _place(item: Item) -> Place:
    return _placed(item[FAILED_AT]["S"], item["id"]["S"])


def _placed(at: str, id_: str) -> Place:
    return Place(at, shard_of(id_), id_)
