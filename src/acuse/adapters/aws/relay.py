"""From the table's stream to the queue: a change of an item → the message that it calls for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acuse.adapters.aws.items import integer
from acuse.adapters.aws.message import Message
from acuse.domain.errors import Misconfigured
from acuse.domain.record import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from acuse.adapters.aws.items import Item

    Change = Mapping[str, Any]
    """A stream record, as Lambda and the streams' own API give it."""


def called_for(changes: Sequence[Change]) -> list[Message]:
    """The messages to send for these changes. To send some twice does no harm."""
    return [message for change in changes if (message := _message(change)) is not None]


def still_due(items: Sequence[Item], requests: Mapping[str, Item]) -> list[Message]:
    """The messages that the items call for as they stand; for a part only while its request waits for it.

    `requests`: those that the parts among the items are of, by id.
    """
    return [
        message
        for item in items
        if (message := _due(item)) is not None and (not message.part or _waits_for(item, requests.get(message.id)))
    ]


def _message(change: Change) -> Message | None:
    kind, images = change["eventName"], change["dynamodb"]
    item, old = images.get("NewImage"), images.get("OldImage")
    if kind == "REMOVE":
        return None
    if item is None or (old is None and kind == "MODIFY"):
        raise Misconfigured("the table's stream must show the new and the old images")
    return None if _turn(item) == _turn(old) else _due(item)


def _due(item: Item) -> Message | None:
    turn = _turn(item)
    if turn is None:
        return None
    return Message(id=item["id"]["S"], part=integer(item, "_part"), action=item["action"]["S"], turn=turn[1])


def _waits_for(part: Item, request: Item | None) -> bool:
    """Not so for what is left of a plan that was never finished, or of a request that failed before."""
    return (
        request is not None
        and request["status"]["S"] == Status.ACCEPTED
        and integer(part, "_part") <= integer(request, "_parts")
        and integer(part, "_plan") == integer(request, "_plan")
    )


def _turn(item: Item | None) -> tuple[str, int] | None:
    """What is due of the item, in a form that tells one turn from the next; None: nothing is."""
    if not item or "status" not in item or item["status"]["S"] != Status.ACCEPTED:
        return None
    if integer(item, "_part"):
        return "process", integer(item, "_plan")
    if "_parts" in item and integer(item, "_parts_ended") < integer(item, "_parts"):
        return None
    return "run, split or merge", integer(item, "_turn")
