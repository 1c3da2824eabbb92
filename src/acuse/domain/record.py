"""A request as the service keeps it: what the client sent, and the stamps."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Status(StrEnum):
    """Where a request, or one of its parts, stands."""

    ACCEPTED = "accepted"
    FINISHED = "finished"
    FAILED = "failed"

    def may_become(self, other: Status) -> bool:
        """Whether the change is legal. A finished request stays so; a failed one may be reopened."""
        return other in TRANSITIONS[self]


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.ACCEPTED: frozenset({Status.FINISHED, Status.FAILED}),
    Status.FINISHED: frozenset(),
    Status.FAILED: frozenset({Status.ACCEPTED}),
}


class Reason(StrEnum):
    """Why a request or a part ended as failed."""

    REFUSED = "refused"
    RAISED = "raised"
    RETRIES_EXHAUSTED = "retries-exhausted"
    TIMED_OUT = "timed-out"
    CRASHED = "crashed"
    ABANDONED = "abandoned"
    BAD_RESULT = "bad-result"
    PARTS_FAILED = "parts-failed"
    UNKNOWN_ACTION = "unknown-action"


class Failure(msgspec.Struct, frozen=True):
    """Why a run did not succeed, in a word for programs and a sentence for people."""

    reason: Reason
    detail: str


class Key(NamedTuple):
    """Names a request (`part` 0) or one of its parts (1 and up)."""

    id: str
    part: int = 0


PAGE = 100
MAX_TOGETHER = 100
MAX_TOGETHER_BYTES = 2_000_000
"""Records, and bytes of their bodies, that are stored as a whole: a transaction of DynamoDB has 100 items of 4 MB.

Items are up to twice as large as the bodies that they hold.
"""


def part_keys(id_: str, parts: int) -> Iterator[list[Key]]:
    """The keys of all the parts, in order, a page at a time."""
    for first in range(1, parts + 1, PAGE):
        yield [Key(id_, part) for part in range(first, min(first + PAGE, parts + 1))]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the parts of a split request are."""

    parts: int
    left: int
    failed: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a split request: its value and how it ended."""

    key: Key
    value: bytes
    created_at: datetime
    status: Status = Status.ACCEPTED
    finished_at: datetime | None = None
    attempts: int = 0
    result: bytes | None = None
    error: Failure | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request: `body` is the received object (compact JSON), the rest is stamped by the service.

    `attempts` counts the starts of the step under way: the run, the split or the merge.
    """

    id: str
    action: str
    body: bytes
    fingerprint: bytes
    created_at: datetime
    traceparent: str | None = None
    status: Status = Status.ACCEPTED
    finished_at: datetime | None = None
    attempts: int = 0
    result: bytes | None = None
    error: Failure | None = None
    progress: Progress | None = None

    def to_json(self, *, minimal: bool = False) -> bytes:
        """The received object, member for member, followed by the stamps; minimal: of the object only the id."""
        received = b'{"id":"%b"' % self.id.encode() if minimal else self.body[:-1]
        if self.status is Status.ACCEPTED and not self.attempts:
            return received + _fresh_stamps(self.created_at)
        error = b"null" if self.error is None else msgspec.json.encode(self.error)
        return b'%b,"status":"%b","created_at":"%b","finished_at":%b,"attempts":%d,"result":%b,"error":%b}' % (
            received,
            self.status.encode(),
            rfc3339(self.created_at).encode(),
            b"null" if self.finished_at is None else b'"%b"' % rfc3339(self.finished_at).encode(),
            self.attempts,
            b"null" if self.result is None else self.result,
            error,
        )


STAMPS = frozenset({"status", "created_at", "finished_at", "attempts", "result", "error"})
"""The members that the service adds to the received object."""


@lru_cache(maxsize=64)
def _fresh_stamps(created_at: datetime) -> bytes:
    stamps = b',"status":"accepted","created_at":"%b","finished_at":null,"attempts":0,"result":null,"error":null}'
    return stamps % rfc3339(created_at).encode()


@lru_cache(maxsize=64)  # What was committed together was created together.
def rfc3339(moment: datetime) -> str:
    """UTC with six fractional digits and `Z`, so that text sorts as time does (RFC 3339)."""
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"
