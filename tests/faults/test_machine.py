"""Any order of calls, of which some fail, or hang, or are done although they fail: the same model still holds."""

from __future__ import annotations

import sys

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, multiple, rule

from acuse.domain.record import Status
from tests.contract.backend import LEASE
from tests.contract.test_machine import AwsMachine, Machine, MemoryMachine, SqliteMachine
from tests.faults.insistent import insistent
from tests.faults.seam import Fate, Scripted
from tests.faults.wrapped import Wrapped

VERBS = ["add", "settle", "plan", "reopen", "receive", "extend", "release", "ack", "get", "parts"]
TROUBLES = [
    (Fate.BEFORE,),
    (Fate.AFTER,),
    (Fate.HANG,),
    (Fate.BEFORE, Fate.AFTER, Fate.BEFORE),
    (Fate.AFTER, Fate.AFTER),
    (Fate.BEFORE, Fate.HANG),
]
ROUNDS = 50
ALL = 1_000


class FaultyMachine(Machine):
    """What fails is called again. What was received by a call that fails is held by nobody, like that of the killed."""

    @initialize()
    def open(self) -> None:
        super().open()
        whole = self.backend
        self.script = Scripted(hang=lambda: whole.pass_time(LEASE))
        self.backend = Wrapped(whole, insistent(whole.store, self.script), insistent(whole.queue, self.script))

    @rule(troubles=st.dictionaries(st.sampled_from(VERBS), st.sampled_from(TROUBLES), min_size=4))
    def trouble(self, troubles: dict[str, tuple[Fate, ...]]) -> None:
        """The next calls of these verbs meet this."""
        for verb, fates in troubles.items():
            self.script.write(verb, fates)

    @rule(target=Machine.held, limit=st.integers(1, 5))
    def receive(self, limit: int) -> object:
        unheard = len(self.script.lost)
        deliveries = self._receive(limit)
        return multiple(*deliveries) if len(self.script.lost) == unheard else multiple()

    def drain(self) -> None:
        """No fault any more: whatever was accepted comes to its end, and then nothing is due."""
        self.script.calm()
        for _ in range(ROUNDS):
            self._await_all()
            for delivery in self._receive(ALL):
                self.settle(delivery=delivery, failed=False)
            if all(one.status is not Status.ACCEPTED for one in self.model.values()):
                break
        else:
            raise AssertionError(f"lost: {self.model}")
        self._await_all()
        assert self._receive(ALL) == []

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.drain()
        finally:
            super().teardown()

    def _await_all(self) -> None:
        """Whatever is leased or delayed is due."""
        now = self.backend.clock.now()
        self.backend.pass_time(max([LEASE, *(one.due - now for one in self.model.values() if one.due is not None)]))


class FaultyMemory(FaultyMachine, MemoryMachine):
    """Its clock is set, too."""


class FaultySqlite(FaultyMachine, SqliteMachine):
    """Its clock is set, too."""


class FaultyAws(FaultyMachine, AwsMachine):
    """Its queue has a time of its own."""


_settings = settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
TestMemory = FaultyMemory.TestCase
TestMemory.settings = _settings
TestSqlite = FaultySqlite.TestCase
TestSqlite.settings = _settings
TestAws = FaultyAws.TestCase
TestAws.settings = settings(_settings, max_examples=8, stateful_step_count=30)
