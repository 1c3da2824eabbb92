"""How many runs of a bounded action are under way, over all workers: one small item an action."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from acuse.adapters.aws.items import integer, number, text
from acuse.adapters.aws.table import Unmet
from acuse.domain.record import Key, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from acuse.adapters.aws.table import Table

TRIES = 8
PART = -1
"""Not of a request, and not of a part."""

Holders = dict[str, datetime]


class Permits:
    """Each is held until a time, so that one whose holder is gone comes free by itself. Costs two calls a change."""

    def __init__(self, table: Table) -> None:
        """Nothing is called yet."""
        self._table = table

    def take(self, action: str, bound: int, token: bytes, now: datetime, until: datetime) -> bool:
        """The token holds one of so many permits until that time; False if others hold them all."""

        def taken(holders: Mapping[str, datetime]) -> Holders | None:
            valid = {name: end for name, end in holders.items() if end > now}
            return valid | {_name(token): until} if len(valid) < bound else None

        return self._change(action, taken)

    def renew(self, action: str, token: bytes, until: datetime) -> None:
        """What the token holds, it holds until that time."""
        self._change(action, lambda holders: {**holders, _name(token): until} if _name(token) in holders else None)

    def give_back(self, action: str, token: bytes) -> None:
        """The token holds none."""
        self._change(
            action,
            lambda holders: (
                {name: end for name, end in holders.items() if name != _name(token)}
                if _name(token) in holders
                else None
            ),
        )

    def _change(self, action: str, change: Callable[[Mapping[str, datetime]], Holders | None]) -> bool:
        """Whether the holders were changed; not if the change says so, or if too many others change them."""
        key = Key(f"concurrency of {action}", PART)
        for _ in range(TRIES):
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
        return False


def _name(token: bytes) -> str:
    return sha256(token).hexdigest()[:16]
