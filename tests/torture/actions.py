"""What is run under torture. Its results can be foretold from the request, so that a wrong one is seen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import ClassVar

from acuse import Action, Backoff, Fail, Policy, this_run

BOOK = "TORTURE_BOOK"
"""The environment variable that names the file to which every run adds a line."""
TIRELESS = Policy(attempts=1_000, backoff=Backoff(first=timedelta(milliseconds=1), most=timedelta(milliseconds=10)))


class Tally(Action, tag="tally"):
    policy: ClassVar[Policy] = TIRELESS
    number: int
    seconds: float = 0.0
    text: str = ""

    def run(self) -> dict[str, int]:
        note()
        time.sleep(self.seconds)
        return {"number": 3 * self.number}


class SumUp(Action, tag="sum-up"):
    policy: ClassVar[Policy] = TIRELESS
    upto: int

    def split(self) -> Iterator[int]:
        return iter(range(1, self.upto + 1))

    def process(self, part: int) -> int:
        note()
        return part

    def merge(self, results: Iterable[int]) -> dict[str, int]:
        found = list(results)
        return {"parts": len(found), "sum": sum(found)}


class GiveUp(Action, tag="give-up"):
    policy: ClassVar[Policy] = TIRELESS

    def run(self) -> None:
        note()
        raise Fail("as it was asked to")


def note() -> None:
    """One line in one write, so that those of several processes do not mix."""
    if path := os.environ.get(BOOK):
        book = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(book, f"{this_run().id} {this_run().part}\n".encode())
        os.close(book)
