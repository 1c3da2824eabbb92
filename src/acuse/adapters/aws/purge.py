"""How DynamoDB forgets what ended long ago: page by page of the whole table, for no index knows when it ended.

The parts of a request go before it, so that none is ever there without its request: the same id may come again. Before
the first of them goes, a failed request is marked, and not opened again. A purge that stops on the way leaves a
request that has ended and shows how, and the next one takes it up.

What was read is compared where it is deleted: a request by when it ended, a part by when it was created. So what was
opened again meanwhile, or went and came again, stays.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from acuse.adapters.aws.items import integer, key_of, number, text
from acuse.adapters.aws.table import Statement, Unmet
from acuse.domain.errors import StoreUnavailable
from acuse.domain.purged import Purged
from acuse.domain.record import Key, Status, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from acuse.adapters.aws.items import Item
    from acuse.adapters.aws.table import Table

# Where a plan was made, its parts may be running although the request has not been opened again yet: see `reopen`.
ENDED = (
    "#_part = :request AND #status IN ( :finished , :failed ) AND #finished_at < :before"
    " AND ( attribute_not_exists(#_parts) OR #_turn = #_plan )"
)
SEEN = ("id", "_part", "status", "finished_at", "_plan", "_parts", "_purging")

MARK = "SET #_purging = :yes"
UNTOUCHED = "#status = :failed AND #finished_at = :read_at AND #_plan = :read"

FORGET = """DELETE FROM "{table}" WHERE "id" = ? AND "_part" = 0 AND "status" = ? AND "finished_at" = ?"""
FORGET_PART = """DELETE FROM "{table}" WHERE "id" = ? AND "_part" = ? AND "created_at" = ?"""

START = ""
"""A cursor before everything."""
VALUES = {
    "request": number(0),
    "yes": number(1),
    "finished": text(Status.FINISHED),
    "failed": text(Status.FAILED),
}


class Portion(NamedTuple):
    """What goes of one request: these parts; and then itself, if they are all."""

    request: Item
    parts: Sequence[Item]
    is_whole: bool


def purge(table: Table, before: datetime, limit: int, after: str | None) -> Purged:
    """One step."""
    ended, following = _page(table, before, limit, after)
    portions, full_at = _chosen(table, ended, limit)
    if full_at is not None:
        following = _cursor(key_of(ended[full_at - 1])) if full_at else after or START
    open_to_it = [portion for portion in portions if _stays_ended(table, portion)]
    parts = _deleted(table, [_part_statement(table, part) for portion in open_to_it for part in portion.parts])
    gone = _deleted(table, [_statement(table, portion.request) for portion in open_to_it if portion.is_whole])
    return Purged(requests=gone, parts=parts, next=following)


def count(table: Table, before: datetime, limit: int, after: str | None) -> Purged:
    """What the steps over as many items would come to."""
    ended, following = _page(table, before, limit, after)
    return Purged(requests=len(ended), parts=sum(len(_parts(table, one)) for one in ended), next=following)


def _page(table: Table, before: datetime, limit: int, after: str | None) -> tuple[list[Item], str | None]:
    values = VALUES | {"before": text(rfc3339(before))}
    ended, last = table.scan(ENDED, values, SEEN, limit, _key(after) if after else None)
    return ended, None if last is None else _cursor(last)


def _chosen(table: Table, ended: Sequence[Item], limit: int) -> tuple[list[Portion], int | None]:
    """What goes in this step; and which request it has no room for, or not for all of it."""
    room = limit
    portions: list[Portion] = []
    for place, request in enumerate(ended):
        parts = _parts(table, request, room) if room else []
        if len(parts) == room:
            return [*portions, Portion(request, parts, is_whole=False)], place
        portions.append(Portion(request, parts, is_whole=True))
        room -= len(parts) + 1
    return portions, None


def _parts(table: Table, request: Item, most: int | None = None) -> list[Item]:
    """The first of its parts, or all; also those of a plan that was never finished."""
    if not integer(request, "_plan"):
        return []
    several = None if most is None else most + 1
    collection = table.collection(request["id"]["S"], several)
    return [one for one in islice(collection, several) if integer(one, "_part")]


def _stays_ended(table: Table, portion: Portion) -> bool:
    """Nobody can open it again from now on, or it would lose nothing by that."""
    request = portion.request
    if "_parts" not in request or request["status"]["S"] == Status.FINISHED or "_purging" in request:
        return True
    values = VALUES | {"read": request["_plan"], "read_at": request["finished_at"]}
    return not isinstance(table.update(key_of(request), MARK, UNTOUCHED, values), Unmet)


def _deleted(table: Table, statements: Sequence[Statement]) -> int:
    """How many were there as they were read, or had gone already. Raises StoreUnavailable if one could not be tried."""
    written = table.write(statements, steadily=True)
    for one in written:
        if isinstance(one, StoreUnavailable):
            raise one
    return sum(one is None for one in written)


def _statement(table: Table, request: Item) -> Statement:
    return Statement(FORGET.format(table=table.name), [request["id"], request["status"], request["finished_at"]])


def _part_statement(table: Table, part: Item) -> Statement:
    return Statement(FORGET_PART.format(table=table.name), [part["id"], part["_part"], part["created_at"]])


def _cursor(key: Key) -> str:
    return f"{key.part} {key.id}"


def _key(cursor: str) -> Key:
    part, _, id_ = cursor.partition(" ")
    return Key(id_, int(part))
