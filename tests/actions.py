"""Actions that behave, and actions that do not. Loaded by file, as an operator would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from acuse import Action, Backoff, Fail, Policy, Retry, this_run

QUICK = Backoff(first=timedelta(milliseconds=1), most=timedelta(milliseconds=10))


class Echo(Action, tag="echo"):
    text: str = ""
    seconds: float = 0.0

    def run(self) -> dict[str, object]:
        time.sleep(self.seconds)
        return {"text": self.text, "pid": os.getpid()}


class Once(Action, tag="once"):
    policy: ClassVar[Policy] = Policy(attempts=1)
    book: str = ""
    until: str = ""

    def run(self) -> None:
        note(self.book)
        while self.until and not Path(self.until).exists():
            time.sleep(0.01)


class Notes(Action, tag="notes"):
    """Writes a line each time it is run, then waits for a file, or takes its time."""

    policy: ClassVar[Policy] = Policy(backoff=QUICK, attempts=20)
    book: str = ""
    until: str = ""
    seconds: float = 0.0

    def run(self) -> str:
        note(self.book)
        while self.until and not Path(self.until).exists():
            time.sleep(0.01)
        time.sleep(self.seconds)
        return "noted"


class Misbehaves(Action, tag="misbehaves"):
    policy: ClassVar[Policy] = Policy(time_limit=timedelta(seconds=1), attempts=2, backoff=QUICK)
    how: str
    book: str = ""

    def run(self) -> object:
        note(self.book)
        match self.how:
            case "raises":
                raise ValueError("no")
            case "exits":
                sys.exit(3)
            case "leaves":
                os._exit(3)
            case "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hangs":
                time.sleep(3600)
            case "hangs-deaf":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    pass
            case "dies-strangely":
                os.kill(os.getpid(), 40)
            case "stops":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "mistakes":
                raise Retry(after=30)  # type: ignore[arg-type]
            case "forks-and-returns":
                child = os.fork()
                if not child:
                    return "the child"
                os.waitpid(child, 0)
                return "the parent"
            case "forks-and-exits":
                child = os.fork()
                if not child:
                    sys.exit(7)
                os.waitpid(child, 0)
                return "the parent"
            case "waits-for-a-command":
                command = subprocess.Popen(["sleep", "3600"])
                note(self.book, str(command.pid))
                command.wait()
            case "babbles":
                for descriptor in range(3, 64):
                    with suppress(OSError):
                        os.write(descriptor, b"\x00\x00\x00\x04what")
                time.sleep(3600)
            case "wanders":
                os.chdir("/")
            case "forks-and-dies":
                for descriptor in range(3, 64):
                    with suppress(OSError):
                        os.set_inheritable(descriptor, True)
                subprocess.Popen(["sleep", "3600"], close_fds=False)
                os._exit(4)
            case "closes-everything":
                os.closerange(3, 256)
                time.sleep(3600)
            case "prints":
                print("noise", flush=True)
                os.write(1, b"more noise\n")
            case "returns-much":
                return "x" * 70_000
            case "returns-nonsense":
                return object()
            case "refuses":
                raise Fail("no such thing")
            case "postpones":
                if this_run().attempt == 1:
                    raise Retry("later", after=timedelta(milliseconds=5))
            case "kills-its-worker":
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(3600)
        return "survived"


class Sums(Action, tag="sums"):
    """Adds up 1 to n, each number a part."""

    policy: ClassVar[Policy] = Policy(attempts=2, backoff=QUICK)
    upto: int
    bad: int = 0
    book: str = ""

    def split(self) -> Iterator[int]:
        return iter(range(1, self.upto + 1))

    def process(self, part: int) -> int:
        note(self.book, f"part {part}")
        if part == self.bad:
            raise ValueError(f"part {part} is bad")
        return part

    def merge(self, results: Iterable[int]) -> dict[str, int]:
        note(self.book, "merge")
        return {"sum": sum(results)}


class Alone(Action, tag="alone"):
    """Says when it begins and ends, so that a test sees how many run at once."""

    policy: ClassVar[Policy] = Policy(concurrency=1)
    book: str

    def run(self) -> None:
        note(self.book, "begin")
        time.sleep(0.02)
        note(self.book, "end")


class TakesDown(Action, tag="takes-down"):
    """Ends the process that watches over its runner, every time."""

    policy: ClassVar[Policy] = Policy(attempts=10)
    book: str = ""

    def run(self) -> None:
        note(self.book)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(3600)


def note(book: str, line: str = "run") -> None:
    if book:
        with Path(book).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
