"""Actions whose runs may be repeated: what they return shows whether all of it was there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import ClassVar

from acuse import Action, Backoff, Policy, Retry, this_run

PATIENT = Policy(attempts=10_000, backoff=Backoff(first=timedelta(milliseconds=1), most=timedelta(milliseconds=10)))


class Doubles(Action, tag="doubles"):
    """With `again` the first attempt asks for another, after a delay."""

    policy: ClassVar[Policy] = PATIENT
    number: int
    again: bool = False

    def run(self) -> int:
        if self.again and this_run().attempt == 1:
            raise Retry("once more", after=timedelta(milliseconds=5))
        return 2 * self.number


class Lists(Action, tag="lists"):
    """Splits into the numbers up to one, and merges what came of each, in order."""

    policy: ClassVar[Policy] = PATIENT
    upto: int

    def split(self) -> Iterator[int]:
        return iter(range(self.upto))

    def process(self, part: int) -> int:
        return 2 * part

    def merge(self, results: Iterable[int]) -> list[int]:
        return list(results)
