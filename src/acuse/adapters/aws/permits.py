"""How many runs of a bounded action are under way, over all workers: one small item an action."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from acuse.adapters.aws.calls import Tries
from acuse.adapters.aws.items import integer, number, text
from acuse.adapters.aws.table import Unmet
from acuse.domain.errors import StoreUnavailable
from acuse.domain.record import Key, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from acuse.adapters.aws.table import Table

PART = -1
"""Not of a request, and not of a part."""

Holders = dict[str, datetime]


class Permits:
    """Each is held until a time, so that one whose holder is gone comes free by itself. Costs two calls a change."""

    def __init__(self, table: Table, *, patience: timedelta) -> None:
        """Nothing is called yet. `patience`: how long to try while others change the same permits."""
        self._table = table
        self._patience = patience

    def take(self, action: str, bound: int, token: bytes, now: datetime, until: datetime) -> bool:
        """The token holds one of so many permits until that time; False if others hold them all."""

        def taken(holders: Mapping[str, datetime]) -> Holders | None:
            # The own name is there when a write that was thought lost has landed.
            others = {name: end for name, end in holders.items() if end > now and name != _name(token)}
            return others | {_name(token): until} if len(others) < bound else None

        return self._change(action, taken)

    def renew(self, action: str, token: bytes, until: datetime) -> None:
        """What the token holds, it holds until that time."""
        self._change(action, lambda holders: {**holders, _name(token): until} if _name(token) in holders else None)

    def give_back(self, action: str, token: bytes) -> None:
        """The token holds none."""

        def given_back(holders: Mapping[str, datetime]) -> Holders | None:
            others = {name: end for name, end in holders.items() if name != _name(token)}
            return others if len(others) < len(holders) else None

        self._change(action, given_back)

    def _change(self, action: str, change: Callable[[Mapping[str, datetime]], Holders | None]) -> bool:
        """Whether there was something to change. Raises StoreUnavailable when others change it all the time."""
        key = Key(f"concurrency of {action}", PART)
        for _ in Tries(self._patience):
            item = self._table.read([key]).get(key, {})
            held = item["holders"]["M"] if item else {}
            changed = change({name: datetime.fromisoformat(end["S"]) for name, end in held.items()})
            if changed is None:
                return False
            version = integer(item, "version")
            values = {
                "holders": {"M": {name: text(rfc3339(end)) for name, end in changed.items()}},
                "read": number(version),
                "next": number(version + 1),
            }
            condition = "#version = :read" if item else "attribute_not_exists(#version)"
            written = self._table.update(key, "SET #holders = :holders, #version = :next", condition, values)
            if not isinstance(written, Unmet):
                return True
        raise StoreUnavailable(f"too many change the permits of {action} at once")


def _name(token: bytes) -> str:
    return sha256(token).hexdigest()[:16]
