"""Faults between the application and a store or a queue: before a call, after it, or long in coming."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from enum import StrEnum
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from acuse.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

P = TypeVar("P")


class Fate(StrEnum):
    """What a call meets."""

    NOTHING = "nothing"
    BEFORE = "before"
    """It fails, and nothing was done."""
    AFTER = "after"
    """It was done, and fails."""
    HANG = "hang"
    """Time passes, and then it is done."""


class Plan(Protocol):
    """Which fate each call meets."""

    def next(self, verb: str) -> Fate:
        """That of the next call of this verb."""

    def hang(self) -> None:
        """Returns when a call that hangs goes on."""

    def unheard(self, verb: str, answer: Any) -> None:
        """A call that failed afterwards would have answered this."""


def seam(port: P, plan: Plan) -> P:
    """The same store or queue, whose calls meet what is planned. With a plan of nothing it is no other than before."""
    return cast("P", _Seam(port, plan))


class _Seam:
    def __init__(self, port: object, plan: Plan) -> None:
        self._port = port
        self._plan = plan

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        return partial(self._call, verb, getattr(self._port, verb))

    def _call(self, verb: str, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        match self._plan.next(verb):
            case Fate.BEFORE:
                raise StoreUnavailable(f"{verb}: nothing was done")
            case Fate.AFTER:
                self._plan.unheard(verb, method(*arguments, **named))
                raise StoreUnavailable(f"{verb}: done, but nobody heard of it")
            case Fate.HANG:
                self._plan.hang()
        return method(*arguments, **named)


class Scripted:
    """What was written for the next calls of each verb, and then nothing. What went unheard is kept."""

    def __init__(self, hang: Callable[[], None] = lambda: None) -> None:
        self.hang = hang
        self.lost: list[Any] = []
        self._fates: defaultdict[str, deque[Fate]] = defaultdict(deque)

    def write(self, verb: str, fates: Iterable[Fate]) -> None:
        self._fates[verb] = deque(fates)

    def calm(self) -> None:
        self._fates.clear()

    def next(self, verb: str) -> Fate:
        return self._fates[verb].popleft() if self._fates[verb] else Fate.NOTHING

    def unheard(self, _: str, answer: Any) -> None:
        self.lost.append(answer)


class Seeded:
    """By chance, but the n-th call of each verb has the fate that the seed gives it, whatever else is called."""

    def __init__(self, seed: int, odds: Mapping[Fate, float], longest: timedelta) -> None:
        """`odds`: how often each fate is met, of 1; `longest`: what hangs, hangs so long, or until all is calm."""
        self._odds = odds
        self._longest = longest.total_seconds()
        self._lock = threading.Lock()
        self._calm = threading.Event()
        self._random: defaultdict[str, Random] = defaultdict()
        self._seed = seed
        self.met: defaultdict[Fate, int] = defaultdict(int)

    def calm(self) -> None:
        """No fault from now on; what hangs goes on."""
        self._calm.set()

    def next(self, verb: str) -> Fate:
        with self._lock:
            if verb not in self._random:
                self._random[verb] = Random(f"{self._seed} {verb}")
            luck = self._random[verb].random()
            fate = Fate.NOTHING if self._calm.is_set() else self._fate(luck)
            self.met[fate] += 1
            return fate

    def hang(self) -> None:
        self._calm.wait(self._longest)

    def unheard(self, verb: str, answer: Any) -> None:
        pass

    def _fate(self, luck: float) -> Fate:
        for fate, odds in self._odds.items():
            luck -= odds
            if luck < 0:
                return fate
        return Fate.NOTHING
