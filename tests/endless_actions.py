"""Actions that do not end, that leave processes, and that split badly. Loaded by file, as an operator would."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from acuse import Action, Policy

TASKS: list[asyncio.Task[None]] = []


class Endless(Action, tag="endless"):
    policy: ClassVar[Policy] = Policy(time_limit=timedelta(seconds=0.5), attempts=1)
    how: str
    book: str = ""

    def run(self) -> object:
        return RUN[self.how](self.book)


class BadSplit(Action, tag="bad-split"):
    policy: ClassVar[Policy] = Policy(time_limit=timedelta(seconds=60), attempts=1)
    how: str

    def split(self) -> Any:
        return SPLIT[self.how]()

    def process(self, part: Any) -> Any:
        return part

    def merge(self, results: Iterable[Any]) -> str:
        return f"nothing taken of {type(results).__name__}"


class SilentError(Exception):
    """Its message is never done."""

    def __str__(self) -> str:
        loop()
        return ""


def fail(error: BaseException) -> Any:
    raise error


def loop() -> None:
    while True:
        pass


def deaf() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    loop()


def in_c(book: str) -> int:
    """Keeps the interpreter to itself: no other thread of it runs."""
    if book:
        Path(book).write_text(str(os.getpid()))
    return sum(range(10**15))


def stopped(book: str) -> None:
    Path(book).write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)


def lock() -> None:
    held = threading.Lock()
    for _ in range(2):
        held.acquire()


async def never() -> None:
    await asyncio.Event().wait()


async def leave_a_stubborn_task() -> str:
    async def stubborn() -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(600)

    TASKS.append(asyncio.create_task(stubborn()))
    await asyncio.sleep(0)
    return "left"


def bomb(book: str) -> None:
    """Each of six processes forks five more, and all of them stay."""
    for _ in range(2):
        for _ in range(5):
            if not os.fork():
                break
    with Path(book).open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(600)


def leave_a_session(book: str) -> str:
    """A grandchild in a session of its own, with every descriptor that there is, the runner's included."""
    for descriptor in range(3, 64):
        with suppress(OSError):
            os.set_inheritable(descriptor, True)
    with suppress(subprocess.CalledProcessError):
        subprocess.run(
            ["sh", "-c", f"setsid sleep 600 & echo $! > {book}"], check=True, close_fds=False, start_new_session=True
        )
    return "left"


def leave_a_session_and_die(book: str) -> None:
    leave_a_session(book)
    os.abort()


def half() -> Iterator[int]:
    yield 1
    raise ValueError("half way")


def numbers() -> Iterator[int]:
    number = 0
    while True:
        yield (number := number + 1)


async def asynchronous() -> AsyncIterator[int]:
    yield 1


RUN: dict[str, Callable[[str], Any]] = {
    "loops": lambda _: loop(),
    "loops in C": in_c,
    "matches": lambda _: re.match(r"(a*)*b", "a" * 40),
    "is deaf": lambda _: deaf(),
    "sleeps": lambda _: time.sleep(600),
    "locks": lambda _: lock(),
    "never ends": lambda _: never(),
    "leaves a stubborn task": lambda _: leave_a_stubborn_task(),
    "says without end": lambda _: fail(SilentError()),
    "bombs": bomb,
    "is stopped": stopped,
    "leaves a session": leave_a_session,
    "leaves a session and dies": leave_a_session_and_die,
}
SPLIT: dict[str, Callable[[], Any]] = {
    "stops": lambda: fail(StopIteration("stop")),
    "fails half way": half,
    "never ends": numbers,
    "is huge": lambda: ["x" * 70_000],
    "is no list": lambda: 3,
    "is asynchronous": asynchronous,
    "is well": lambda: [1, 2],
}
