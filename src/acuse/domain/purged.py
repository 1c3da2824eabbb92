"""What one step of a purge came to."""

from __future__ import annotations

import msgspec


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """How many are gone, or would be. `next`: where the next step begins, in words of the store; None: nothing is left.

    The last of a request's parts to go may go a step before it.
    """

    requests: int
    parts: int
    next: str | None
