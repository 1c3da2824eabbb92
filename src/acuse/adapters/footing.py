"""What the runs of one process share. Each finds it as the first one did, or the process has had its last run."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD = 2
"""The highest descriptor of a standard stream."""
SIGNALS = (signal.SIGALRM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM)
"""A run that leaves one of these handled in its own way can spoil the next."""
LIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_CPU,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_NPROC,
)
STATM = "/proc/self/statm"
STATM_DATA = 5


class Footing:
    """Made once, before the first run, in the main thread."""

    def __init__(self, max_memory: int) -> None:
        """`max_memory`: bytes that the process may take; 0: no bound."""
        self._max_memory = max_memory
        self._folder = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
        self._mask = os.umask(0)
        os.umask(self._mask)
        self._environment = dict(os.environ)
        self._raw_environment = dict(_raw_environment())
        self._handlers = {one: signal.getsignal(one) for one in SIGNALS}
        self._blocked = _blocked()
        self._niceness = os.nice(0)
        self._threads = set(threading.enumerate())
        self._has_children = _has_children()
        self._limits = _limits()
        self._max_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def restore(self) -> str | None:
        """None, and what can be put back is as it was; or why no other run should come here."""
        try:
            os.fchdir(self._folder)
            os.umask(self._mask)
            if _raw_environment() != self._raw_environment:
                os.environ.clear()
                os.environ.update(self._environment)
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            for one, handler in self._handlers.items():
                if handler is not None and signal.getsignal(one) is not handler:
                    signal.signal(one, handler)
            return next(self._left_behind(), None)
        except OSError as error:
            return f"descriptors were closed or are used up: {error}"

    def _left_behind(self) -> Iterator[str]:
        for thread in threading.enumerate():
            if thread not in self._threads and not thread.daemon:
                yield f"the thread {thread.name} goes on"
        if not self._has_children and _has_children():
            yield "a process goes on, or was not waited for"
        if _limits() != self._limits:
            yield "limits of the process were changed"
        if os.nice(0) != self._niceness:
            yield "its priority was changed"
        if _blocked() != self._blocked:
            yield "other signals are blocked"  # One that waits behind the block could end it: it stays there.
        # What is opened takes the lowest number that is free, so that one number tells how many files are open.
        free = os.dup(self._folder)
        os.close(free)
        if free <= STANDARD:
            yield "a standard stream was closed"
        if self._max_files != resource.RLIM_INFINITY and free > self._max_files // 2:
            yield "half of the files that may be open are"
        if self._max_memory and _holds_more_than(self._max_memory // 2):
            yield "half of the memory that a run may take is taken"


def _raw_environment() -> dict[bytes, bytes]:
    """As it is kept: read through `os.environ`, every name would be decoded after every run."""
    raw: dict[bytes, bytes] = vars(os.environ)["_data"]
    return raw


def _limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(one) for one in LIMITS]


def _blocked() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def _has_children() -> bool:
    if not hasattr(os, "waitid"):  # macOS before Python 3.13 cannot look without taking.
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _holds_more_than(size: int) -> bool:
    """Of what counts against RLIMIT_DATA; False where the system does not tell."""
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 <= size:
        return False  # It never did, which is cheaper to ask.
    try:
        return int(Path(STATM).read_bytes().split()[STATM_DATA]) * resource.getpagesize() > size
    except FileNotFoundError:
        return False
