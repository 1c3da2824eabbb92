"""Sends again what is due: where a message was lost, its request or part would wait for ever.

Which messages were lost, nobody knows: a queue does not say what is in it. So whatever is due and old enough gets one,
page by page of the whole table. One that was not lost is then there twice, and the first of the two to end counts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from acuse.adapters.aws.items import text
from acuse.adapters.aws.relay import still_due
from acuse.domain.record import Key, Status, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from acuse.adapters.aws.items import Item
    from acuse.adapters.aws.outbox import Outbox
    from acuse.adapters.aws.table import Table

OLD = "#status = :accepted AND #created_at < :before"
SEEN = ("id", "_part", "action", "status", "_plan", "_turn", "_parts", "_parts_ended")
OF_A_REQUEST = ("status", "_plan", "_parts")
AT_ONCE = 25
"""Requests that are read whole, at up to 400 KB each."""


class Requeued(NamedTuple):
    """What one step came to: requests of that age which have not ended, and messages. `next`: where to go on."""

    requests: int
    messages: int
    next: Key | None


def requeue(table: Table, outbox: Outbox | None, before: datetime, limit: int, after: Key | None) -> Requeued:
    """Of the next `limit` items, what was created before that moment and is due has a message. No outbox: it counts.

    Safe to repeat, also where a step failed when some of its messages had been sent.
    """
    values = {"accepted": text(Status.ACCEPTED), "before": text(rfc3339(before))}
    items, following = table.scan(OLD, values, SEEN, limit, after)
    parts = [item for item in items if item["_part"]["N"] != "0"]
    messages = still_due(items, _requests(table, parts))
    if outbox is not None:
        outbox.send(messages, timedelta(0))
    return Requeued(requests=len(items) - len(parts), messages=len(messages), next=following)


def _requests(table: Table, parts: Sequence[Item]) -> dict[str, Item]:
    """Of each request that the parts are of, what tells whether it waits for them."""
    keys = [Key(id_) for id_ in dict.fromkeys(part["id"]["S"] for part in parts)]
    return {
        key.id: {name: item[name] for name in OF_A_REQUEST if name in item}
        for start in range(0, len(keys), AT_ONCE)
        for key, item in table.read(keys[start : start + AT_ONCE]).items()
    }
