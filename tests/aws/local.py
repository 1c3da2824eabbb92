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

from infra.local_aws import HOST, launch
from infra.local_aws import LocalAws as Running

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
        self._clock = folder / "clock"
        self.time = time.time()
        self.pass_time(0.0)
        if still:
            settings[STILL_CLOCK] = str(self._clock)
        self._process = launch(self, folder, "--parent", str(os.getpid()), module=__name__, settings=settings)
        atexit.register(self.stop)
        self.wait_for(self._process, folder / "log")

    def pass_time(self, seconds: float) -> None:
        """For the queues it is so much later. Only where they stand still."""
        self.time += seconds + ROUNDING
        self._clock.write_bytes(TIME.pack(self.time))

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


def main() -> None:
    if path := os.environ.get(STILL_CLOCK):
        from ministack.services import sqs  # noqa: PLC0415  (reads the environment when it is imported)

        sqs.time = _StillTime(path)
    from infra import local_server  # noqa: PLC0415

    local_server.main()


if __name__ == "__main__":
    main()
