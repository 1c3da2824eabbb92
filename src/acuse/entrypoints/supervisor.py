"""Starts the processes of the service, starts again the one that dies, and ends them in order."""

from __future__ import annotations

import logging
import math
import os
import socket
import subprocess
import sys
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING

import msgspec

from acuse.adapters.pulse import Pulse
from acuse.domain.errors import Misconfigured
from acuse.entrypoints.process import INTAKE, Orders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from acuse.config import Settings

log = logging.getLogger(__name__)

MODULE = "acuse.entrypoints.process"
LOOK_SECONDS = 0.05
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
LONGEST_PAUSE_AFTER_WORK = 1.0
"""Of one that did its work before it died: something killed it, and those who wait for it should not wait long."""
BACKLOG = 2048
GRACE_SECONDS = 5.0
"""How much longer than its drain a process may take to end before it is killed."""


class Child:
    """One process that is kept running."""

    def __init__(self, name: str, orders: Orders, settings: Settings, age: Callable[[], float]) -> None:
        """Not yet started. `age`: seconds since it last showed that it works."""
        self.name = name
        self._age = age
        self._orders = orders
        self._environment = {**os.environ, **settings.to_environment()}
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = FIRST_PAUSE
        self._started = self._not_before = 0.0

    def keep(self) -> None:
        """It runs, unless it has died so often that it must wait a moment."""
        now = monotonic()
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            lived = now - self._started
            longest = LONGEST_PAUSE_AFTER_WORK if self._age() < lived else LONGEST_PAUSE
            self._pause = FIRST_PAUSE if lived > LONGEST_PAUSE else min(2 * self._pause, longest)
            self._not_before = now + self._pause
            log.warning("process ended", extra={"process_name": self.name, "code": code, "pause": self._pause})
            self._process = None
        if now < self._not_before:
            return
        try:
            self._start(now)
        except OSError as error:
            self._not_before = now + LONGEST_PAUSE
            log.warning("process not started", extra={"process_name": self.name, "error": str(error)})

    def stop(self) -> None:
        """It has been asked to end."""
        if self._process is not None:
            self._process.terminate()

    def join(self, deadline: float) -> None:
        """It has ended; by force after the deadline."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("process killed", extra={"process_name": self.name})
            self._process.kill()
            self._process.wait()

    def _start(self, now: float) -> None:
        self._started = now
        self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-P", "-m", MODULE, msgspec.json.encode(self._orders).decode()],
            pass_fds=[fd for fd in (self._orders.listen, self._orders.pulse) if fd is not None],
            stdin=subprocess.DEVNULL,
            env=self._environment,
            process_group=0,  # A terminal's interrupt reaches the supervisor alone, which ends the others in order.
        )
        log.info("process started", extra={"process_name": self.name, "pid": self._process.pid})


class Supervisor:
    """Owns the listening sockets, so that a connection made while the API restarts waits instead of failing."""

    def __init__(self, settings: Settings) -> None:
        """Listening, but nothing is started. Raises Misconfigured when an address cannot be had."""
        self._settings = settings
        self._stopped = False
        self._public = _listen(settings.host, settings.port)
        self._ops = _listen(settings.ops_host, settings.ops_port)
        self._pulse = Pulse.create(1 + settings.workers)
        self._ages = Pulse(self._pulse)

    @property
    def public_address(self) -> str:
        """Where the public plane listens."""
        return _address(self._public)

    @property
    def ops_address(self) -> str:
        """Where the ops plane listens."""
        return _address(self._ops)

    def stop(self) -> None:
        """`run` returns soon. Safe in a signal handler."""
        self._stopped = True

    def run(self) -> None:
        """Stopped: the API first, then the workers and the ops plane have drained and ended."""
        api = self._child("api", "api", listen=self._public.fileno())
        ops = self._child("ops", "ops", listen=self._ops.fileno())
        workers = [
            self._child(f"worker-{number}", "worker", place=number) for number in range(1, self._settings.workers + 1)
        ]
        while not self._stopped:
            for child in (api, ops, *workers):
                child.keep()
            sleep(LOOK_SECONDS)
        self._end([api])
        self._end(workers)
        self._end([ops])

    def _child(self, name: str, kind: str, *, place: int = INTAKE, listen: int | None = None) -> Child:
        orders = Orders(kind=kind, parent=os.getpid(), pulse=self._pulse, place=place, listen=listen)
        has_pulse = kind != "ops"
        return Child(name, orders, self._settings, partial(self._ages.age, place) if has_pulse else lambda: math.inf)

    def _end(self, children: Sequence[Child]) -> None:
        for child in children:
            child.stop()
        deadline = monotonic() + self._settings.drain.total_seconds() + GRACE_SECONDS
        for child in children:
            child.join(deadline)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=BACKLOG, family=_family(host))
    except OSError as error:
        raise Misconfigured(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _address(listening: socket.socket) -> str:
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
