"""How long the disk takes for what every acknowledged request waits for."""

from __future__ import annotations

import fcntl
import os
import sys
from tempfile import NamedTemporaryFile
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4_096
MOST = 500
SECONDS = 1.0


def sync_times(place: Path) -> list[float]:
    """Seconds for each of some pages to be written and on disk, one after the other."""
    with NamedTemporaryFile(prefix=".acuse-bench-", dir=place, buffering=0) as file:
        found: list[float] = []
        ends = perf_counter() + SECONDS
        while len(found) < MOST and (not found or perf_counter() < ends):
            began = perf_counter()
            file.write(os.urandom(PAGE))
            _sync(file.fileno())
            found.append(perf_counter() - began)
        return found


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # As SQLite does it here.
    else:
        os.fsync(descriptor)
