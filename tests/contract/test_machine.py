"""Any order of calls: each store and queue against a model of a few dictionaries."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from acuse.domain.backlog import Load
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.listing import Filter
from acuse.domain.outcome import Added, Existing
from acuse.domain.record import Failure, Key, Reason, Status
from acuse.domain.tally import KEPT, Tally, tally_of
from tests.contract.backend import BACKENDS, LEASE, Backend
from tests.requests import new_id, record

NOW = timedelta(0)
HOUR = timedelta(hours=1)
AT_ONCE = datetime.min.replace(tzinfo=UTC)
"""Due whatever the clock says."""
IDS = [new_id() for _ in range(4)]


class Modelled(msgspec.Struct):
    """What is known of one request or part. `due`: when it may be received; None: ended, or waiting for its parts.

    `turn`: counts the plans and the reopenings, for an old turn cannot be ended in a new one.
    `is_loose`: one who had lost its lease did something to it, where the store cannot tell. From then on it may be
    delivered to others once too often.
    """

    due: datetime | None
    status: Status = Status.ACCEPTED
    attempts: int = 0
    shown: int = 0
    turn: int = 0
    is_loose: bool = False
    token: bytes | None = None
    body: bytes = b""
    parts: int | None = None
    created: datetime = AT_ONCE
    ended: datetime | None = None


class Machine(RuleBasedStateMachine):
    """Its subclasses name the backend."""

    name: ClassVar[str]
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.model: dict[Key, Modelled] = {}
        self.turns: dict[tuple[Key, bytes], int] = {}
        self.loose_ones_gone: set[str] = set()
        self.tallied: Counter[Tally] = Counter()
        self.kept_since = AT_ONCE

    @initialize()
    def open(self) -> None:
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.backend: Backend = self.stack.enter_context(BACKENDS[self.name](Path(folder)))

    def teardown(self) -> None:
        self.stack.close()

    @rule(ids=st.lists(st.sampled_from(IDS), max_size=5), note=st.sampled_from(["a", "b"]))
    def add(self, ids: list[str], note: str) -> None:
        records = [record(self.backend.clock.now(), id=id_, note=note) for id_ in ids]
        for added, addition in zip(records, self.backend.store.add(records), strict=True):
            key = Key(added.id)
            self.tallied[tally_of(added)] += key not in self.model
            assert isinstance(addition, Existing if key in self.model else Added)
            is_loose = added.id in self.loose_ones_gone
            new = Modelled(due=AT_ONCE, body=added.body, is_loose=is_loose, created=added.created_at)
            self.model.setdefault(key, new)
            assert addition.record.body == self.model[key].body
            self.kept_since = max(self.kept_since, added.created_at - KEPT)

    @rule(target=held, limit=st.integers(1, 5))
    def receive(self, limit: int) -> object:
        return multiple(*self._receive(limit))

    def _receive(self, limit: int) -> list[Delivery]:
        deliveries = self.backend.queue.receive(limit, NOW)
        due = {key for key, one in self.model.items() if self._is_due(one)}
        if self.loose_ones_gone or any(one.is_loose for one in self.model.values()):
            deliveries = [one for one in deliveries if not self._is_spurious(one)]
        else:
            assert len(deliveries) == min(limit, len(due))
        for one in deliveries:
            known = self.model[one.key]
            assert one.key in due
            assert one.attempt == known.attempts + 1 or known.is_loose
            known.attempts, known.token, known.due = one.attempt, one.token, self.backend.clock.now() + LEASE
            self.turns[one.key, one.token] = known.turn
        return deliveries

    @rule(delivery=held, failed=st.booleans())
    def settle(self, delivery: Delivery, *, failed: bool) -> None:
        at = self.backend.clock.now()
        error = Failure(Reason.RAISED, "no") if failed else None
        ending = Ending(delivery=delivery, at=at, result=None if failed else b"1", error=error)
        recorded = self.backend.store.settle([ending])
        self.kept_since = max(self.kept_since, at - KEPT)
        self.backend.queue.ack([delivery])
        self._check(delivery, recorded[0], expected=self._may_end(delivery))
        if recorded == [True]:
            known = self.model[delivery.key]
            self._loosen(delivery)
            known.status, known.due, known.token, known.shown = ending.status, None, None, delivery.attempt
            known.ended = max(at, known.created)
            self._part_ended(delivery.key)
            if not delivery.key.part:
                self.tallied[tally_of(self.backend.store.get([delivery.key.id])[delivery.key.id])] += 1

    @rule(delivery=held, parts=st.integers(0, 3))
    def plan(self, delivery: Delivery, parts: int) -> None:
        if delivery.key.part:
            return
        planned = self.backend.store.plan(delivery, [b"%d" % number for number in range(parts)])
        known = self.model.get(delivery.key) or Modelled(due=None)
        self._check(delivery, planned, expected=self._may_end(delivery) and known.parts is None)
        if planned:
            self.backend.queue.ack([delivery])
            self._loosen(delivery)
            known.parts, known.attempts, known.token, known.turn = parts, 0, None, known.turn + 1
            known.due = None if parts else AT_ONCE
            for number in range(parts):
                key = Key(delivery.key.id, number + 1)
                self.model[key] = Modelled(due=AT_ONCE, body=b"%d" % number)

    @rule(delivery=held, delay=st.sampled_from([NOW, LEASE * 3]), charged=st.booleans())
    def release(self, delivery: Delivery, delay: timedelta, *, charged: bool) -> None:
        self.backend.queue.release([delivery], delay, charged=charged)
        if self._leases(delivery):
            known = self.model[delivery.key]
            known.token, known.due = None, self.backend.clock.now() + delay if delay else AT_ONCE
            known.attempts -= not charged

    @rule(delivery=held)
    def extend(self, delivery: Delivery) -> None:
        self.backend.queue.extend([delivery])
        if self._leases(delivery):
            self.model[delivery.key].due = self.backend.clock.now() + LEASE

    @rule(delivery=consumes(held))
    def forget(self, delivery: Delivery) -> None:
        """Its worker was killed: nobody will speak of this delivery again."""

    @rule(by=st.sampled_from([LEASE * 0.4, LEASE, LEASE * 3]))
    def pass_time(self, by: timedelta) -> None:
        self.backend.pass_time(by)

    @rule(id_=st.sampled_from(IDS))
    def reopen(self, id_: str) -> None:
        known = self.model.get(Key(id_))
        failed = known is not None and known.status is Status.FAILED
        assert self.backend.store.reopen([id_]) == [failed]
        if known is None or not failed:
            return
        again = [one for key, one in self._parts(id_) if one.status is Status.FAILED]
        for one in again or [known]:
            one.due = AT_ONCE
        for one in [known, *again]:
            one.status, one.attempts, one.shown, one.ended = Status.ACCEPTED, 0, 0, None
            one.turn += 1

    @rule(limit=st.integers(1, 5), dry=st.booleans())
    def purge(self, limit: int, *, dry: bool) -> None:
        before = self.backend.clock.now()
        old = {key.id for key, one in self.model.items() if not key.part and one.ended and one.ended < before}
        gone = [key for key in self.model if key.id in old]
        requests = parts = 0
        after: str | None = ""
        while after is not None:
            step = self.backend.store.purge(before, limit, after or None, dry=dry)
            requests, parts, after = requests + step.requests, parts + step.parts, step.next
        assert (requests, parts) == (len(old), len(gone) - len(old))
        if not dry:
            self.loose_ones_gone |= {key.id for key in gone if self.model[key].is_loose}
            for key in gone:
                del self.model[key]

    @rule(status=st.sampled_from([None, *Status]), limit=st.integers(1, 3))
    def find(self, status: Status | None, limit: int) -> None:
        wanted = Filter(status=status, action="delay", until=self.backend.clock.now())
        found: list[str] = []
        after: str | None = None
        for _ in range(100):
            page = self.backend.overview.find(wanted, limit, after)
            found += [one.id for one in page.records]
            after = page.next
            if after is None:
                break
        assert sorted(found) == sorted(
            key.id
            for key, one in self.model.items()
            if not key.part and status in (None, one.status) and wanted.until and one.created < wanted.until
        )

    @rule()
    def what_came_to_pass_is_told(self) -> None:
        told: Counter[Tally] = Counter()
        for one in self.backend.overview.tallies(self.kept_since):
            told[msgspec.structs.replace(one, count=1)] += one.count
        assert told == Counter({one: count for one, count in self.tallied.items() if one.at >= self.kept_since})

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        ids = [key.id for key in self.model if not key.part]
        records = self.backend.store.get(IDS)
        parts = self.backend.store.parts([key for key in self.model if key.part])
        assert set(records) == set(ids)
        for key, known in self.model.items():
            if key.part:
                found = parts[key]
                assert (found.value, found.status, found.attempts) == (known.body, known.status, self._shown(known))
            else:
                one = records[key.id]
                assert (one.body, one.status, one.attempts) == (known.body, known.status, self._shown(known))
                assert (one.finished_at is None) == (known.status is Status.ACCEPTED)
                assert one.finished_at is None or one.finished_at >= one.created_at
                assert (None if one.progress is None else one.progress.parts) == known.parts
                if one.progress is not None:
                    statuses = [part.status for _, part in self._parts(key.id)]
                    assert one.progress.left == statuses.count(Status.ACCEPTED)
                    assert one.progress.failed == statuses.count(Status.FAILED)

    def _holds(self, delivery: Delivery) -> bool:
        return delivery.key in self.model and self.model[delivery.key].token == delivery.token

    def _may_end(self, delivery: Delivery) -> bool:
        """Whether what was delivered can be ended or planned by the one that it was delivered to."""
        return self._holds(delivery) if self.backend.fences else self._is_wanted(delivery)

    def _leases(self, delivery: Delivery) -> bool:
        """Whether what its holder does to the lease has an effect."""
        if not self._holds(delivery):
            return False
        due = self.model[delivery.key].due
        in_time = due is not None and due > self.backend.clock.now()
        return in_time or self.backend.fences

    def _loosen(self, delivery: Delivery) -> None:
        self.model[delivery.key].is_loose |= not self._holds(delivery)

    def _is_spurious(self, delivery: Delivery) -> bool:
        """Whether it was delivered once too often; if there is nothing to do, it is put away, as a worker does."""
        known = self.model.get(delivery.key)
        if known is None or (known.is_loose and not self._is_due(known)):
            if known is None or known.due is None:
                self.backend.queue.ack([delivery])
            return True
        return False

    def _is_due(self, known: Modelled) -> bool:
        """Also where the lease ends so late that the clock must have been set back since it was given."""
        if known.due is None:
            return False
        now = self.backend.clock.now()
        return known.due <= now or (known.token is not None and known.due > now + LEASE * 2)

    def _is_wanted(self, delivery: Delivery) -> bool:
        known = self.model.get(delivery.key)
        return (
            known is not None
            and known.status is Status.ACCEPTED
            and self.turns[delivery.key, delivery.token] == known.turn
        )

    def _check(self, delivery: Delivery, done: bool, *, expected: bool) -> None:  # noqa: FBT001
        known = self.model.get(delivery.key)
        assert done == expected or (known is not None and known.is_loose and known.status is Status.ACCEPTED)

    def _shown(self, known: Modelled) -> int:
        return known.attempts if self.backend.counts_when_received else known.shown

    def _parts(self, id_: str) -> list[tuple[Key, Modelled]]:
        return [(key, one) for key, one in self.model.items() if key.id == id_ and key.part]

    def _part_ended(self, key: Key) -> None:
        if key.part and all(one.status is not Status.ACCEPTED for _, one in self._parts(key.id)):
            request = self.model[Key(key.id)]
            request.due, request.attempts = AT_ONCE, 0


class ClockedMachine(Machine):
    """Time passes by the clock alone, which may be set while it goes. The backlog is told exactly."""

    @invariant()
    def what_waits_is_told(self) -> None:
        open_ones = [one for one in self.model.values() if one.due is not None]
        waiting = sum(map(self._is_due, open_ones))
        running = sum(one.token is not None and not self._is_due(one) for one in open_ones)
        backlog = self.backend.overview.backlog()
        load = msgspec.structs.replace(backlog.total, oldest=None)
        assert load == Load(waiting=waiting, running=running, delayed=len(open_ones) - waiting - running)
        assert (backlog.total.oldest is None) == (waiting == 0)
        assert backlog.actions == ({"delay": backlog.total} if self.model else {})

    @rule(by=st.sampled_from([-HOUR, -LEASE * 2, -LEASE, HOUR]))
    def set_clock(self, by: timedelta) -> None:
        self.backend.set_clock(by)


class MemoryMachine(ClockedMachine):
    name = "memory"


class SqliteMachine(ClockedMachine):
    name = "sqlite"


class AwsMachine(Machine):
    name = "aws"


_settings = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
TestMemory = MemoryMachine.TestCase
TestMemory.settings = _settings
TestSqlite = SqliteMachine.TestCase
TestSqlite.settings = _settings
TestAws = AwsMachine.TestCase
TestAws.settings = settings(_settings, max_examples=25)
