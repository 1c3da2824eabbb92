"""A short run of the torture; and that it finds what it looks for, in a service with a promise broken."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.torture.broken import BREAK, BREAKS
from tests.torture.schedule import Blow, Fault, schedule
from tests.torture.service import ACTIONS, Service
from tests.torture.torment import torment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.torture.report import Report

BROKEN = Path(__file__).parent / "broken.py"
LEASE = 1.0
SEED = 2
BLOWS = 14
"""They have a restart, stops, and kills of every kind of process among them."""


def tormented(
    folder: Path,
    faults: Sequence[Fault],
    *,
    seconds: float,
    drain: float = 60.0,
    actions: Sequence[Path] = (ACTIONS,),
    **environment: str,
) -> Report:
    lease = timedelta(seconds=LEASE)
    with Service(folder, workers=2, runners=1, lease=lease, actions=actions, **environment) as service:
        return torment(service, seed=SEED, seconds=seconds, faults=faults, clients=4, drain=drain)


def test_nothing_that_was_acknowledged_is_lost_or_ended_twice(tmp_path: Path) -> None:
    faults = schedule(Random(SEED), seconds=60.0, every=0.6, lease=LEASE)[:BLOWS]

    found = tormented(tmp_path, faults, seconds=0.0)

    assert found.all_well, "\n".join(found.lines())
    assert found.acknowledged > 100
    assert found.kills >= 5
    assert found.work
    assert found.intake
    assert {fault.blow for fault in faults} == set(Blow)


FINDS = {
    "acknowledge_from_memory": ("lost", (Blow.KILL, "api")),
    "end_without_a_fence": ("ended_twice", (Blow.STOP, "worker")),
    "forget_the_merge": ("unended", (Blow.TERMINATE, "worker")),
}


@pytest.mark.parametrize("promise", BREAKS)
def test_a_broken_promise_is_found(tmp_path: Path, promise: str) -> None:
    finding, (blow, kind) = FINDS[promise]
    lasts = 2 * LEASE if blow is Blow.STOP else 0.0
    faults = [Fault(at=2.0 + 1.5 * turn, blow=blow, kind=kind, choice=turn / 4, lasts=lasts) for turn in range(4)]

    found = tormented(tmp_path, faults, seconds=8.0, drain=6.0, actions=(ACTIONS, BROKEN), **{BREAK: promise})

    named = getattr(found.findings, finding)
    assert named, "\n".join(found.lines())
    if promise == "forget_the_merge":
        assert all(one.endswith("sum-up") for one in named)
