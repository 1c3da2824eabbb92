"""The Queue of a function that is called with the messages. Its event source deletes those that do not fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.adapters.aws.message import Message, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from acuse.adapters.aws.gate import Gate
    from acuse.adapters.aws.outbox import Outbox
    from acuse.domain.delivery import Delivery
    from acuse.ports import Clock


class PushedQueue:
    """One message at a time. Its lease is the queue's visibility timeout, which outlasts the function."""

    def __init__(self, outbox: Callable[[], Outbox], gate: Gate, clock: Clock) -> None:
        """`outbox`: of the same queue; asked for only when something is sent anew, for most runs send nothing."""
        self._outbox = outbox
        self._gate = gate
        self._clock = clock
        self._held: dict[bytes, Message] = {}

    def accept(self, body: str, receipt: str, receives: int, until: datetime) -> Delivery | None:
        """What is to be run; None if it may not be yet: then it was sent anew. ValueError: not a message of acuse."""
        message = decode(body)
        delivery = message.delivery(receipt, receives)
        delay = self._gate.enter(message, delivery.token, until)
        if delay is not None:
            self._outbox().send([message.turned_back(delivery, self._clock.now())], delay)
            return None
        self._held = {delivery.token: message}
        return delivery

    def holds(self, delivery: Delivery) -> bool:
        """Whether it was neither settled nor given back."""
        return delivery.token in self._held

    def receive(self, limit: int, wait: timedelta) -> list[Delivery]:  # noqa: ARG002
        """See Queue. Nothing is fetched: what there is has been accepted."""
        return []

    def extend(self, deliveries: Sequence[Delivery]) -> None:
        """See Queue. The lease outlasts the function."""

    def release(self, deliveries: Sequence[Delivery], delay: timedelta, *, charged: bool) -> None:
        """See Queue."""
        mine = [one for one in deliveries if self.holds(one)]
        due_at = self._clock.now() + delay if delay else None
        again = [self._held[one.token].released(one, due_at, charged=charged) for one in mine]
        if again:
            self._outbox().send(again, delay)
        self.ack(mine)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See Queue."""
        for one in deliveries:
            message = self._held.pop(one.token, None)
            if message is not None:
                self._gate.leave(message, one.token)
