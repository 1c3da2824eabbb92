"""How endings are recorded in DynamoDB: once each, with the item's status as the guard."""

from __future__ import annotations

import secrets
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from acuse.adapters.aws.failed import SHARD, shard_of
from acuse.adapters.aws.items import error_of, moment, number, text
from acuse.adapters.aws.message import turn_of
from acuse.adapters.aws.table import Statement, Unmet
from acuse.domain.errors import StoreUnavailable
from acuse.domain.record import Key, Status, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from acuse.adapters.aws.items import Attribute
    from acuse.adapters.aws.table import Table, Written
    from acuse.domain.delivery import Ending

MAX_PARTS = 9
"""Parts of one request that end in one transaction: however large they and the request are, under its 4 MB."""

END = """UPDATE "{table}" {changes}
WHERE "id" = ? AND "_part" = ? AND "_turn" = ? AND "status" = 'accepted' AND "created_at" <= ?"""
END_PART = "#status = :accepted AND #_plan = :plan AND #created_at <= :finished_at"
COUNT = "SET #_parts_ended = #_parts_ended + :ended, #_parts_failed = #_parts_failed + :failed"
OF_THIS_PLAN = "#_plan = :plan"


def settle(table: Table, endings: Sequence[Ending]) -> list[bool]:
    """Which of them were recorded; of two endings of one key the second comes too late."""
    first: dict[Key, Ending] = {}
    for ending in endings:
        first.setdefault(ending.delivery.key, ending)
    ended = _end_requests(table, [ending for key, ending in first.items() if not key.part])
    groups = list(_groups(ending for key, ending in first.items() if key.part))
    for group in table.each(lambda group: [_end_parts(table, group)], groups):
        ended |= group
    return [ended[one.delivery.key] and first[one.delivery.key] is one for one in endings]


def _end_requests(table: Table, endings: Sequence[Ending]) -> dict[Key, bool]:
    ended: dict[Key, bool] = {}
    waiting, write = list(endings), secrets.token_bytes(12)
    while waiting:
        written = table.write([_statement(table, ending, write) for ending in waiting])
        met = list(zip(waiting, written, strict=True))
        waiting = []
        for ending, one in met:
            if isinstance(one, Unmet) and _is_own(one, write):
                ended[ending.delivery.key] = True
            elif later := _later(ending, one):
                waiting.append(later)
            else:
                ended[ending.delivery.key] = _is_recorded(one)
    return ended


def _end_parts(table: Table, endings: Sequence[Ending]) -> dict[Key, bool]:
    """Parts of one plan of one request, and the count of those that are left, at once."""
    ended: dict[Key, bool] = {}
    waiting = list(endings)
    while waiting:
        changes = [_count(table, waiting), *(_part_change(table, ending) for ending in waiting)]
        counted, *written = table.transact([{"Update": one} for one in changes], secrets.token_hex(16))
        if not _is_recorded(counted):
            return ended | {ending.delivery.key: False for ending in waiting}
        recorded = all(one is None for one in written)
        met = list(zip(waiting, written, strict=True))
        waiting = []
        for ending, one in met:
            if one is None and not recorded:
                waiting.append(ending)
            elif later := _later(ending, one):
                waiting.append(later)
            else:
                ended[ending.delivery.key] = _is_recorded(one)
    return ended


def _groups(endings: Iterable[Ending]) -> Iterator[list[Ending]]:
    def family(ending: Ending) -> tuple[str, int]:
        return ending.delivery.key.id, turn_of(ending.delivery.token)

    for _, same in groupby(sorted(endings, key=family), key=family):
        group = list(same)
        yield from (group[start : start + MAX_PARTS] for start in range(0, len(group), MAX_PARTS))


def _statement(table: Table, ending: Ending, write: bytes) -> Statement:
    changed = _stamps(ending) | {"_end": {"B": write}} | _place(ending)
    changes = " ".join(f'SET "{name}" = ?' for name in changed)
    key = ending.delivery.key
    guarded = [text(key.id), number(key.part), number(turn_of(ending.delivery.token)), changed["finished_at"]]
    statement = END.format(table=table.name, changes=changes)
    return Statement(statement, [*changed.values(), *guarded], len(ending.result or b""), tells=True)


def _place(ending: Ending) -> dict[str, Attribute]:
    """Where a request that failed is found in the index."""
    return {SHARD: number(shard_of(ending.delivery.key.id))} if ending.status is Status.FAILED else {}


def _part_change(table: Table, ending: Ending) -> dict[str, Any]:
    stamps = _stamps(ending)
    change = "SET " + ", ".join(f"#{name} = :{name}" for name in stamps)
    values = stamps | {"accepted": text(Status.ACCEPTED), "plan": number(turn_of(ending.delivery.token))}
    return table.change(ending.delivery.key, change, END_PART, values)


def _count(table: Table, endings: Sequence[Ending]) -> dict[str, Any]:
    delivery = endings[0].delivery
    failed = sum(ending.status is Status.FAILED for ending in endings)
    values = {"ended": number(len(endings)), "failed": number(failed), "plan": number(turn_of(delivery.token))}
    return table.change(Key(delivery.key.id), COUNT, OF_THIS_PLAN, values)


def _stamps(ending: Ending) -> dict[str, Attribute]:
    stamps = {
        "status": text(ending.status),
        "finished_at": text(rfc3339(ending.at)),
        "attempts": number(ending.delivery.attempt),
    }
    if ending.result is not None:
        stamps["result"] = text(ending.result.decode())
    if ending.error is not None:
        stamps["error"] = error_of(ending.error)
    return stamps


def _is_own(unmet: Unmet, write: bytes) -> bool:
    """An ending that was thought lost has landed: it met itself."""
    return unmet.item is not None and bytes(unmet.item.get("_end", {}).get("B", b"")) == write


def _later(ending: Ending, written: Written) -> Ending | None:
    """The same ending at the time of the creation, where this machine's clock is behind the one that stamped it."""
    if not isinstance(written, Unmet) or written.item is None or written.item["status"]["S"] != Status.ACCEPTED:
        return None
    created_at = moment(written.item["created_at"])
    return msgspec.structs.replace(ending, at=created_at) if created_at > ending.at else None


def _is_recorded(written: Written) -> bool:
    if isinstance(written, StoreUnavailable):
        raise written
    return written is None
