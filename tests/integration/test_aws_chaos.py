"""Planners, workers and reopeners that are killed between any two calls, where answers are lost and calls land late."""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from acuse.adapters.aws import calls
from acuse.adapters.aws.relay import called_for
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.adapters.clock import SystemClock
from acuse.application.actions import Catalogue
from acuse.application.execute import Drop, forgone, task_for
from acuse.domain.delivery import Ending
from acuse.domain.errors import StoreUnavailable
from acuse.domain.policy import Policy
from acuse.domain.record import Failure, Reason, Status, part_keys
from acuse.domain.task import Step
from tests.aws.local import local_aws
from tests.contract.aws import Stream, create_table
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from acuse.adapters.aws.message import Message
    from acuse.domain.task import Task

ACTORS = 6
REQUESTS = 6
STEPS = 150
"""Of each actor."""
FAILURE = Failure(Reason.RAISED, "no")


class Killed(BaseException):
    """The process is gone."""


class Wire:
    """A client whose calls fail before or after their effect, kill their caller, or land when nobody waits any more."""

    def __init__(self, client: Any, random: Random) -> None:
        self._client = client
        self._random = random
        self.late: list[threading.Thread] = []
        self.is_calm = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            luck = 0.5 if self.is_calm else self._random.random()
            if luck < 0.04:
                self._harm()
            if luck > 0.92 and not name.startswith(("batch_get", "query")):
                self.late.append(threading.Thread(target=_land_late, args=(method, arguments, self._random.random())))
                self.late[-1].start()
                raise ReadTimeoutError(endpoint_url="lost")
            answer = method(**arguments)
            if 0.04 < luck < 0.08:
                self._harm()
            return answer

        return call

    def _harm(self) -> None:
        raise Killed if self._random.random() < 0.5 else ReadTimeoutError(endpoint_url="lost")


def _land_late(method: Callable[..., Any], arguments: dict[str, Any], luck: float) -> None:
    time.sleep(luck * 0.1)
    with suppress(ClientError):
        method(**arguments)


class World:
    """A table, its stream, and messages that stay until somebody puts them away."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        aws = local_aws()
        client = aws.client("dynamodb", max_pool_connections=32)
        name = f"acuse-{uuid.uuid4()}"
        self.stream = Stream(aws.client("dynamodbstreams"), create_table(client, name))
        self.wire = Wire(client, self.random)
        self.clock = SystemClock()
        table = Table(self.wire, name, patience=timedelta(milliseconds=2), in_flight=1)
        self.store = DynamoStore(table, self.clock)
        self.messages: list[Message] = []
        self._relaying = threading.Lock()

    def relay(self) -> None:
        """What has changed is queued; now and then something of it twice."""
        with self._relaying:
            changes = self.stream.read()
            again = self.random.sample(changes, len(changes) // 3)
            self.messages += called_for([*changes, *again])

    def work(self, message: Message) -> None:
        delivery = message.delivery("receipt", 1)
        parts = self.store.parts([message.key]) if message.part else {}
        records = self.store.get([message.id])
        task = task_for(delivery, records, parts, Catalogue([]))
        if isinstance(task, Drop):
            self._put_away(message)
        elif task.step is Step.RUN and self._is_lucky():
            tag = b"%d" % self.random.randrange(10**9)
            self.store.plan(delivery, [tag] * self.random.randrange(8))
            self._put_away(message)
        else:
            doomed = forgone(delivery, task, records[message.id], Policy())
            error = None if self._is_lucky() and doomed is None else FAILURE
            result = self._result(task) if error is None else None
            self.store.settle([Ending(delivery=delivery, at=self.clock.now(), result=result, error=error)])
            self._put_away(message)

    def _is_lucky(self) -> bool:
        return self.wire.is_calm or self.random.random() < 0.85

    def _result(self, task: Task) -> bytes:
        if task.step is not Step.MERGE:
            return task.value or b"null"
        found = [self.store.parts(keys)[key].result for keys in part_keys(task.id, task.parts) for key in keys]
        return b"[%b]" % b",".join(one or b"null" for one in found)

    def _put_away(self, message: Message) -> None:
        with suppress(ValueError):  # It was delivered to two.
            self.messages.remove(message)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_killed_everything_ends_and_merges_the_parts_of_one_plan(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "FIRST_PAUSE", 0.0)
    world = World(seed)
    world.wire.is_calm = True
    requests = [record(world.clock.now(), action="sums") for _ in range(REQUESTS)]
    ids = [one.id for one in requests]
    world.store.add(requests)
    world.wire.is_calm = False

    def act() -> None:
        for _ in range(STEPS):
            world.relay()
            try:
                if world.messages and world.random.random() < 0.85:
                    world.work(world.random.choice(world.messages))
                else:
                    world.store.reopen([world.random.choice(ids)])
            except (Killed, StoreUnavailable, IndexError):
                pass  # Its message stays; another takes it up.

    actors = [threading.Thread(target=act) for _ in range(ACTORS)]
    for actor in actors:
        actor.start()
    for actor in actors:
        actor.join()
    for late in world.wire.late:
        late.join()
    world.wire.is_calm = True
    _finish(world, ids)

    for one in world.store.get(ids).values():
        assert one.status is Status.FINISHED, one
        if one.progress is not None:
            merged = json.loads(one.result or b"")
            assert len(merged) == one.progress.parts
            assert len(set(merged) - {None}) <= 1
            assert None not in merged


def _finish(world: World, ids: list[str]) -> None:
    """What is due is done, and what failed is opened again, until nothing is left."""
    while True:
        world.relay()
        for message in list(world.messages):
            world.work(message)
        failed = [id_ for id_, one in world.store.get(ids).items() if one.status is Status.FAILED]
        world.store.reopen(failed)
        world.relay()
        if not world.messages:
            return
