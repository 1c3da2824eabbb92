"""LocalService: the local AWS of this clone in the background; it outlives the shell and whatever else started it."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
from typing import TYPE_CHECKING

from infra.local_aws import HOST, START_SECONDS, LocalAws, NotRunning, launch, waited

if TYPE_CHECKING:
    from pathlib import Path

STOP_SECONDS = 10.0


class LocalService:
    """One for each folder: the process that holds the lock there, and answers. No stranger passes for it."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet."""
        self._lock = folder / "lock"
        self._files = folder / "run"
        self.log = self._files / "log"

    def start(self, port: int) -> LocalAws:
        """It runs, and answers: that which ran already, whatever its port, or a new one. Raises NotRunning."""
        if running := self.running():
            return running
        self._clear()
        self._files.mkdir(parents=True)
        aws = LocalAws(port)
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                raise NotRunning(f"port {port} is taken by something else; choose another")
        aws.wait_for(launch(aws, self._files, "--lock", str(self._lock)), self.log)
        return aws

    def running(self) -> LocalAws | None:
        """That which runs. Raises NotRunning if one does but does not answer."""
        if not waited(lambda: (holder := self._holder()) is None or _answers(*holder), START_SECONDS):
            raise NotRunning(f"the local AWS of {self._lock.parent} does not answer; see {self.log}")
        holder = self._holder()
        return LocalAws(holder[1]) if holder else None

    def stop(self) -> None:
        """It does not run, nor anything that it started, and all that was in it is gone. Raises NotRunning."""
        if self.running() and (holder := self._holder()):
            os.killpg(holder[0], signal.SIGKILL)
            if not waited(lambda: self._holder() is None, STOP_SECONDS):
                raise NotRunning(f"process {holder[0]} does not end")
        self._clear()

    def _holder(self) -> tuple[int, int] | None:
        """The process and the port of who holds the lock, as soon as it has said so."""
        try:
            lock = self._lock.open()
        except FileNotFoundError:
            return None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, _, port = lock.read().partition(" ")
                return int(pid or 0), int(port or 0)
        return None

    def _clear(self) -> None:
        """What is left of one that ran here."""
        shutil.rmtree(self._files, ignore_errors=True)


def _answers(pid: int, port: int) -> bool:
    return LocalAws(port).is_process(pid)
