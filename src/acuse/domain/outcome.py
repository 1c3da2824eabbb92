"""The closed unions of what may come of adding a request and of running it."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from acuse.domain.errors import StoreUnavailable
from acuse.domain.record import Failure, Record


class Added(msgspec.Struct, frozen=True, gc=False):
    """The request is new, and durable."""

    record: Record


class Existing(msgspec.Struct, frozen=True, gc=False):
    """The id is already there; this is its record as it is now."""

    record: Record


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """The id is already there with other content."""

    record: Record


class Withheld(msgspec.Struct, frozen=True, gc=False):
    """It was not stored, because another of its batch could not be."""


Addition = Added | Existing | StoreUnavailable
"""An error stands for the one record that could not be stored; whether that write landed is not known."""
Receipt = Added | Existing | Conflict
Together = Receipt | Withheld
"""Of what is stored as a whole or not at all."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """The run returned this result (JSON)."""

    result: bytes


class Planned(msgspec.Struct, frozen=True, tag=True):
    """The split yielded these parts (JSON each), in order."""

    parts: tuple[bytes, ...]


class Again(msgspec.Struct, frozen=True, tag=True):
    """The run did not succeed; another attempt may, if any is left."""

    failure: Failure
    after: timedelta | None = None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The run did not succeed, and no other attempt will."""

    failure: Failure


Outcome = Done | Planned | Again | Failed
