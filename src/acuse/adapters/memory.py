"""Store and Queue in memory: the contract at its plainest, for tests. Nothing survives the process."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.delivery import LEASES, Delivery, Ending
from acuse.domain.outcome import Added, Addition, Existing, Together
from acuse.domain.purged import Purged
from acuse.domain.record import Key, Part, Progress, Record, Status
from acuse.domain.tally import tally_of
from acuse.domain.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from acuse.domain.tally import Tally
    from acuse.ports import Clock


AT_ONCE = datetime.min.replace(tzinfo=UTC)


class Due(msgspec.Struct):
    """From when on a key may be received; with a token, until when it is leased."""

    at: datetime
    token: bytes | None = None


class Memory:
    """The data that MemoryStore and MemoryQueue share."""

    def __init__(self, clock: Clock) -> None:
        """Empty."""
        self.clock = clock
        self.changed = threading.Condition(threading.RLock())
        self.records: dict[str, Record] = {}
        self.parts: dict[Key, Part] = {}
        self.due: dict[Key, Due] = {}
        self.tallies: Counter[Tally] = Counter()

    def holds(self, delivery: Delivery) -> bool:
        """Whether the lease is this delivery's."""
        due = self.due.get(delivery.key)
        return due is not None and due.token == delivery.token

    def enqueue(self, key: Key) -> None:
        """The key is due, whatever the clock says."""
        self.due[key] = Due(AT_ONCE)
        self.changed.notify_all()

    def count(self, record: Record) -> None:
        """It is counted as what it has just come to be."""
        self.tallies[tally_of(record)] += 1


