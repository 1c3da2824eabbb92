"""How a request gets its parts in DynamoDB, and how what failed is opened again, in steps that may stop anywhere.

A request and its parts do not fit in one transaction. So every plan has a number, and a part belongs to the plan whose
number it bears. Whoever plans takes the next number; older plans can then neither write a part nor end one. Only when
all parts are there does the request say how many it has. One that stops on the way leaves a request that can be
planned, or opened, again.

A call may be thought lost, be made again, and land late. So each step names the state that it changes, which the step
itself leaves for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.adapters.aws.expressions import insert
from acuse.adapters.aws.items import integer, number, text
from acuse.adapters.aws.message import turn_of
from acuse.adapters.aws.table import Statement, Unmet
from acuse.domain.errors import StoreUnavailable
from acuse.domain.record import Key, Status, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from acuse.adapters.aws.items import Attribute, Item
    from acuse.adapters.aws.table import Table, Written
    from acuse.domain.delivery import Delivery

CLAIM = "SET #_plan = :mine, #_parts_ended = :none, #_parts_failed = :none"
UNPLANNED = "#status = :accepted AND attribute_not_exists(#_parts) AND #_turn = :turn AND #_plan = :read"
PLAN = "SET #_parts = :parts, #_turn = :mine"
BY_ME = "#status = :accepted AND attribute_not_exists(#_parts) AND #_plan = :mine"

REOPEN = "SET #status = :accepted, #_turn = :mine REMOVE #_failed, #finished_at, #attempts, #result, #error"
REOPEN_UNPLANNED = REOPEN.replace("SET", "SET #_plan = :mine,")
FAILED_UNPLANNED = "#status = :failed AND attribute_not_exists(#_parts) AND #_plan = :read"
RENUMBER = "SET #_plan = :mine REMOVE #_parts_ended, #_parts_failed"
FAILED = "#status = :failed AND #_plan = :read AND attribute_not_exists(#_purging)"
RECOUNT = "SET #_parts_ended = :ended, #_parts_failed = :none"
UNCOUNTED = "#status = :failed AND #_plan = :mine AND attribute_not_exists(#_parts_ended)"
COUNTED = "#status = :failed AND #_plan = :mine AND #_turn < :mine"

REPLACE_PART = """UPDATE "{table}" SET "_value" = ? SET "created_at" = ? SET "status" = 'accepted' SET "_plan" = ?
REMOVE "finished_at" REMOVE "attempts" REMOVE "result" REMOVE "error"
WHERE "id" = ? AND "_part" = ? AND "_plan" < ?"""
REOPEN_PART = """UPDATE "{table}" SET "status" = 'accepted' SET "_plan" = ?
REMOVE "finished_at" REMOVE "attempts" REMOVE "result" REMOVE "error"
WHERE "id" = ? AND "_part" = ? AND "_plan" < ?"""

VALUES = {"none": number(0), "accepted": text(Status.ACCEPTED), "failed": text(Status.FAILED)}
CLAIMS = 10
"""Tries to take a number while others do."""


def plan(table: Table, delivery: Delivery, parts: Sequence[bytes], now: datetime) -> bool:
    """The parts exist, once, and are queued; False if the request is planned already, has ended, or was opened again.

    Raises StoreUnavailable where another is planning it, too: that one may not come to an end.
    """
    request, turn = delivery.key, turn_of(delivery.token)
    claimed = _claim(table, request, turn)
    if claimed is None:
        return False
    mine = claimed["_plan"]
    values = VALUES | {"mine": mine, "parts": number(len(parts))}
    if _write_parts(table, claimed, parts, text(rfc3339(now))):
        planned = table.update(request, PLAN, BY_ME, values)
        if not isinstance(planned, Unmet):
            return True
        if planned.item is not None and planned.item.get("_turn") == mine:
            return True  # A write that was thought lost has landed: only I could take this turn.
        if planned.item is not None and not _is_to_plan(planned.item, turn):
            return False
    raise StoreUnavailable(f"{request.id} is being planned by another")


def reopen(table: Table, id_: str) -> bool:
    """The failed request is accepted again; of a planned one, the failed parts are queued first."""
    request = Key(id_)
    item = table.read([request]).get(request)
    if item is None or item["status"]["S"] != Status.FAILED:
        return False
    mine = number(integer(item, "_plan") + 1)
    values = VALUES | {"read": item["_plan"], "mine": mine}
    if "_parts" not in item:
        return _landed(table.update(request, REOPEN_UNPLANNED, FAILED_UNPLANNED, values), "_turn", mine)
    renumbered = table.update(request, RENUMBER, FAILED, values)
    if isinstance(renumbered, Unmet) and (renumbered.item is None or "_purging" in renumbered.item):
        return False
    if not _landed(renumbered, "_plan", mine):
        raise StoreUnavailable(f"{id_} is being opened again by another")
    # From here on no part can end under an older number, so that what is read now stays as it is.
    parts = integer(item, "_parts")
    again = [
        integer(one, "_part")
        for one in table.collection(id_)
        if 0 < integer(one, "_part") <= parts and one["status"]["S"] != Status.FINISHED
    ]
    counted = table.update(request, RECOUNT, UNCOUNTED, values | {"ended": number(parts - len(again))})
    if not _landed(counted, "_plan", mine):
        raise StoreUnavailable(f"{id_} is being opened again by another")
    statement = REOPEN_PART.format(table=table.name)
    again_each = [Statement(statement, [mine, text(id_), number(part), mine], tells=True) for part in again]
    if not all(_landed(one, "_plan", mine) for one in table.write(again_each, steadily=True)):
        raise StoreUnavailable(f"{id_} is being opened again by another")
    return _landed(table.update(request, REOPEN, COUNTED, values), "_turn", mine)


def _claim(table: Table, request: Key, turn: int) -> Item | None:
    """The request under the next number, which nobody else has; None if there is nothing to plan."""
    read = turn
    for _ in range(CLAIMS):
        values = VALUES | {"read": number(read), "mine": number(read + 1), "turn": number(turn)}
        claimed = table.update(request, CLAIM, UNPLANNED, values)
        if not isinstance(claimed, Unmet):
            return claimed
        if claimed.item is None or not _is_to_plan(claimed.item, turn):
            return None
        read = integer(claimed.item, "_plan")
    raise StoreUnavailable(f"{request.id} is being planned by others")


def _is_to_plan(item: Item, turn: int) -> bool:
    return item["status"]["S"] == Status.ACCEPTED and "_parts" not in item and integer(item, "_turn") == turn


def _write_parts(table: Table, request: Item, parts: Sequence[bytes], now: Attribute) -> bool:
    """All the parts are there, under the plan's number; False if a later plan has written one."""
    mine, id_ = request["_plan"], request["id"]
    new = [
        {
            "id": id_,
            "_part": number(place),
            "action": request["action"],
            "_value": text(value.decode()),
            "status": text(Status.ACCEPTED),
            "created_at": now,
            "_plan": mine,
        }
        for place, value in enumerate(parts, 1)
    ]
    inserts = [
        Statement(insert(table.name, tuple(item)), list(item.values()), len(item["_value"]["S"])) for item in new
    ]
    met = [item for item, one in zip(new, table.write(inserts, steadily=True), strict=True) if _is_unmet(one)]
    replace = REPLACE_PART.format(table=table.name)
    replaced = [
        Statement(replace, [one["_value"], now, mine, id_, one["_part"], mine], len(one["_value"]["S"]), tells=True)
        for one in met
    ]
    return all(_landed(one, "_plan", mine) for one in table.write(replaced, steadily=True))


def _is_unmet(written: Written) -> bool:
    if isinstance(written, StoreUnavailable):
        raise written
    return isinstance(written, Unmet)


def _landed(written: Written | Item, name: str, mine: Attribute) -> bool:
    """Whether the write is there: now, or because one that was thought lost has landed and left its number."""
    if isinstance(written, StoreUnavailable):
        raise written
    if not isinstance(written, Unmet):
        return True
    return written.item is not None and written.item.get(name) == mine
