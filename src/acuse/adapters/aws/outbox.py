"""Sends messages, each to its end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from acuse.adapters.aws.calls import PASSING, TROUBLE, Tries, is_passing
from acuse.adapters.aws.message import Message, encode
from acuse.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

MAX_ENTRIES = 10
MAX_DELAY_SECONDS = 900

Entry = dict[str, Any]


class Outbox:
    """One queue, to send to."""

    def __init__(self, client: Any, url: str, *, patience: timedelta) -> None:
        """Nothing is called yet."""
        self._client = client
        self._url = url
        self._patience = patience

    def send(self, messages: Sequence[Message], delay: timedelta) -> None:
        """All of them are in the queue, to be received after the delay, or after 15 minutes if that is longer.

        Raises StoreUnavailable if one is not. Then some may be there; to send all again does no harm.
        """
        seconds = min(MAX_DELAY_SECONDS, math.ceil(delay.total_seconds()))
        entries = [{"MessageBody": encode(message).decode(), "DelaySeconds": seconds} for message in messages]
        if in_batches(self._client.send_message_batch, self._url, entries, self._patience):
            raise StoreUnavailable("the queue refuses a message")


def in_batches(call: Callable[..., Any], url: str, entries: Sequence[Entry], patience: timedelta) -> set[int]:
    """The call has taken every entry but those returned, which it refused for good. Raises StoreUnavailable."""
    refused: set[int] = set()
    for start in range(0, len(entries), MAX_ENTRIES):
        waiting = {str(start + place): entry for place, entry in enumerate(entries[start : start + MAX_ENTRIES])}
        problem = ""
        for _ in Tries(patience):
            try:
                answer = call(QueueUrl=url, Entries=[{"Id": id_, **entry} for id_, entry in waiting.items()])
            except TROUBLE as error:
                problem = str(error)
                if is_passing(error):
                    continue
                break
            failed = answer.get("Failed", [])
            final = {one["Id"] for one in failed if one["SenderFault"] and one["Code"] not in PASSING}
            done = final | {one["Id"] for one in answer.get("Successful", [])}
            refused |= set(map(int, final))
            waiting = {id_: entry for id_, entry in waiting.items() if id_ not in done}
            if not waiting:
                break
            problem = ", ".join(sorted({one["Code"] for one in failed}))
        if waiting:
            raise StoreUnavailable(f"the queue did not take everything: {problem}")
    return refused
