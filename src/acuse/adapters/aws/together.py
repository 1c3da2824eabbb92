"""How records are added to DynamoDB all together or not at all."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from acuse.adapters.aws.items import item_of, record_from
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added, Together
from acuse.domain.record import Key
from acuse.domain.together import together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from acuse.adapters.aws.items import Item
    from acuse.adapters.aws.table import Table
    from acuse.domain.record import Record


def add_together(table: Table, records: Sequence[Record]) -> list[Together]:
    """See Store. All are taken for new at first; each time some are not, those others are added that are."""
    write = secrets.token_bytes(12)
    keys = [Key(record.id) for record in records]
    # Where two of them differ, nothing will be added, but it is to be told what is there.
    stored = _records(table.read(keys)) if len(set(keys)) < len(keys) else {}
    while True:
        answers = together(records, stored)
        new = [one.record for one in answers if isinstance(one, Added)]
        if not new or _are_added(table, new, write):
            return answers
        items = table.read(keys)
        others = {key: item for key, item in items.items() if bytes(item["_write"]["B"]) != write}
        if len(others) < len(items):
            return together(records, _records(others))  # A transaction that was thought lost has landed: it met itself.
        if len(others) == len(stored):
            raise StoreUnavailable("a record that was there is being deleted")
        stored = _records(others)


def _records(items: Mapping[Key, Item]) -> dict[str, Record]:
    return {key.id: record_from(item) for key, item in items.items()}


def _are_added(table: Table, new: Sequence[Record], write: bytes) -> bool:
    """All of them, or none, because some are there already."""
    additions = [{"Put": table.addition(item_of(record, write))} for record in new]
    written = table.transact(additions, secrets.token_hex(16))
    for one in written:
        if isinstance(one, StoreUnavailable):
            raise one
    return all(one is None for one in written)
