"""Actions that do what none should, each named by what it does. Loaded by file, as an operator would."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from acuse import Action, Policy

MEBI = 1 << 20
KEPT: list[Any] = []
"""What runs leave in the memory of their process."""


class Good(Action, tag="good"):
    """Tells what it finds of the process that it shares with the runs before it, after so many seconds."""

    seconds: float = 0.0

    def run(self) -> dict[str, object]:
        time.sleep(self.seconds)
        free = os.dup(1)
        os.close(free)
        mask = os.umask(0)
        os.umask(mask)
        return {
            "folder": str(Path.cwd()),
            "mask": mask,
            "environment": [os.environ.get("SPOILT"), os.environ.get("ACUSE_DATA")],
            "handlers": [str(signal.getsignal(one)) for one in (signal.SIGPIPE, signal.SIGALRM, signal.SIGCHLD)],
            "timer": signal.getitimer(signal.ITIMER_REAL)[0],
            "threads": [one.name for one in threading.enumerate() if not one.daemon],
            "files": resource.getrlimit(resource.RLIMIT_NOFILE),
            "free": free,
            "niceness": os.nice(0),
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            "inherited": [one for one in range(3, 64) if is_inherited(one)],
            "kept": len(KEPT),
        }


class Bad(Action, tag="bad"):
    policy: ClassVar[Policy] = Policy(time_limit=timedelta(seconds=60), attempts=1)
    how: str

    def run(self) -> object:
        return RUN[self.how]()


class OddError(Exception):
    """Its message is made by the action."""

    def __init__(self, said: Callable[[], str]) -> None:
        self.said = said

    def __str__(self) -> str:
        return self.said()


def is_inherited(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False


def fail(error: BaseException) -> Any:
    raise error


def end(status: int) -> Any:
    os._exit(status)


def kill(signum: int) -> Any:
    os.kill(os.getpid(), signum)
    return fail(AssertionError("still alive"))


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def hoard() -> int:
    return len([bytearray(MEBI) for _ in range(1_000)])


def keep(size: int) -> str:
    KEPT.append(b"x" * size)
    return "kept"


def hoard_in_a_child() -> None:
    subprocess.run([sys.executable, "-c", f"bytearray({1 << 40})"], check=True)


def open_all() -> None:
    while True:
        KEPT.append(os.open(os.devnull, os.O_RDONLY))


def open_half() -> str:
    KEPT.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))
    return "opened"


def fill_the_disk() -> None:
    with Path("/dev/full").open("w") as file:
        file.write("x" * MEBI)


def print_in_every_way() -> str:
    print("a print")
    sys.stdout.flush()
    os.write(1, b"a write\n")
    library = ctypes.CDLL(None)
    library.puts(b"a puts")
    library.fflush(None)
    subprocess.run(["echo", "an echo"], check=True)
    return "printed"


def write_everywhere() -> None:
    for descriptor in range(3, 64):
        with suppress(OSError):
            os.write(descriptor, b"\x00\x00\x00\x04what")


def fork(child: Callable[[], Any]) -> str:
    forked = os.fork()
    if not forked:
        child()
        return "the child"
    os.waitpid(forked, 0)
    return "the parent"


def fork_and_go_on() -> str:
    subprocess.Popen(["sleep", "600"], close_fds=False)
    return "the parent"


def start_a_thread() -> str:
    threading.Thread(target=time.sleep, args=(600,)).start()
    return "started"


def close_everything() -> str:
    os.closerange(3, 256)
    return "closed"


def close_the_standard_streams() -> str:
    os.closerange(0, 3)
    return "closed"


def move() -> str:
    os.chdir("/")
    os.umask(0o777)
    os.environ["SPOILT"] = "yes"
    os.environ["ACUSE_DATA"] = "/nowhere"
    return "moved"


def set_signals() -> str:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    return "set"


def end_later() -> str:
    faulthandler.dump_traceback_later(0.2, exit=True)
    return "later"


def lower_limits() -> str:
    resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
    return "lowered"


def step_back() -> str:
    os.nice(1)
    return "stepped back"


def block_a_signal() -> str:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.raise_signal(signal.SIGTERM)
    return "blocked"


async def leave_a_task() -> str:
    KEPT.append(asyncio.create_task(asyncio.Event().wait()))
    return "left"


async def fail_in_a_task() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(fail, ValueError("in a task")))


def recurse() -> None:
    recurse()


RUN: dict[str, Callable[[], Any]] = {
    "raises": lambda: fail(ValueError("no")),
    "exits": lambda: sys.exit(3),
    "ends": lambda: end(3),
    "ends well": lambda: end(0),
    "interrupts": lambda: fail(KeyboardInterrupt("stop")),
    "closes a generator": lambda: fail(GeneratorExit("closed")),
    "cancels": lambda: fail(asyncio.CancelledError("cancelled")),
    "recurses": recurse,
    "reads nothing": lambda: ctypes.string_at(0),
    "aborts": os.abort,
    "is killed": lambda: kill(signal.SIGKILL),
    "is terminated": lambda: kill(signal.SIGTERM),
    "hoards": hoard,
    "wants a tebibyte": lambda: bytearray(1 << 40),
    "hoards in a child": hoard_in_a_child,
    "keeps": lambda: keep(160 * MEBI),
    "opens all": open_all,
    "opens half": open_half,
    "fills the disk": fill_the_disk,
    "says what fails": lambda: fail(OddError(lambda: fail(SystemExit("within")))),
    "says much": lambda: fail(OddError(lambda: "x" * 10_000_000)),
    "says a surrogate": lambda: fail(OddError(lambda: "\ud800")),
    "says NUL": lambda: fail(OddError(lambda: "a\0b")),
    "has a long name": lambda: fail(type("X" * 10_000, (Exception,), {})()),
    "fails in a task": fail_in_a_task,
    "fills": lambda: "x" * 65_534,
    "overfills": lambda: "x" * 65_535,
    "returns 100 MB": lambda: "x" * 100_000_000,
    "returns 100 MB within": lambda: {"rows": 1, "file": "x" * 100_000_000},
    "returns 1 GB": lambda: "x" * 1_000_000_000,
    "nests": lambda: nested(30),
    "nests deeper": lambda: nested(31),
    "nests without end": lambda: nested(100_000),
    "holds itself": cycle,
    "returns an object": object,
    "returns a generator": lambda: (one for one in range(3)),
    "returns a surrogate": lambda: "\ud800",
    "has a tuple for a name": lambda: {(1, 2): 3},
    "has equal names": lambda: {1: "a", "1": "b"},
    "has equal names in Raw": lambda: msgspec.Raw(b'{"a":1,"a":2}'),
    "returns garbage": lambda: msgspec.Raw(b'{"a":'),
    "returns a surrogate in Raw": lambda: msgspec.Raw(b'"\\ud800"'),
    "returns no number": lambda: [float("nan"), float("inf")],
    "returns a set": lambda: {3},
    "returns bytes": lambda: b"x",
    "has numbers for names": lambda: {1: 2, 2.5: 3},
    "returns a huge number": lambda: [10**200, 1e300],
    "returns lines": lambda: msgspec.Raw(b'{\n"a":\r\n1 }\n'),
    "prints": print_in_every_way,
    "writes everywhere": write_everywhere,
    "reads": input,
    "forks": lambda: fork(lambda: None),
    "forks and exits": lambda: fork(sys.exit),
    "forks and fails": lambda: fork(recurse),
    "forks and goes on": fork_and_go_on,
    "starts a thread": start_a_thread,
    "closes everything": close_everything,
    "closes the standard streams": close_the_standard_streams,
    "moves": move,
    "sets signals": set_signals,
    "ends later": end_later,
    "lowers limits": lower_limits,
    "steps back": step_back,
    "blocks a signal": block_a_signal,
    "leaves a task": leave_a_task,
}
