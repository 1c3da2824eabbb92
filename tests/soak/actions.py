"""What the soak lets run: short, split, failing, crashing, and, if it is asked for, leaking. Loaded by file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import ClassVar

from acuse import Action, Backoff, Fail, Policy, this_run

QUICK = Backoff(first=timedelta(milliseconds=1), most=timedelta(milliseconds=10))


class Short(Action, tag="short"):
    text: str = ""

    def run(self) -> int:
        return len(self.text)


class Sums(Action, tag="sums"):
    upto: int

    def split(self) -> Iterator[int]:
        return iter(range(1, self.upto + 1))

    def process(self, part: int) -> int:
        return part

    def merge(self, results: Iterable[int]) -> int:
        return sum(results)


class Flaky(Action, tag="flaky"):
    """Succeeds when it is tried again."""

    policy: ClassVar[Policy] = Policy(backoff=QUICK)

    def run(self) -> str:
        if this_run().attempt == 1:
            raise ValueError("not yet")
        return "at last"


class Hopeless(Action, tag="hopeless"):
    def run(self) -> None:
        raise Fail("never")


class Crashing(Action, tag="crashing"):
    """Takes its runner with it, the first time."""

    policy: ClassVar[Policy] = Policy(backoff=QUICK)

    def run(self) -> str:
        if this_run().attempt == 1:
            os._exit(3)
        return "survived"


class Leaking(Action, tag="leaking"):
    """What the soak must find: the runner keeps some memory of each run."""

    kept: ClassVar[list[bytes]] = []
    kilobytes: int

    def run(self) -> int:
        self.kept.append(b"x" * 1024 * self.kilobytes)
        return len(self.kept)
