"""What the service said to what one process sent."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from acuse.client.chunk import Chunk, lines_of
from acuse.client.errors import Busy, Refused, Unreachable

if TYPE_CHECKING:
    from random import Random

OK, CREATED, MULTI_STATUS = 200, 201, 207
STORED = frozenset({OK, CREATED})
UNANSWERED = 0
"""Stands where a status would."""


class Request(NamedTuple):
    """One request, as it is sent."""

    id: str
    line: bytes


class Kept(NamedTuple):
    """One that the service said it has stored, and when it said that was."""

    request: Request
    created_at: str


class _Record(msgspec.Struct, frozen=True):
    id: str
    created_at: str


_record = msgspec.json.Decoder(_Record)


class Answers:
    """One entry for each POST, in the order in which they ended; and what became of the requests in them.

    Times are seconds. `due` counts from the start of the step, `sent` and `took` from when the POST was due: what makes
    it late, here or there, is in them.
    """

    def __init__(self, sample: int, random: Random) -> None:
        """`sample`: how many of the stored requests are kept, each with the same chance."""
        self.due = array("d")
        self.woke = array("d")
        self.sent = array("d")
        self.took = array("d")
        self.status = array("H")
        self.stored = array("L")
        self.requests: Counter[int] = Counter()
        self.broken: Counter[str] = Counter()
        self.kept: list[Kept] = []
        self._sample = sample
        self._random = random
        self._seen = 0

    def add(self, *, due: float, woke: float, sent: float, took: float, status: int, stored: int) -> None:
        """One more POST has ended. `woke`: when its turn came here; `sent`: when it had a connection."""
        self.due.append(due)
        self.woke.append(woke)
        self.sent.append(sent)
        self.took.append(took)
        self.status.append(status)
        self.stored.append(stored)

    def take(self, requests: list[Request], status: int, body: bytes) -> int:
        """How many of them are stored, by that answer; each of them is counted."""
        if status == MULTI_STATUS:
            return self._take_lines(requests, body)
        records = [record] if status in STORED and (record := _decoded(body)) else []
        if status in STORED and [record.id for record in records] != [request.id for request in requests]:
            self.broken["an answer that is not its record"] += 1
            status, records = UNANSWERED, []
        self.requests[status] += len(requests)
        for request, record in zip(requests, records, strict=False):
            self._keep(request, record.created_at)
        return len(records)

    def _take_lines(self, requests: list[Request], body: bytes) -> int:
        chunk = Chunk(0, [request.line for request in requests])
        try:
            chunk.take(range(len(requests)), lines_of([body]))
        except Unreachable:
            self.broken["an answer that broke off"] += 1
        except (Busy, Refused):
            pass  # Each says so of itself.
        stored = 0
        for item in chunk.answers:
            self.requests[item.status] += 1
            if item.record is not None:
                stored += 1
                self._keep(requests[item.index], item.record["created_at"])
        self.requests[UNANSWERED] += len(requests) - len(chunk.answers)
        return stored

    def _keep(self, request: Request, created_at: str) -> None:
        """In a reservoir, so that all that were ever stored have the same chance."""
        self._seen += 1
        if len(self.kept) < self._sample:
            self.kept.append(Kept(request, created_at))
        elif (place := self._random.randrange(self._seen)) < self._sample:
            self.kept[place] = Kept(request, created_at)


def _decoded(body: bytes) -> _Record | None:
    try:
        return _record.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
