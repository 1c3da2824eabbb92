"""Sends at a constant rate, whatever the service does: what is late counts from when it was due."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from acuse.client.request import uuid7
from acuse.domain.errors import AcuseError
from bench.stack.answers import UNANSWERED, Answers, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from bench.stack.plan import Plan, Step
    from bench.stack.wire import Answer, Wire

GRACE_SECONDS = 3.0
"""For what is under way when the test is interrupted."""


class Load:
    """One process's share of what is sent: of so many processes, the POSTs of the one with that number."""

    def __init__(
        self,
        plan: Plan,
        wire: Wire,
        headers: Callable[[bytes], Mapping[str, str]],
        random: Random,
        stopped: asyncio.Event,
        *,
        number: int,
    ) -> None:
        """`headers`: those to send with a body."""
        self._plan = plan
        self._wire = wire
        self._headers = headers
        self._random = random
        self._stopped = stopped
        self._number = number
        self._rest = msgspec.json.encode(plan.members)[1:]

    async def run(self, step: Step, start: float) -> Answers:
        """All of the step's share is sent and answered, or given up. `start`: on the monotonic clock."""
        answers = Answers(-(-step.sample // self._plan.processes), self._random)
        sending: set[asyncio.Task[None]] = set()
        stop = asyncio.create_task(self._stopped.wait())
        timetable = asyncio.create_task(self._keep_time(step, start, answers, sending))
        await asyncio.wait({timetable, stop}, return_when=asyncio.FIRST_COMPLETED)
        timetable.cancel()
        with suppress(asyncio.CancelledError):
            await timetable
        if sending:
            ended = asyncio.create_task(asyncio.wait(sending))
            await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({ended}, timeout=GRACE_SECONDS)
            for task in sending:
                task.cancel()
            await ended
        stop.cancel()
        return answers

    async def _keep_time(self, step: Step, start: float, answers: Answers, sending: set[asyncio.Task[None]]) -> None:
        for number in range(self._number, step.posts, self._plan.processes):
            due = start + step.due(number)
            # What is late is not waited for, but what came in is read all the same.
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            requests = [self._request() for _ in range(step.bulk)]
            sending.add(task := asyncio.create_task(self._send(answers, requests, start, due)))
            task.add_done_callback(sending.discard)

    async def _send(self, answers: Answers, requests: list[Request], start: float, due: float) -> None:
        woke = time.monotonic()
        body = b"".join(request.line + b"\n" for request in requests)
        sent: list[float] = []
        status, stored = UNANSWERED, 0
        try:
            async with asyncio.timeout(max(0.0, due + self._plan.timeout - woke)):
                answer = await self._answer(answers, body, sent)
        except (OSError, AcuseError) as error:
            answers.broken[_name(error)] += 1
            answers.requests[UNANSWERED] += len(requests)
        except asyncio.CancelledError:
            answers.requests[UNANSWERED] += len(requests)
        else:
            status = answer.status
            stored = answers.take(requests, status, answer.body)
        now = time.monotonic()
        answers.add(
            due=due - start,
            woke=max(0.0, woke - due),
            sent=(sent[0] if sent else now) - due,
            took=now - due,
            status=status,
            stored=stored,
        )

    async def _answer(self, answers: Answers, body: bytes, sent: list[float]) -> Answer:
        """If the connection breaks, the same is sent once more over a fresh one: an id makes that safe."""
        try:
            return await self._post(body, sent, fresh=False)
        except ConnectionError as error:
            answers.broken[_name(error)] += 1
            return await self._post(body, sent, fresh=True)

    async def _post(self, body: bytes, sent: list[float], *, fresh: bool) -> Answer:
        async with self._wire.connection(fresh=fresh) as connection:
            sent.append(time.monotonic())
            return await connection.post(self._headers(body), body)

    def _request(self) -> Request:
        id_ = str(uuid7(time.time_ns() // 1_000_000, os.urandom(10)))
        return Request(id_, b'{"id":"%b",%b' % (id_.encode(), self._rest))


def _name(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
