"""The Store in DynamoDB: what `add` and `settle` write costs one write unit each, up to 1 KB."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from acuse.adapters.aws.endings import settle
from acuse.adapters.aws.expressions import insert
from acuse.adapters.aws.items import item_of, part_from, record_from
from acuse.adapters.aws.plans import plan, reopen
from acuse.adapters.aws.purge import count, purge
from acuse.adapters.aws.table import Statement, Unmet
from acuse.adapters.aws.together import add_together
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added, Addition, Existing, Together
from acuse.domain.record import Key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from acuse.adapters.aws.items import Item
    from acuse.adapters.aws.table import Table, Written
    from acuse.domain.delivery import Delivery, Ending
    from acuse.domain.purged import Purged
    from acuse.domain.record import Part, Record
    from acuse.ports import Clock

NOBODY = Key("nobody")
"""A key that no request has: asking for it shows that the table answers."""


class DynamoStore:
    """Every write is acknowledged by DynamoDB before the method returns; every read sees what was written before."""

    def __init__(self, table: Table, clock: Clock) -> None:
        """Nothing is called yet."""
        self._table = table
        self._clock = clock

    def add(self, records: Sequence[Record]) -> list[Addition]:
        """See Store. What DynamoDB did not take is StoreUnavailable, for exactly that record."""
        if not records:
            self._table.read([NOBODY])
            return []
        write = secrets.token_bytes(12)
        first: dict[str, Record] = {}
        for record in records:
            first.setdefault(record.id, record)
        written = dict(zip(first, self._table.write([self._insert(one, write) for one in first.values()]), strict=True))
        stored = self._met([id_ for id_, one in written.items() if isinstance(one, Unmet)])
        answers = {id_: _addition(one, written[id_], stored.get(id_), write) for id_, one in first.items()}
        additions: list[Addition] = []
        for record in records:
            answer = answers[record.id]
            additions.append(answer)
            if isinstance(answer, Added):
                answers[record.id] = Existing(answer.record)  # Of two in one batch the second meets the first.
        return additions

    def add_together(self, records: Sequence[Record]) -> list[Together]:
        """See Store. What is new is one transaction."""
        return add_together(self._table, records)

    def settle(self, endings: Sequence[Ending]) -> list[bool]:
        """See Store. The ending of a part and the count of those left are one transaction."""
        return settle(self._table, endings)

    def plan(self, delivery: Delivery, parts: Sequence[bytes]) -> bool:
        """See Store."""
        return plan(self._table, delivery, parts, self._clock.now())

    def get(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """See Store."""
        found = self._table.read([Key(id_) for id_ in ids])
        return {key.id: record_from(item) for key, item in found.items()}

    def parts(self, keys: Sequence[Key]) -> Mapping[Key, Part]:
        """See Store."""
        found = self._table.read(keys)
        return {key: part_from(found[key]) for key in keys if key in found}

    def reopen(self, ids: Sequence[str]) -> list[bool]:
        """See Store."""
        return [reopen(self._table, id_) for id_ in ids]

    def purge(self, before: datetime, limit: int, after: str | None, *, dry: bool) -> Purged:
        """See Store."""
        step = count if dry else purge
        return step(self._table, before, limit, after)

    def _insert(self, record: Record, write: bytes) -> Statement:
        item = item_of(record, write)
        return Statement(insert(self._table.name, tuple(item)), list(item.values()), len(record.body))

    def _met(self, ids: Sequence[str]) -> dict[str, Item]:
        """What stands where a new record could not; nothing of what cannot be read now."""
        try:
            return {key.id: item for key, item in self._table.read([Key(id_) for id_ in ids]).items()}
        except StoreUnavailable:
            return {}


def _addition(record: Record, written: Written, stored: Item | None, write: bytes) -> Addition:
    match written:
        case None:
            return Added(record)
        case StoreUnavailable():
            return written
    if stored is None:
        return StoreUnavailable("the record that is already there cannot be read")
    # A write that was thought lost has landed: it met itself.
    return Added(record) if bytes(stored["_write"]["B"]) == write else Existing(record_from(stored))
