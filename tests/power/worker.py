"""A worker that notes what it asks the store for and what it is told. It runs nothing; it only says how it ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.delivery import Ending
from acuse.domain.record import Failure, Key, Reason
from tests.power.ledger import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random
    from threading import Event

    from acuse.domain.delivery import Delivery
    from acuse.domain.record import Record
    from acuse.ports import Queue, Store
    from tests.power.witness import Witness

WAIT = timedelta(milliseconds=20)


class Worker:
    """Receives, and settles, plans, extends, releases or forgets what it received."""

    def __init__(self, store: Store, queue: Queue, witness: Witness, failed: list[str], random: Random) -> None:
        """`failed`: where the ids of requests go that have failed."""
        self._store = store
        self._queue = queue
        self._witness = witness
        self._failed = failed
        self._random = random

    def work(self, over: Event) -> None:
        """It is over, and nothing is due."""
        while (deliveries := self._queue.receive(self._random.randint(1, 40), WAIT)) or not over.is_set():
            self._handle(deliveries)

    def _handle(self, deliveries: Sequence[Delivery]) -> None:
        records = self._store.get([delivery.key.id for delivery in deliveries])
        ended: list[Delivery] = []
        for delivery in deliveries:
            match self._random.choices(["ended", "extended", "released", "forgotten"], [75, 5, 15, 5])[0]:
                case "released":
                    self._queue.release([delivery], timedelta(0), charged=self._random.random() < 0.5)
                case "forgotten":
                    pass
                case what:
                    if what == "extended":
                        self._queue.extend([delivery])
                    if not self._plans(delivery, records[delivery.key.id]):
                        ended.append(delivery)
        while ended:
            few = self._random.randint(1, len(ended))
            self._settle(ended[:few])
            del ended[:few]

    def _plans(self, delivery: Delivery, record: Record) -> bool:
        """Whether it was one to be split, and now is."""
        plan = json.loads(record.body).get("plan")
        if delivery.key.part or plan is None or record.progress is not None:
            return False
        values = [json.dumps({"value": number, "of": record.id}).encode() for number in range(plan)]
        planned = msgspec.structs.replace(self._witness.latest(delivery.key), parts=plan)
        begun = [(delivery.key, self._witness.begin(delivery.key, planned))]
        for part, value in enumerate(values, 1):
            key = Key(record.id, part)
            begun.append((key, self._witness.begin(key, State(content=value))))
        assert self._store.plan(delivery, values)
        for key, number in begun:
            self._witness.done(key, number)
        self._queue.ack([delivery])
        return True

    def _settle(self, deliveries: Sequence[Delivery]) -> None:
        endings = [self._ending(delivery) for delivery in deliveries]
        begun = [(one.delivery.key, self._witness.begin(one.delivery.key, self._ended(one))) for one in endings]
        assert all(self._store.settle(endings))
        for key, number in begun:
            self._witness.done(key, number)
        self._failed += [one.delivery.key.id for one in endings if one.error and not one.delivery.key.part]
        self._queue.ack(deliveries)

    def _ending(self, delivery: Delivery) -> Ending:
        at = datetime.now(UTC)
        if self._random.random() < 0.3:
            return Ending(delivery=delivery, at=at, error=Failure(Reason.RAISED, f"error {self._random.random()}"))
        return Ending(delivery=delivery, at=at, result=json.dumps({"by": self._random.random()}).encode())

    def _ended(self, ending: Ending) -> State:
        return msgspec.structs.replace(
            self._witness.latest(ending.delivery.key),
            status=str(ending.status),
            result=ending.result,
            detail=ending.error.detail if ending.error else None,
        )
