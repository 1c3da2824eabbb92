"""The worker's side of a runner: a process of its own, started, fed, and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from time import monotonic
from typing import TYPE_CHECKING

from acuse.adapters.channel import Channel, Chunk, Closed, Ended, Ready, Withdraw
from acuse.domain.errors import RunnerUnavailable
from acuse.domain.outcome import Again, Outcome
from acuse.domain.record import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from acuse.domain.task import Task

MODULE = "acuse.entrypoints.runner"
START_SECONDS = 60.0


class ProcessRunner:
    """See Runner. The process is started when it is first needed, and again after it is gone. For one thread."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment`: what the process reads its settings from."""
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._number = 0
        self._next = 0

    def start(self, tasks: Sequence[Task]) -> None:
        """See Runner."""
        self._number += 1
        self._next = 0
        for _ in range(2):
            try:
                channel = self._open()
                if tasks:
                    channel.send(Chunk(self._number, list(tasks)))
            except (Closed, OSError):
                self.kill()
            else:
                return
        raise RunnerUnavailable("the runner's process ends as soon as it is started")

    def next(self, wait: timedelta) -> Outcome | None:
        """See Runner. A process that is gone ends its task as crashed."""
        if self._channel is None:
            raise RunnerUnavailable("nothing was started")
        deadline = monotonic() + wait.total_seconds()
        while True:
            try:
                message = self._channel.receive(max(0.0, deadline - monotonic()))
            except Closed:
                return Again(Failure(Reason.CRASHED, self._epitaph()))
            match message:
                case Ended(number=number, index=index, outcome=outcome):
                    # What was withdrawn a moment too late is not waited for by anyone.
                    if number == self._number and index == self._next:
                        self._next += 1
                        return outcome
                case None:
                    # A process that the run forked may hold the channel open after the runner itself is gone.
                    return None if self._is_alive() else Again(Failure(Reason.CRASHED, self._epitaph()))
                case _:
                    pass

    def withdraw(self) -> None:
        """See Runner."""
        if self._channel is not None:
            with contextlib.suppress(Closed):
                self._channel.send(Withdraw())

    def kill(self) -> None:
        """See Runner."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._channel = self._process = None

    def _open(self) -> Channel:
        if self._channel is not None:
            return self._channel
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, "-m", MODULE, str(descriptor), str(os.getpid())],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=2,
                start_new_session=True,
                env=self._environment,
            )
        self._channel = channel = Channel(ours)
        if not isinstance(channel.receive(START_SECONDS), Ready):
            raise Closed
        return channel

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _epitaph(self) -> str:
        """How the process ended."""
        process = self._process
        if process is None:
            return "the process of the run is gone"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        code = process.returncode
        self.kill()
        if code is None:
            return "the run cut its process off from the worker"
        if code < 0:
            return f"the process of the run was killed by {signal.Signals(-code).name}"
        return f"the process of the run exited with code {code}"
