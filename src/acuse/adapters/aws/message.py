"""What a queue carries: which request or part is due, and what is known of its attempts. Never what the client sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from acuse.domain.delivery import Delivery
from acuse.domain.record import Key

Count = Annotated[int, Meta(ge=0)]


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is due. `made`: attempts before this message.

    `turn`: of a part, the number of its plan; of a request, that of the plan to be merged, or 0: run or split.
    """

    id: Annotated[str, Meta(min_length=1)]
    action: str
    part: Count = 0
    turn: Count = 0
    made: Count = 0
    was_cut_off: bool = False
    due_at: Annotated[datetime, Meta(tz=True)] | None = None

    @property
    def key(self) -> Key:
        """What is due."""
        return Key(self.id, self.part)

    def delivery(self, receipt: str, receives: int) -> Delivery:
        """What it is when it was received with that receipt, after so many receives.

        An orderly release sends a new message. So one received twice was cut off.
        """
        token = b"%d %b" % (self.turn, receipt.encode())
        was_cut_off = self.was_cut_off or receives > 1
        return Delivery(key=self.key, attempt=self.made + receives, token=token, was_cut_off=was_cut_off)

    def released(self, delivery: Delivery, due_at: datetime | None, *, charged: bool) -> Message:
        """What is to be sent when it is given back."""
        made = delivery.attempt - (not charged)
        return msgspec.structs.replace(self, made=made, was_cut_off=False, due_at=due_at)

    def turned_back(self, delivery: Delivery, now: datetime) -> Message:
        """What is to be sent when it may not be run yet. Before it is due there is no attempt to cut off."""
        if self.due_at is not None and self.due_at > now:
            return self
        return msgspec.structs.replace(self, made=delivery.attempt - 1, was_cut_off=delivery.was_cut_off)


def turn_of(token: bytes) -> int:
    """Which turn of the request or part was delivered."""
    return int(token.partition(b" ")[0])


def receipt_of(token: bytes) -> str:
    """The receipt handle."""
    return token.partition(b" ")[2].decode()


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Message).decode
