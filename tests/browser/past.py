"""A quarter of an hour of a company's requests, as the store would have it: made through the store and the queue.

The clock goes as it is told, and chance always falls the same way, so that pages made of it are always the same.
"""

from __future__ import annotations

import heapq
import json
import math
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.store import SqliteStore
from acuse.bootstrap import DATABASE, Service
from acuse.config import Settings
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.record import Failure, Reason
from acuse.domain.submission import parse
from tests.clock import StillClock

if TYPE_CHECKING:
    from acuse.domain.record import Record

NOW = datetime(2026, 11, 24, 10, 53, 20, tzinfo=UTC)
LENGTH = 960
"""Seconds."""
STEP = 2
"""Seconds."""
SLOTS = 16
RETRY = timedelta(minutes=2)
ACTIONS = (Path(__file__).with_name("office.py"), Path(__file__).parents[2] / "examples" / "flights.py")

MONTHS = (27_004, 24_951, 28_834, 28_330, 28_796, 28_243, 29_425, 29_327, 27_574, 28_889, 27_268, 28_135)
ROLLED_UP = {
    "rows": 11_864,
    "flights": 336_776,
    "cancelled": 8_255,
    "on_time": 249_716,
    "dep_delay_minutes": 4_152_200,
    "miles": 350_217_607,
}
WAREHOUSES = 24
SHELFLESS = (9, 17)
PARTS = {"flights": len(MONTHS), "stock": WAREHOUSES}
FLIGHTS, STOCK, POSTPONED = (150, 2), 610, 80
"""Seconds before NOW at which they were sent."""
FAILURES = {
    920: Failure(Reason.RAISED, "TimeoutError: no answer from prices.northwind.example within 30 s"),
    820: Failure(Reason.REFUSED, "the price list of Northwind has no column `net`"),
    760: Failure(Reason.TIMED_OUT, "stopped after its time limit of 60 s"),
    700: Failure(Reason.BAD_RESULT, "more than 65536 bytes of JSON; keep large results elsewhere"),
    560: Failure(Reason.CRASHED, "the process of the run was killed by SIGKILL"),
    420: Failure(Reason.RAISED, "ConnectionResetError: [Errno 104] Connection reset by peer"),
}
"""What some price list came to, that was sent so many seconds ago."""


class Run(NamedTuple):
    """One that is under way, until then."""

    until: datetime
    number: int
    delivery: Delivery


class Past:
    """What came to pass until NOW, in a folder of its own."""

    def __init__(self, data: Path) -> None:
        """It has been made."""
        self.settings = Settings(data=data, lease=timedelta(hours=1), actions=tuple(map(str, ACTIONS)))
        self.clock = StillClock()
        self.service = Service(self.settings)
        self.service.clock = self.clock
        self.flights = self.stock = ""
        self._queue = self.service.queue
        self._store = SqliteStore(Database(data / DATABASE, durable=False, busy=self.settings.busy), self.clock)
        self._random = Random(336_776)
        self._numbers = count()
        self._sent: dict[str, tuple[str, int]] = {}
        self._runs: list[Run] = []
        for second in range(LENGTH, -1, -STEP):
            self._end(NOW - timedelta(seconds=second))
            self._add(second)
            self._begin()

    def _add(self, second: int) -> None:
        rate = 5 + 2 * math.sin(second / 70) + (14 if 500 < second <= 530 else 0) + (9 if second <= 6 else 0)
        sent = [self._some(second) for _ in range(int(STEP * rate + self._random.random()))]
        if second in FLIGHTS:
            sent.append(self._request(second, "flights", asked_by="the demo"))
            self.flights = self.flights or sent[-1].id
        if second == STOCK:
            sent.append(self._request(second, "stock", warehouses=WAREHOUSES))
            self.stock = sent[-1].id
        if second in FAILURES or second == POSTPONED:
            sent.append(self._request(second, "price-list", supplier="Northwind"))
        self._store.add(sent)

    def _some(self, second: int) -> Record:
        if self._random.random() < 0.12:
            return self._request(second, "delay", seconds=self._random.choice((1, 2, 5)))
        return self._request(second, "invoices", customer=self._random.randrange(1_000, 9_999), month="2026-10")

    def _request(self, second: int, action: str, **members: Any) -> Record:
        number = int(self.clock.now().timestamp() * 1_000) << 80 | 7 << 76 | 2 << 62
        id_ = str(UUID(int=number | self._random.getrandbits(12) << 64 | self._random.getrandbits(62)))
        self._sent[id_] = (action, second)
        return parse(json.dumps({"id": id_, "action": action, **members}).encode()).accepted(self.clock.now())

    def _begin(self) -> None:
        for delivery in self._queue.receive(SLOTS - len(self._runs), timedelta(0)):
            action, second = self._sent[delivery.key.id]
            seconds = self._random.lognormvariate(0.2, 0.5) * (2 if action == "delay" else 1)
            if action in PARTS and not delivery.key.part:
                seconds = 0.3
            if second in FAILURES and FAILURES[second].reason is Reason.TIMED_OUT and action == "price-list":
                seconds = 60.0
            until = self.clock.now() + timedelta(seconds=seconds)
            heapq.heappush(self._runs, Run(until, next(self._numbers), delivery))

    def _end(self, now: datetime) -> None:
        """What is over by then has ended, when it was over; and it is then."""
        while self._runs and self._runs[0].until <= now:
            run = heapq.heappop(self._runs)
            self.clock.time = run.until
            self._end_one(run.delivery)
        self.clock.time = now

    def _end_one(self, delivery: Delivery) -> None:
        id_, part = delivery.key
        action, second = self._sent[id_]
        progress = self._store.get([id_])[id_].progress
        if action in PARTS and progress is None:
            self._store.plan(delivery, [str(part).encode() for part in range(1, PARTS[action] + 1)])
            self._begin()
        elif second == POSTPONED and action == "price-list":
            self._queue.release([delivery], RETRY, charged=True)
        else:
            failed = progress.failed if progress else 0
            outcome = _outcome(id_, part, action, second, failed)
            error = outcome if isinstance(outcome, Failure) else None
            result = None if error else json.dumps(outcome).encode()
            self._store.settle([Ending(delivery=delivery, at=self.clock.now(), result=result, error=error)])


def _outcome(id_: str, part: int, action: str, second: int, failed: int) -> Any:
    """The result of a run, or its failure."""
    match action:
        case "flights" if part:
            return {"file": f"data/flights/{id_}/month-{part:02}.parquet", "flights": MONTHS[part - 1]}
        case "flights":
            return {"file": f"data/flights/{id_}/flights.parquet", **ROLLED_UP}
        case "stock" if part in SHELFLESS:
            return Failure(Reason.RAISED, f"KeyError: 'warehouse {part} has no shelf 12'")
        case "stock" if not part:
            return Failure(Reason.PARTS_FAILED, f"{failed} of {WAREHOUSES} parts failed")
        case "price-list":
            return FAILURES[second]
    return {"pages": 1 + second % 3}
