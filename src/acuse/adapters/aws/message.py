"""What a queue carries: which request or part is due, and what is known of its attempts. Never what the client sent."""

from __future__ import annotations

from datetime import datetime

import msgspec

from acuse.domain.delivery import Delivery
from acuse.domain.record import Key


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is due. `made`: attempts before this message.

    `turn`: of a part, the number of its plan; of a request, that of the plan to be merged, or 0: run or split.
    """

    id: str
    action: str
    part: int = 0
    turn: int = 0
    made: int = 0
    due_at: datetime | None = None

    @property
    def key(self) -> Key:
        """What is due."""
        return Key(self.id, self.part)

    def delivery(self, receipt: str, receives: int) -> Delivery:
        """What it is when it was received with that receipt, after so many receives.

        An orderly release sends a new message. So one received twice was cut off.
        """
        token = b"%d %b" % (self.turn, receipt.encode())
        return Delivery(key=self.key, attempt=self.made + receives, token=token, was_cut_off=receives > 1)

    def after(self, attempt: int, due_at: datetime | None) -> Message:
        """What is to be sent when it is given back after that many attempts."""
        return msgspec.structs.replace(self, made=attempt, due_at=due_at)


def turn_of(token: bytes) -> int:
    """Which turn of the request or part was delivered."""
    return int(token.partition(b" ")[0])


def receipt_of(token: bytes) -> str:
    """The receipt handle."""
    return token.partition(b" ")[2].decode()


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Message).decode
