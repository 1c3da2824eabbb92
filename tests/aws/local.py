"""A local AWS for the tests of one process. Its queues may go by a clock that only the tests move."""

from __future__ import annotations

import atexit
import os
import socket
import struct
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from infra.local_aws import HOST, launch
from infra.local_aws import LocalAws as Running

from infra import local_server

STILL_CLOCK = "STILL_CLOCK"
"""Names the file with the time that the queues of this local AWS go by."""
TIME = struct.Struct("d")
ROUNDING = 1e-6
"""Sums of floats may fall short of what they are compared with."""


class LocalAws(Running):
    """Started when made; it ends with this process."""

    def __init__(self, *, still: bool, **settings: str) -> None:
        with socket.create_server((HOST, 0)) as free:
            super().__init__(free.getsockname()[1])
        self._folder = tempfile.TemporaryDirectory(prefix="acuse-aws-")
        folder = Path(self._folder.name)
        self.log = folder / "log"
        self._clock = folder / "clock"
        self.time = time.time()
        self.pass_time(0.0)
        if still:
            settings[STILL_CLOCK] = str(self._clock)
        self._process = launch(self, folder, "--parent", str(os.getpid()), module=__name__, settings=settings)
        atexit.register(self.stop)
        self.wait_for(self._process, self.log)

    def pass_time(self, seconds: float) -> None:
        """For the queues it is so much later. Only where they stand still."""
        self.time += seconds + ROUNDING
        later = self._clock.with_suffix(".later")
        later.write_bytes(TIME.pack(self.time))
        later.rename(self._clock)

    def has_denied(self, role: str, action: str) -> bool:
        """Whether it has refused that action to a role with this in its name. It asks only with AUTH="true"."""
        return any(role in line and line.endswith(f" {action}") for line in self.log.read_text().splitlines())

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


@cache
def local_aws(*, still: bool = False) -> LocalAws:
    """One for all the tests of this process: one with its own time, and one whose queues stand still."""
    return LocalAws(still=still)


class _StillTime:
    """Stands for the module `time` in the local AWS's queues."""

    def __init__(self, path: str) -> None:
        self._path = path

    def time(self) -> float:
        with open(self._path, "rb") as file:  # noqa: PTH123  (called for every message)
            return float(TIME.unpack(file.read())[0])


def _tell_denials(iam_actions: Any) -> None:
    """In its log, as soon as it refuses something."""
    refuse = iam_actions.access_denied_response

    def refused(service: str, action: str, principal: str, *more: Any, **options: Any) -> Any:
        print("refused", principal, action, flush=True)
        return refuse(service, action, principal, *more, **options)

    iam_actions.access_denied_response = refused


def main() -> None:
    from ministack.core import iam_actions  # noqa: PLC0415  (reads the environment when it is imported)
    from ministack.services import sqs  # noqa: PLC0415  (the same)

    _tell_denials(iam_actions)
    if path := os.environ.get(STILL_CLOCK):
        sqs.time = _StillTime(path)
    local_server.main()


if __name__ == "__main__":
    main()
