"""The worker's side of a runner: a process of its own, started, fed, and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from acuse.adapters.channel import CUT_OFF, Channel, Closed, Over, Ready, Spent
from acuse.domain.errors import RunnerUnavailable
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from acuse.domain.task import Task

MODULE = "acuse.entrypoints.runner"
START_SECONDS = 60.0


class ProcessRunner:
    """See Runner. The process is started when it is first needed, and again after it is gone. For one thread."""

    def __init__(self, environment: Mapping[str, str], *, parting: timedelta | None = None) -> None:
        """`environment`: what the process reads its settings from; `parting`: how long it may take to end in order."""
        self._environment = dict(environment)
        self._parting = parting
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._lifeline: int | None = None
        self._is_spent = False

    def ready(self) -> None:
        """See Runner."""
        if not self._is_alive():
            self._start()

    def begin(self, task: Task) -> None:
        """See Runner."""
        for _ in range(2):
            self.ready()
            with contextlib.suppress(Closed):
                self._running.send(task)
                return
            self.kill()
        raise RunnerUnavailable("the runner's process takes no task")

    def outcome(self, wait: timedelta) -> Outcome | None:
        """See Runner. A process that is gone ends its task as crashed."""
        try:
            message = self._running.receive(wait.total_seconds())
            if isinstance(message, Spent):
                self._is_spent = True
                message = self._running.receive(wait.total_seconds())
        except Closed:
            return Again(Failure(Reason.CRASHED, self._epitaph()))
        if isinstance(message, Done | Planned | Again | Failed):
            if self._is_spent:
                self.kill()
            return message
        # A process that the run forked may hold the channel open after the runner itself is gone.
        return None if self._is_alive() else Again(Failure(Reason.CRASHED, self._epitaph()))

    def kill(self) -> None:
        """See Runner."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._lifeline is not None:
            os.close(self._lifeline)
        self._channel = self._process = self._lifeline = None
        self._is_spent = False

    def end(self) -> None:
        """See Runner."""
        if self._parting is not None and self._process is not None and self._channel is not None:
            with contextlib.suppress(Closed, subprocess.TimeoutExpired):
                self._channel.send(Over())
                self._process.wait(self._parting.total_seconds())
        self.kill()

    @property
    def _running(self) -> Channel:
        if self._channel is None:
            raise RunnerUnavailable("no process was started")
        return self._channel

    def _start(self) -> None:
        self.kill()
        try:
            ours, theirs = socket.socketpair()
            self._channel = Channel(ours)
            lifeline, self._lifeline = os.pipe()
            try:
                self._process = self._spawn(theirs.fileno(), lifeline)
            finally:
                theirs.close()
                os.close(lifeline)
            is_ready = isinstance(self._channel.receive(START_SECONDS), Ready)
        except (Closed, OSError):
            is_ready = False
        if not is_ready:
            self.kill()
            raise RunnerUnavailable("the runner's process cannot be started")

    def _spawn(self, channel: int, lifeline: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-P", "-m", MODULE, str(channel), str(lifeline)],
            pass_fds=[channel, lifeline],
            stdin=subprocess.DEVNULL,
            stdout=2,
            start_new_session=True,
            env=self._environment,
        )

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
        if code is None or code == CUT_OFF:
            return "the run cut its process off from the worker"
        if code >= 0:
            return f"the process of the run ended with code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            return f"the process of the run was killed by signal {-code}"
        because = " by the system, which may have been out of memory, or by someone" if -code == signal.SIGKILL else ""
        return f"the process of the run was killed by {name}{because}"
