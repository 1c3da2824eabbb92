"""What the service says of one request, and of many."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from acuse.client.problem import PASSING, Problem, problem_of

OK, CREATED = 200, 201


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """A request that the service has stored, and its record as it was told last."""

    id: str
    is_new: bool
    """False: it was stored before. After an answer was lost this says so too, if the caller chose the id."""
    record: dict[str, Any]

    @property
    def has_ended(self) -> bool:
        """Whether it has finished or failed; `record["status"]` says which."""
        return self.record["finished_at"] is not None


class Item(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What the service says of one request of many. `index` counts from 0 over all that were given."""

    index: int
    id: str | None
    status: int
    document: bytes
    """The JSON of its record, or of its problem, as the service wrote it."""

    @property
    def is_stored(self) -> bool:
        """Whether it is, or already was, stored."""
        return self.status in (OK, CREATED)

    @cached_property
    def record(self) -> dict[str, Any] | None:
        """The record as it is now; None if there is a problem instead."""
        return msgspec.json.decode(self.document, type=dict[str, Any]) if self.is_stored else None

    @cached_property
    def problem(self) -> Problem | None:
        """Why it was not stored; None if it was."""
        return None if self.is_stored else problem_of(self.document, self.status)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests have an answer so far, and which."""

    items: int = 0
    accepted: int = 0
    replayed: int = 0
    refused: int = 0
    unavailable: int = 0

    def plus(self, item: Item) -> Totals:
        """The totals with that answer in them."""
        is_unavailable = item.status in PASSING
        return Totals(
            items=self.items + 1,
            accepted=self.accepted + (item.status == CREATED),
            replayed=self.replayed + (item.status == OK),
            refused=self.refused + (not item.is_stored and not is_unavailable),
            unavailable=self.unavailable + is_unavailable,
        )
