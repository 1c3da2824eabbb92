"""What the store itself says it recorded, whether or not the caller heard of it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acuse.domain.delivery import Delivery, Ending
    from acuse.domain.record import Key

S = TypeVar("S")


class Ledger:
    """How often each key was ended, and each request planned."""

    def __init__(self) -> None:
        self.ended: Counter[Key] = Counter()
        self.planned: Counter[str] = Counter()
        self.lock = threading.Lock()

    def over(self, store: S) -> S:
        """The same store, whose endings and plans are counted here."""
        return cast("S", _Noted(store, self))


class _Noted:
    def __init__(self, store: Any, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._store, verb)

    def settle(self, endings: Sequence[Ending]) -> list[bool]:
        recorded: list[bool] = self._store.settle(endings)
        with self._ledger.lock:
            self._ledger.ended.update(
                ending.delivery.key for ending, done in zip(endings, recorded, strict=True) if done
            )
        return recorded

    def plan(self, delivery: Delivery, parts: Sequence[bytes]) -> bool:
        planned: bool = self._store.plan(delivery, parts)
        with self._ledger.lock:
            self._ledger.planned[delivery.key.id] += planned
        return planned
