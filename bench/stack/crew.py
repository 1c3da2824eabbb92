"""The processes that send: one, or several where one is not enough."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import uvloop

from bench.stack.access import JSON, LINES
from bench.stack.follow import Fate, follow
from bench.stack.load import Load
from bench.stack.wire import Answer, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection as Pipe
    from multiprocessing.context import SpawnProcess

    from bench.stack.access import Access
    from bench.stack.answers import Answers
    from bench.stack.plan import Plan, Step

HEAD_START = 0.3
"""Seconds from when the processes are told until the first POST is due."""


class Share(NamedTuple):
    """What one process did of one step."""

    answers: Answers
    fates: list[Fate]
    cpu: float
    """Of one core, while it sent."""


class Run(NamedTuple):
    """What they all did of one step."""

    shares: list[Share]
    was_interrupted: bool


class Crew:
    """Processes that wait for the next step."""

    def __init__(self, members: Sequence[tuple[SpawnProcess, Pipe]]) -> None:
        """They have been started."""
        self._members = members

    def run(self, step: Step) -> Run:
        """What each of them did. An interrupt ends the step early; a second one is raised."""
        start = time.monotonic() + HEAD_START
        for _, pipe in self._members:
            pipe.send((step, start))
        try:
            return Run(self._shares(), was_interrupted=False)
        except KeyboardInterrupt:
            self._interrupt()
            return Run(self._shares(), was_interrupted=True)

    def _interrupt(self) -> None:
        for process, _ in self._members:
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGINT)

    def _shares(self) -> list[Share]:
        # An interrupt that came while an answer is read would tear it.
        for _, pipe in self._members:
            pipe.poll(None)
        return [pipe.recv() for _, pipe in self._members]


@contextmanager
def crew(plan: Plan, access: Access) -> Iterator[Crew]:
    """As many processes as the plan says; none is left when the block ends."""
    context = multiprocessing.get_context("spawn")
    members = []
    for number in range(plan.processes):
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, plan, access, number), daemon=True)
        with _deaf():
            process.start()
        theirs.close()
        members.append((process, ours))
    try:
        for _, pipe in members:
            pipe.recv()
        yield Crew(members)
    finally:
        for process, pipe in members:
            pipe.close()
            process.kill()
            process.join()


@contextmanager
def _deaf() -> Iterator[None]:
    """An interrupt does nothing, neither here nor in what is started, until that listens for it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(pipe: Pipe, plan: Plan, access: Access, number: int) -> None:
    stopped = asyncio.Event()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().add_signal_handler(signal.SIGINT, stopped.set)
        wire = Wire(plan.url, limit=plan.connections)
        headers = access.headers(plan.url, JSON if plan.bulk == 1 else LINES)
        load = Load(plan, wire, headers, Random(), stopped, number=number)  # noqa: S311  (no secret)
        read = access.headers(plan.url, LINES)

        async def post(body: bytes) -> Answer:
            async with asyncio.timeout(plan.timeout), wire.connection() as connection:
                return await connection.post(read(body), body)

        async def share(step: Step, start: float) -> Share:
            before = time.process_time()
            answers = await load.run(step, start)
            cpu = (time.process_time() - before) / max(time.monotonic() - start, HEAD_START)
            return Share(answers, await follow(answers.kept, post, stopped, patience=plan.patience), cpu)

        pipe.send(None)
        while True:
            try:
                step, start = pipe.recv()
            except (EOFError, OSError):
                return
            pipe.send(runner.run(share(step, start)))
