"""From the table's stream to figures: what was accepted, what ended, and how long that took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from acuse.adapters.aws.items import integer, moment
from acuse.domain.record import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acuse.adapters.aws.items import Item
    from acuse.adapters.aws.relay import Change


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Of requests, not of parts. `seconds`: from the creation to the end, for each that ended."""

    accepted: int
    finished: int
    failed: int
    seconds: tuple[float, ...]


def counted(changes: Sequence[Change]) -> Counts:
    """What these changes come to. The same ones given again come to the same again."""
    accepted = 0
    ended: list[tuple[Status, float]] = []
    for change in changes:
        item = change["dynamodb"].get("NewImage")
        match _status(change["dynamodb"].get("OldImage")), _status(item):
            case None, Status.ACCEPTED:
                accepted += 1
            case Status.ACCEPTED, (Status.FINISHED | Status.FAILED) as status:
                ended.append((status, _seconds(item)))
    finished = sum(status is Status.FINISHED for status, _ in ended)
    return Counts(
        accepted=accepted,
        finished=finished,
        failed=len(ended) - finished,
        seconds=tuple(seconds for _, seconds in ended),
    )


def _status(item: Item | None) -> Status | None:
    """Where the request stands; None: it is not there, or it is something else than a request."""
    if item is None or "status" not in item or integer(item, "_part"):
        return None
    return Status(item["status"]["S"])


def _seconds(item: Item) -> float:
    return (moment(item["finished_at"]) - moment(item["created_at"])).total_seconds()
