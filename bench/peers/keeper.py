"""Processes that are started again when they die, as systemd would."""

from __future__ import annotations

import subprocess
import threading
from time import monotonic
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LOOK_SECONDS = 0.02
RESTART_SECONDS = 0.1
"""What `RestartSec` of systemd is if nobody says otherwise."""


class Keeper:
    """Keeps one process for each name until the block is left. What they print goes to `log`."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        fds: Sequence[int] = (),
    ) -> None:
        """Nothing runs yet. `fds`: descriptors that each of them inherits, under the same number."""
        self._commands = commands
        self._log = log
        self._environment = environment
        self._fds = tuple(fds)
        self._lock = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._not_before: dict[str, float] = {}
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def __enter__(self) -> Self:
        """All of them run."""
        with self._lock:
            self._start_all()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()
        with self._lock:
            self._kill_all()

    def pids(self) -> dict[str, int]:
        """Name → process id of those that live now."""
        with self._lock:
            return {name: process.pid for name, process in self._running.items() if process.poll() is None}

    def restart(self) -> None:
        """All of them were killed with SIGKILL, and started again."""
        with self._lock:
            self._kill_all()
            self._start_all()

    def _keep(self) -> None:
        while not self._left.wait(LOOK_SECONDS):
            with self._lock:
                for name, process in self._running.items():
                    if process.poll() is not None:
                        self._not_before.setdefault(name, monotonic() + RESTART_SECONDS)
                for name in [name for name, at in self._not_before.items() if at <= monotonic()]:
                    self._start(name)

    def _start_all(self) -> None:
        for name in self._commands:
            self._start(name)

    def _start(self, name: str) -> None:
        with self._log.open("ab") as log:
            self._running[name] = subprocess.Popen(
                self._commands[name], stdout=log, stderr=log, env=self._environment, pass_fds=self._fds
            )
        self._not_before.pop(name, None)

    def _kill_all(self) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
