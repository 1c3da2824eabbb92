"""How a request gets its parts in DynamoDB, and how failed ones are opened again, in steps that may stop anywhere.

A request and its parts do not fit in one transaction. So every plan has a number, and a part belongs to the plan whose
number it bears. Whoever plans takes the next number; older plans can then neither write a part nor end one. Only when
all parts are there does the request say how many it has. One that stops on the way leaves a request that can be
planned, or opened, again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.adapters.aws.items import integer, number, text
from acuse.adapters.aws.table import Statement, Unmet, insert
from acuse.domain.errors import StoreUnavailable
from acuse.domain.record import Key, Status, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from acuse.adapters.aws.items import Attribute, Item
    from acuse.adapters.aws.table import Table, Written

CLAIM = "SET #_plan = if_not_exists(#_plan, :none) + :one, #_parts_ended = :none, #_parts_failed = :none"
UNPLANNED = "#status = :accepted AND attribute_not_exists(#_parts)"
PLANNED = "SET #_parts = :parts, #_turn = :plan"
BY_ME = "#status = :accepted AND attribute_not_exists(#_parts) AND #_plan = :plan"

REOPEN = "SET #status = :accepted REMOVE #finished_at, #attempts, #result, #error"
REOPEN_PLANNED = "SET #status = :accepted, #_turn = :plan REMOVE #finished_at, #attempts, #result, #error"
REOPEN_UNPLANNED = "#status = :failed AND attribute_not_exists(#_parts)"
RENUMBER = "SET #_plan = #_plan + :one"
FAILED = "#status = :failed AND #_plan = :plan"
RECOUNT = "SET #_parts_ended = :ended, #_parts_failed = :none"

REPLACE_PART = """UPDATE "{table}" SET "_value" = ? SET "created_at" = ? SET "status" = 'accepted' SET "_plan" = ?
REMOVE "finished_at" REMOVE "attempts" REMOVE "result" REMOVE "error"
WHERE "id" = ? AND "_part" = ? AND "_plan" < ?"""
REOPEN_PART = """UPDATE "{table}" SET "status" = 'accepted' SET "_plan" = ?
REMOVE "finished_at" REMOVE "attempts" REMOVE "result" REMOVE "error"
WHERE "id" = ? AND "_part" = ? AND "_plan" < ?"""

VALUES = {
    "none": number(0),
    "one": number(1),
    "accepted": text(Status.ACCEPTED),
    "failed": text(Status.FAILED),
}


def plan(table: Table, id_: str, parts: Sequence[bytes], now: datetime) -> bool:
    """The parts exist, once, and are queued; False if the request is planned already or has ended."""
    request = Key(id_)
    claimed = table.update(request, CLAIM, UNPLANNED, VALUES)
    if isinstance(claimed, Unmet):
        return False
    mine = claimed["_plan"]
    if not _write_parts(table, claimed, parts, text(rfc3339(now))):
        return False
    values = VALUES | {"plan": mine, "parts": number(len(parts))}
    planned = table.update(request, PLANNED, BY_ME, values)
    # A write that was thought lost has landed, if the plan is mine and counts its parts: only I could do that.
    return not isinstance(planned, Unmet) or ("_parts" in (planned.item or {}) and _says(planned, mine))


def reopen(table: Table, id_: str) -> bool:
    """The failed request is accepted again; of a planned one, the failed parts are queued first."""
    request = Key(id_)
    item = table.read([request]).get(request)
    if item is None or item["status"]["S"] != Status.FAILED:
        return False
    if "_parts" not in item:
        return not isinstance(table.update(request, REOPEN, REOPEN_UNPLANNED, VALUES), Unmet)
    renumbered = table.update(request, RENUMBER, FAILED, VALUES | {"plan": item["_plan"]})
    if isinstance(renumbered, Unmet):
        raise StoreUnavailable(f"{id_} is being opened again by another, or by a call thought lost; look again")
    # From here on no part can end under an older number, so that what is read now stays as it is.
    mine = renumbered["_plan"]
    parts = integer(item, "_parts")
    again = [
        integer(one, "_part")
        for one in table.collection(id_)
        if 0 < integer(one, "_part") <= parts and one["status"]["S"] != Status.FINISHED
    ]
    values = VALUES | {"plan": mine, "ended": number(parts - len(again))}
    if isinstance(table.update(request, RECOUNT, FAILED, values), Unmet):
        return False
    statement = REOPEN_PART.format(table=table.name)
    again_each = [Statement(statement, [mine, text(id_), number(part), mine], tells=True) for part in again]
    written = table.write(again_each, steadily=True)
    if not all(_is_mine(one, mine) for one in written):
        return False
    return not isinstance(table.update(request, REOPEN_PLANNED, FAILED, values), Unmet)


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
    written = table.write(
        [Statement(insert(table.name, tuple(item)), list(item.values()), len(item["_value"]["S"])) for item in new],
        steadily=True,
    )
    _raise_first(written)
    replace = REPLACE_PART.format(table=table.name)
    replaced = table.write(
        [
            Statement(
                replace, [item["_value"], now, mine, id_, item["_part"], mine], len(item["_value"]["S"]), tells=True
            )
            for item, one in zip(new, written, strict=True)
            if isinstance(one, Unmet)
        ],
        steadily=True,
    )
    return all(_is_mine(one, mine) for one in replaced)


def _is_mine(written: Written, plan: Attribute) -> bool:
    """Whether the part bears that plan's number now."""
    _raise_first([written])
    return not isinstance(written, Unmet) or _says(written, plan)


def _says(unmet: Unmet, plan: Attribute) -> bool:
    return unmet.item is not None and unmet.item.get("_plan") == plan


def _raise_first(written: Sequence[Written]) -> None:
    for one in written:
        if isinstance(one, StoreUnavailable):
            raise one
