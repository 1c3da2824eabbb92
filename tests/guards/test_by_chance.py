"""The state machine of the contract suite is not told where a guard is missing, and finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract import test_machine
from tests.guards import of_memory

if TYPE_CHECKING:
    from tests.guards.broken import Broken

FOUND = {
    "create only: the first content wins",
    "fence: who has lost the lease ends nothing",
    "fence: who has lost the lease does not renew it",
    "fence: who has lost the lease does not give it back",
    "lease: it is one worker's alone",
    "settle once",
    "attempt first: counted when received, not when ended",
    "attempt: not counted when it was not made",
    "reopen only what failed",
}
ALIKE_EACH_TIME = settings(
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("broken", [pytest.param(one, id=one.guard) for one in of_memory.GUARDS if one.guard in FOUND])
def test_a_broken_guard_is_found_by_chance(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    for cut in broken.cuts:
        cut.make(monkeypatch)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(test_machine.MemoryMachine, settings=ALIKE_EACH_TIME)


def test_each_of_those_guards_is_in_the_table() -> None:
    assert {one.guard for one in of_memory.GUARDS} >= FOUND
