"""Bill: what a month uses, priced line by line."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from infra.costs.prices import Basis, Item

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.costs.prices import Prices

MILLION = 1e6


class Side(StrEnum):
    """Which side of the service a line belongs to."""

    INTAKE = "intake"
    STORE = "store"
    QUEUE = "queue"
    WORKERS = "workers"
    NETWORK = "network"
    WATCH = "watch"


class Use(NamedTuple):
    """So much of one thing in a month."""

    side: Side
    what: str
    item: Item
    quantity: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A use with its price."""

    side: Side
    what: str
    item: Item
    quantity: float
    unit: str
    usd: float
    basis: Basis


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """A month of one profile. `requests`: how many new ones it is for."""

    profile: str
    requests: float
    lines: tuple[Line, ...]

    @property
    def total(self) -> float:
        """USD a month."""
        return sum(line.usd for line in self.lines)

    @property
    def per_million(self) -> float:
        """USD for a million requests."""
        return self.total / self.requests * MILLION

    def of(self, *sides: Side) -> float:
        """USD a month of these sides."""
        return sum(line.usd for line in self.lines if line.side in sides)


def priced(profile: str, requests: float, uses: Iterable[Use], prices: Prices) -> Bill:
    """The bill for these uses. Tiers are of an item's sum: each line pays its share of it."""
    used = [use for use in uses if use.quantity > 0]
    sums: Counter[Item] = Counter()
    for use in used:
        sums[use.item] += use.quantity  # type: ignore[assignment]  # a Counter adds up any numbers
    lines = []
    for use in used:
        price, total = prices[use.item], sums[use.item]
        lines.append(
            Line(
                side=use.side,
                what=use.what,
                item=use.item,
                quantity=use.quantity,
                unit=price.unit,
                usd=price.cost(total) * use.quantity / total,
                basis=price.basis,
            )
        )
    return Bill(profile=profile, requests=requests, lines=tuple(lines))
