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

from acuse.adapters.metrics import cells
from acuse.adapters.pulse import Pulse
from acuse.domain.errors import Misconfigured
from acuse.entrypoints.orders import DRAINING, INTAKE, Orders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
            pass_fds=self._orders.descriptors(),
            stdin=subprocess.DEVNULL,
            env=self._environment,
            process_group=0,  # A terminal's interrupt reaches the supervisor alone, which ends the others in order.
        )
        log.info("process started", extra={"process_name": self.name, "pid": self._process.pid})


class Supervisor:
    """Owns the listening sockets, so that a connection made while the API restarts waits instead of failing."""

    def __init__(self, settings: Settings, *, takes_in: bool = True) -> None:
        """Listening, but nothing is started. Raises Misconfigured when an address cannot be had.

        `takes_in`: whether there is a public plane; else only the workers and the ops plane.
        """
        self._settings = settings
        self._stopped = False
        self._public = listen(settings.host, settings.port) if takes_in else None
        self._ops = listen(settings.ops_host, settings.ops_port)
        self._pulse = Pulse.create(INTAKE + 1 + settings.workers)
        self._pulses = Pulse(self._pulse)
        self._counted: dict[str, int] = {}

    @property
    def public_address(self) -> str:
        """Where the public plane listens, if there is one."""
        return address(self._public) if self._public is not None else ""

    @property
    def ops_address(self) -> str:
        """Where the ops plane listens."""
        return address(self._ops)

    def stop(self) -> None:
        """`run` returns soon. Safe in a signal handler."""
        self._stopped = True

    def run(self) -> None:
        """Stopped: the API first, then the workers have drained and ended; last the ops plane, which tells of it."""
        places = {f"worker-{number}": INTAKE + number for number in range(1, self._settings.workers + 1)}
        intake = [] if self._public is None else [self._counting("api", "api", INTAKE, self._public)]
        workers = [self._counting(name, "worker", place) for name, place in places.items()]
        ops = self._watching({"intake": INTAKE, **places} if intake else places)
        while not self._stopped:
            for child in (*intake, ops, *workers):
                child.keep()
            sleep(LOOK_SECONDS)
        self._pulses.beat(DRAINING)
        self._end(intake)
        self._end(workers)
        self._end([ops])

    def _counting(self, name: str, kind: str, place: int, listening: socket.socket | None = None) -> Child:
        """What it counts outlives it: the next one at its place counts on."""
        counts = self._counted[name] = cells.create()
        listen = None if listening is None else listening.fileno()
        orders = Orders(kind=kind, parent=os.getpid(), pulse=self._pulse, place=place, counts=counts, listen=listen)
        return Child(name, orders, self._settings, partial(self._pulses.age, place))

    def _watching(self, watched: Mapping[str, int]) -> Child:
        orders = Orders(
            kind="ops",
            parent=os.getpid(),
            pulse=self._pulse,
            listen=self._ops.fileno(),
            watched=watched,
            counted=self._counted,
        )
        return Child("ops", orders, self._settings, lambda: math.inf)

    def _end(self, children: Sequence[Child]) -> None:
        for child in children:
            child.stop()
        deadline = monotonic() + self._settings.drain.total_seconds() + GRACE_SECONDS
        for child in children:
            child.join(deadline)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises Misconfigured when the address cannot be had."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG, family=_family(host))
    except OSError as error:
        raise Misconfigured(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def address(listening: socket.socket) -> str:
    """Its URL."""
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
