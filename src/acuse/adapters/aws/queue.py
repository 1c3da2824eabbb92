"""The Queue in SQS: a message is hidden while it is leased, and one that is given back is sent anew."""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from acuse.adapters.aws.calls import patiently
from acuse.adapters.aws.message import Message, decode, receipt_of
from acuse.adapters.aws.outbox import MAX_ENTRIES, Outbox, in_batches
from acuse.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from acuse.adapters.aws.gate import Gate
    from acuse.domain.delivery import Delivery
    from acuse.ports import Clock

log = logging.getLogger(__name__)

NOW = timedelta(0)
NEVER = datetime.min.replace(tzinfo=UTC)
LONGEST_POLL = 5
"""Seconds; a longer wait is several polls, so that a call that hangs is noticed."""


class Held(NamedTuple):
    """What was received, and until when it is this worker's by its own clock."""

    message: Message
    until: datetime


class SqsQueue:
    """What one process holds of a queue. A lease that has run out by this process's clock is let go at once."""

    def __init__(
        self,
        client: Any,
        url: str,
        clock: Clock,
        gate: Gate,
        *,
        lease: timedelta,
        patience: timedelta,
    ) -> None:
        """`lease`: how long what is received is the receiver's alone; in SQS, its visibility timeout."""
        self._client = client
        self._url = url
        self._clock = clock
        self._gate = gate
        self._lease = lease
        self._patience = patience
        self._outbox = Outbox(client, url, patience=patience)
        self._held: dict[bytes, Held] = {}
        self._polling = threading.Lock()
        self._deletes_fail_until = NEVER

    def receive(self, limit: int, wait: timedelta) -> list[Delivery]:
        """See Queue. One thread of a process polls at a time; the others wait behind it."""
        deadline = time.monotonic() + wait.total_seconds()
        if not self._polling.acquire(timeout=max(0.0, wait.total_seconds())):
            return []
        try:
            while True:
                deliveries = self._take(limit, max(0.0, deadline - time.monotonic()))
                if deliveries or time.monotonic() >= deadline:
                    return deliveries
        finally:
            self._polling.release()

    def extend(self, deliveries: Sequence[Delivery]) -> None:
        """See Queue."""
        now = self._clock.now()
        mine = self._mine(deliveries, now)
        seconds = math.ceil(self._lease.total_seconds())
        entries = [{"ReceiptHandle": receipt_of(one.token), "VisibilityTimeout": seconds} for one in mine]
        lost = in_batches(self._client.change_message_visibility_batch, self._url, entries, self._patience)
        for place, one in enumerate(mine):
            if place in lost:
                self._held.pop(one.token, None)
            elif (held := self._held.get(one.token)) is not None:
                self._held[one.token] = held._replace(until=now + self._lease)
                self._gate.stay(held.message, one.token, now + self._lease)

    def release(self, deliveries: Sequence[Delivery], delay: timedelta, *, charged: bool) -> None:
        """See Queue."""
        now = self._clock.now()
        mine = self._mine(deliveries, now)
        due_at = now + delay if delay > NOW else None
        again = [self._held[one.token].message.released(one, due_at, charged=charged) for one in mine]
        self._outbox.send(again, delay)
        self.ack(mine)  # One who dies before this leaves two messages; the store's guards let one of them end it.

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See Queue. What cannot be deleted now is delivered again, and then found to be done."""
        self._delete(deliveries)
        for one in deliveries:
            held = self._held.pop(one.token, None)
            if held is not None:
                self._gate.leave(held.message, one.token)

    def _take(self, limit: int, wait: float) -> list[Delivery]:
        self._forget_lost()
        taken: list[Delivery] = []
        refused: list[tuple[Delivery, Message, timedelta]] = []
        stop_at = self._clock.now() + timedelta(seconds=wait) + self._lease / 2
        while len(taken) < limit and self._clock.now() < stop_at:
            try:
                answers = self._poll(min(MAX_ENTRIES, limit - len(taken)), wait)
            except StoreUnavailable:
                if not taken:
                    raise
                break
            if not answers:
                break
            wait = 0.0
            until = self._clock.now() + self._lease
            for delivery, message in answers:
                delay = self._gate.enter(message, delivery.token, until) if self._clock.now() < stop_at else NOW
                if delay is None:
                    taken.append(delivery)
                    self._held[delivery.token] = Held(message, until)
                else:
                    refused.append((delivery, message, delay))
        self._turn_back(refused)
        return taken

    def _turn_back(self, refused: Sequence[tuple[Delivery, Message, timedelta]]) -> None:
        """They are in the queue anew, and their attempts do not count."""
        now = self._clock.now()
        if now < self._deletes_fail_until:
            return  # Each would only be doubled. Their leases run out.
        with _only_a_warning("messages not turned back; they come again when their leases have run out"):
            for delay in {delay for _, _, delay in refused}:
                again = [message.turned_back(one, now) for one, message, due in refused if due == delay]
                self._outbox.send(again, delay)
            self._delete([delivery for delivery, _, _ in refused])

    def _poll(self, most: int, wait: float) -> list[tuple[Delivery, Message]]:
        call = partial(
            self._client.receive_message,
            QueueUrl=self._url,
            MaxNumberOfMessages=most,
            VisibilityTimeout=math.ceil(self._lease.total_seconds()),
            WaitTimeSeconds=min(LONGEST_POLL, math.ceil(wait)),
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        found: list[tuple[Delivery, Message]] = []
        for one in patiently(self._patience, call).get("Messages", []):
            try:
                message = decode(one["Body"])
            except msgspec.MsgspecError:
                # Left where it is: received too often, it goes to the dead letters.
                log.exception("not a message of acuse", extra={"message_id": one["MessageId"]})
                continue
            receives = int(one["Attributes"]["ApproximateReceiveCount"])
            found.append((message.delivery(one["ReceiptHandle"], receives), message))
        return found

    def _forget_lost(self) -> None:
        now = self._clock.now()
        for token, held in list(self._held.items()):
            if held.until <= now:
                self._held.pop(token, None)

    def _mine(self, deliveries: Sequence[Delivery], now: datetime) -> list[Delivery]:
        """Those whose lease has not run out."""
        return [one for one in deliveries if one.token in self._held and self._held[one.token].until > now]

    def _delete(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        entries = [{"ReceiptHandle": receipt_of(one.token)} for one in deliveries]
        with _only_a_warning("messages not deleted"):
            self._deletes_fail_until = self._clock.now() + self._lease
            in_batches(self._client.delete_message_batch, self._url, entries, self._patience)
            self._deletes_fail_until = NEVER


@contextmanager
def _only_a_warning(text: str) -> Iterator[None]:
    """The queue being away is no reason to stop: what is left over does no harm."""
    try:
        yield
    except StoreUnavailable as error:
        log.warning(text, extra={"error": str(error)})
