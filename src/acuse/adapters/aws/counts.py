"""From the table's stream to figures: what was accepted, what ended, and how long that took."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from acuse.adapters.aws.items import integer, moment
from acuse.domain.record import Record, Status
from acuse.domain.tally import tally_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acuse.adapters.aws.items import Item
    from acuse.adapters.aws.relay import Change
    from acuse.domain.tally import Tally


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Of requests, not of parts. `seconds`: from the creation to the end, for each that ended."""

    accepted: int
    finished: int
    failed: int
    seconds: tuple[float, ...]


def come_to_pass(changes: Sequence[Change]) -> list[Record]:
    """The requests that these changes made new, or ended, without what they hold.

    The same changes given again come to the same again.
    """
    records: list[Record] = []
    for change in changes:
        item = change["dynamodb"].get("NewImage")
        match _status(change["dynamodb"].get("OldImage")), _status(item):
            case (None, Status.ACCEPTED) | (Status.ACCEPTED, Status.FINISHED | Status.FAILED):
                records.append(_stamped(item))
    return records


def counts_of(records: Sequence[Record]) -> Counts:
    """How many there are of each status."""
    statuses = Counter(record.status for record in records)
    return Counts(
        accepted=statuses[Status.ACCEPTED],
        finished=statuses[Status.FINISHED],
        failed=statuses[Status.FAILED],
        seconds=tuple(
            (record.finished_at - record.created_at).total_seconds() for record in records if record.finished_at
        ),
    )


def tallies_of(records: Sequence[Record]) -> list[Tally]:
    """The same by span, action, status and duration, one of each kind."""
    kinds = Counter(tally_of(record) for record in records)
    return [msgspec.structs.replace(tally, count=count) for tally, count in kinds.items()]


def _status(item: Item | None) -> Status | None:
    """Where the request stands; None: it is not there, or it is something else than a request."""
    if item is None or "status" not in item or integer(item, "_part"):
        return None
    return Status(item["status"]["S"])


def _stamped(item: Item) -> Record:
    status = Status(item["status"]["S"])
    return Record(
        id=item["id"]["S"],
        action=item["action"]["S"],
        body=b"",
        fingerprint=b"",
        created_at=moment(item["created_at"]),
        status=status,
        finished_at=None if status is Status.ACCEPTED else moment(item["finished_at"]),
    )