class MemoryStore:
    """See Store."""

    def __init__(self, memory: Memory) -> None:
        """Over the same memory as its queue."""
        self._memory = memory

    def add(self, records: Sequence[Record]) -> list[Addition]:
        """See Store."""
        additions: list[Addition] = []
        with self._memory.changed:
            for record in records:
                if record.id in self._memory.records:
                    additions.append(Existing(self._memory.records[record.id]))
                else:
                    self._add(record)
                    additions.append(Added(record))
        return additions

    def add_together(self, records: Sequence[Record]) -> list[Together]:
        """See Store."""
        with self._memory.changed:
            answers = together(records, self._memory.records)
            for answer in answers:
                if isinstance(answer, Added):
                    self._add(answer.record)
        return answers

    def settle(self, endings: Sequence[Ending]) -> list[bool]:
        """See Store."""
        with self._memory.changed:
            return [self._settle(ending) for ending in endings]

    def plan(self, delivery: Delivery, parts: Sequence[bytes]) -> bool:
        """See Store."""
        memory = self._memory
        with memory.changed:
            record = memory.records.get(delivery.key.id)
            if record is None or record.progress is not None or not memory.holds(delivery):
                return False
            progress = Progress(parts=len(parts), left=len(parts), failed=0)
            memory.records[record.id] = msgspec.structs.replace(record, progress=progress, attempts=0)
            del memory.due[delivery.key]
            now = memory.clock.now()
            for key, value in zip(_part_keys(record.id), parts, strict=False):
                memory.parts[key] = Part(key=key, value=value, created_at=now)
                memory.enqueue(key)
            if not parts:
                memory.enqueue(delivery.key)
            return True

    def get(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """See Store."""
        with self._memory.changed:
            return {id_: self._memory.records[id_] for id_ in ids if id_ in self._memory.records}

    def parts(self, keys: Sequence[Key]) -> Mapping[Key, Part]:
        """See Store."""
        with self._memory.changed:
            return {key: self._memory.parts[key] for key in keys if key in self._memory.parts}

    def reopen(self, ids: Sequence[str]) -> list[bool]:
        """See Store."""
        with self._memory.changed:
            return [self._reopen(id_) for id_ in ids]

    def purge(self, before: datetime, limit: int, after: str | None, *, dry: bool) -> Purged:
        """See Store. Parts go with their request, however many they are."""
        memory = self._memory
        with memory.changed:
            start = int(after or 0)
            page = list(itertools.islice(memory.records.values(), start, start + limit))
            ended = {one.id for one in page if one.finished_at is not None and one.finished_at < before}
            parts = [key for key in memory.parts if key.id in ended]
            if not dry:
                for id_ in ended:
                    del memory.records[id_]
                for key in parts:
                    del memory.parts[key]
            left = start + len(page) - (0 if dry else len(ended))
            return Purged(requests=len(ended), parts=len(parts), next=str(left) if len(page) == limit else None)

    def _add(self, record: Record) -> None:
        self._memory.records[record.id] = record
        self._memory.count(record)
        self._memory.enqueue(Key(record.id))

    def _settle(self, ending: Ending) -> bool:
        memory, key = self._memory, ending.delivery.key
        subject: Record | Part | None = memory.parts.get(key) if key.part else memory.records.get(key.id)
        if subject is None or not subject.status.may_become(ending.status) or not memory.holds(ending.delivery):
            return False
        del memory.due[key]
        ended = msgspec.structs.replace(
            subject,
            status=ending.status,
            finished_at=max(ending.at, subject.created_at),
            attempts=ending.delivery.attempt,
            result=ending.result,
            error=ending.error,
        )
        if isinstance(ended, Part):
            memory.parts[key] = ended
            self._count(ended)
        else:
            memory.records[key.id] = ended
            memory.count(ended)
        return True

    def _count(self, ended: Part) -> None:
        record = self._memory.records[ended.key.id]
        before = record.progress
        if before is None:
            return
        failed = before.failed + (ended.status is Status.FAILED)
        progress = msgspec.structs.replace(before, left=before.left - 1, failed=failed)
        attempts = record.attempts if progress.left else 0
        self._memory.records[record.id] = msgspec.structs.replace(record, progress=progress, attempts=attempts)
        if not progress.left:
            self._memory.enqueue(Key(record.id))

    def _reopen(self, id_: str) -> bool:
        memory = self._memory
        record = memory.records.get(id_)
        if record is None or record.status is not Status.FAILED:
            return False
        fresh = {"status": Status.ACCEPTED, "finished_at": None, "attempts": 0, "result": None, "error": None}
        keys = list(itertools.takewhile(memory.parts.__contains__, _part_keys(id_)))
        failed = [key for key in keys if memory.parts[key].status is Status.FAILED]
        for key in failed:
            memory.parts[key] = msgspec.structs.replace(memory.parts[key], **fresh)
            memory.enqueue(key)
        progress = record.progress and msgspec.structs.replace(record.progress, left=len(failed), failed=0)
        memory.records[id_] = msgspec.structs.replace(record, progress=progress, **fresh)
        if not failed:
            memory.enqueue(Key(id_))
        return True


class MemoryQueue:
    """See Queue."""

    def __init__(self, memory: Memory, *, lease: timedelta, bounds: Mapping[str, int | None]) -> None:
        """`lease`: how long what is received is the receiver's alone.

        `bounds`: the actions to receive, each with how many may be leased at once; None: any number.
        """
        self._memory = memory
        self._lease = lease
        self._bounds = bounds
        self._tokens = itertools.count(1)

    def receive(self, limit: int, wait: timedelta) -> list[Delivery]:
        """See Queue. Waits only for a change of the memory: it does not watch the clock meanwhile."""
        with self._memory.changed:
            claimed = self._claim(limit)
            if not claimed and wait > timedelta(0) and self._memory.changed.wait(wait.total_seconds()):
                claimed = self._claim(limit)
            return claimed

    def extend(self, deliveries: Sequence[Delivery]) -> None:
        """See Queue."""
        with self._memory.changed:
            for one in deliveries:
                if self._memory.holds(one):
                    self._memory.due[one.key] = Due(self._memory.clock.now() + self._lease, one.token)

    def release(self, deliveries: Sequence[Delivery], delay: timedelta, *, charged: bool) -> None:
        """See Queue."""
        with self._memory.changed:
            for one in deliveries:
                if self._memory.holds(one):
                    self._memory.due[one.key] = Due(self._memory.clock.now() + delay if delay else AT_ONCE)
                    if not charged:
                        self._charge(one.key, -1)
            self._memory.changed.notify_all()

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See Queue. Settling and planning took them off already."""

    def _claim(self, limit: int) -> list[Delivery]:
        now = self._memory.clock.now()
        token = b"%d" % next(self._tokens)
        claimed: list[Delivery] = []
        # What a delay or a lease has held up goes first: each time costs it an attempt, so it cannot starve the others.
        for key, due in sorted(self._memory.due.items(), key=lambda item: (item[1].at == AT_ONCE, item[1].at)):
            if self._is_due(due, now) and len(claimed) < limit and self._may_run(key, now):
                self._memory.due[key] = Due(now + self._lease, token)
                attempt = self._charge(key, 1)
                claimed.append(Delivery(key=key, attempt=attempt, token=token, was_cut_off=due.token is not None))
        return claimed

    def _is_due(self, due: Due, now: datetime) -> bool:
        return due.at <= now or (due.token is not None and due.at > now + LEASES * self._lease)

    def _may_run(self, key: Key, now: datetime) -> bool:
        """Whether the action of the key is one to receive, and has a run to spare."""
        action = self._memory.records[key.id].action
        bound = self._bounds.get(action)
        if bound is None:
            return action in self._bounds
        leased = [
            one
            for one, due in self._memory.due.items()
            if due.token and not self._is_due(due, now) and self._memory.records[one.id].action == action
        ]
        return len(leased) < bound

    def _charge(self, key: Key, by: int) -> int:
        memory = self._memory
        if key.part:
            attempts = memory.parts[key].attempts + by
            memory.parts[key] = msgspec.structs.replace(memory.parts[key], attempts=attempts)
        else:
            attempts = memory.records[key.id].attempts + by
            memory.records[key.id] = msgspec.structs.replace(memory.records[key.id], attempts=attempts)
        return attempts


def _part_keys(id_: str) -> Iterator[Key]:
    return (Key(id_, part) for part in itertools.count(1))
