"""Which process is struck when and how: all of it from one seed, so that it can be had again."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from random import Random


class Blow(StrEnum):
    """What is done to a process."""

    KILL = "SIGKILL"
    STOP = "SIGSTOP, SIGCONT"
    TERMINATE = "SIGTERM"
    RESTART = "the whole service killed"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One blow. `at`, `lasts`: seconds, from the beginning and for a stop. `choice` picks one of the processes."""

    at: float
    blow: Blow
    kind: str = ""
    everyone: bool = False
    choice: float = 0.0
    lasts: float = 0.0


KINDS = (
    (Blow.KILL, "worker", 30),
    (Blow.KILL, "api", 22),
    (Blow.KILL, "runner", 14),
    (Blow.STOP, "worker", 12),
    (Blow.STOP, "api", 4),
    (Blow.STOP, "runner", 4),
    (Blow.TERMINATE, "worker", 6),
    (Blow.TERMINATE, "api", 5),
    (Blow.RESTART, "", 3),
)
"""With the weight of each."""


def schedule(random: Random, *, seconds: float, every: float, lease: float) -> list[Fault]:
    """Faults in the order of time, `every` so many seconds on average; a stop lasts longer than a lease."""
    faults: list[Fault] = []
    at = 0.0
    while (at := at + random.expovariate(1 / every)) < seconds:
        blow, kind, _ = random.choices(KINDS, [weight for *_, weight in KINDS])[0]
        faults.append(
            Fault(
                at=at,
                blow=blow,
                kind=kind,
                everyone=random.random() < 0.1,
                choice=random.random(),
                lasts=lease * random.uniform(1.3, 3.0) if blow is Blow.STOP else 0.0,
            )
        )
    return faults
