"""Actions of some company, for pages to show: what they would do is of no interest there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from acuse import Action, Policy


class Invoices(Action, tag="invoices"):
    """Print the invoices of one customer."""

    customer: int
    month: str

    def run(self) -> None: ...


class PriceList(Action, tag="price-list"):
    """Take over a supplier's prices."""

    policy: ClassVar[Policy] = Policy(attempts=3)
    supplier: str

    def run(self) -> None: ...


class Stock(Action, tag="stock"):
    """Count what lies in every warehouse."""

    warehouses: int

    def split(self) -> Iterable[int]:
        return range(1, self.warehouses + 1)

    def process(self, part: int) -> int:
        return part

    def merge(self, results: Iterable[int]) -> int:
        return sum(results)
