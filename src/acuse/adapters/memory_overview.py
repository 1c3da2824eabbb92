"""Overview in memory: the contract at its plainest, for tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from acuse.adapters.memory import AT_ONCE
from acuse.domain.backlog import Backlog, Load, backlog_of
from acuse.domain.delivery import LEASES
from acuse.domain.errors import Misconfigured
from acuse.domain.listing import MAX_PAGE_BYTES, Filter, Order, Page, size_of
from acuse.domain.record import Record, Status, rfc3339

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from acuse.adapters.memory import Due, Memory
    from acuse.domain.record import Key
    from acuse.domain.tally import Tally

PLACE = re.compile(r"(failed/)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f-]{36}", re.ASCII)


class MemoryOverview:
    """See Overview."""

    def __init__(self, memory: Memory, *, lease: timedelta) -> None:
        """Over the same memory, and with the same lease, as its queue."""
        self._memory = memory
        self._lease = lease

    def find(self, wanted: Filter, limit: int, after: str | None) -> Page:
        """See Overview. Newest first, and those that failed last failed first."""
        order, place = Order.NEWEST, _created
        if wanted.status is Status.FAILED:
            order, place = Order.LAST_FAILED, _failed
        if after is not None and (not (read := PLACE.fullmatch(after)) or (read[1] is None) != (place is _created)):
            raise Misconfigured(f"no page of this store ended with {after!r}")
        with self._memory.changed:
            found = sorted(filter(wanted.takes, self._memory.records.values()), key=place, reverse=True)
        left = [one for one in found if after is None or place(one) < after]
        page: list[Record] = []
        while len(page) < min(limit, len(left)) and sum(map(size_of, page)) < MAX_PAGE_BYTES:
            page.append(left[len(page)])
        return Page(records=page, order=order, next=place(page[-1]) if len(page) < len(left) else None)

    def backlog(self) -> Backlog:
        """See Overview."""
        memory = self._memory
        with memory.changed:
            due: dict[str, list[tuple[Key, Due]]] = {one.action: [] for one in memory.records.values()}
            for key, one in memory.due.items():
                due[memory.records[key.id].action].append((key, one))
            return backlog_of({action: self._load(those) for action, those in due.items()})

    def tallies(self, since: datetime) -> list[Tally]:
        """See Overview."""
        with self._memory.changed:
            counted = self._memory.tallies.items()
            return [msgspec.structs.replace(one, count=count) for one, count in counted if one.at >= since]

    def _load(self, due: list[tuple[Key, Due]]) -> Load:
        now = self._memory.clock.now()
        far = now + LEASES * self._lease
        later = [one for _, one in due if now < one.at and not (one.token and one.at > far)]
        running = sum(one.token is not None for one in later)
        since = [self._since(key, one) for key, one in due if one not in later]
        return Load(
            waiting=len(due) - len(later),
            delayed=len(later) - running,
            running=running,
            oldest=min([*since, now]) if since else None,
        )

    def _since(self, key: Key, due: Due) -> datetime:
        if due.at != AT_ONCE:
            return due.at
        return (self._memory.parts[key] if key.part else self._memory.records[key.id]).created_at


def _created(record: Record) -> str:
    return f"{rfc3339(record.created_at)} {record.id}"


def _failed(record: Record) -> str:
    return f"failed/{record.finished_at and rfc3339(record.finished_at)} {record.id}"
