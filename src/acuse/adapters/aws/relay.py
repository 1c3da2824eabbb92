"""From the table's stream to the queue: a change of an item → the message that it calls for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acuse.adapters.aws.items import integer
from acuse.adapters.aws.message import Message
from acuse.domain.record import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from acuse.adapters.aws.items import Item

    Change = Mapping[str, Any]
    """A stream record, as Lambda and the streams' own API give it."""


def called_for(changes: Sequence[Change]) -> list[Message]:
    """The messages to send for these changes. To send some twice does no harm."""
    return [message for change in changes if (message := _message(change["dynamodb"])) is not None]


def _message(images: Mapping[str, Any]) -> Message | None:
    item = images.get("NewImage")
    if item is None:
        return None
    turn = _turn(item)
    if turn is None or turn == _turn(images.get("OldImage")):
        return None
    return Message(id=item["id"]["S"], part=integer(item, "_part"), action=item["action"]["S"], turn=turn[1])


def _turn(item: Item | None) -> tuple[str, int] | None:
    """What is due of the item, in a form that tells one turn from the next; None: nothing is."""
    if not item or "status" not in item or item["status"]["S"] != Status.ACCEPTED:
        return None
    if integer(item, "_part"):
        return "process", integer(item, "_plan")
    if "_parts" in item and integer(item, "_parts_ended") < integer(item, "_parts"):
        return None
    return "run, split or merge", integer(item, "_turn")
