"""A service of its own, over a folder that is gone when the block is left."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from acuse.bootstrap import Service
from acuse.domain.errors import Unavailable
from acuse.domain.listing import Filter
from acuse.entrypoints.api.target import PATH
from acuse.entrypoints.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from acuse.config import Settings
    from acuse.domain.backlog import Load
    from acuse.domain.record import Record

LOOPBACK = "127.0.0.1"
DRAIN = timedelta(seconds=1)
"""Nobody misses what is cut off."""
LOOK_SECONDS = 0.05
PAGE = 1_000


class Stage(NamedTuple):
    """Where the service listens, and what it keeps."""

    url: str
    service: Service

    def await_work(self, patience: float) -> None:
        """Its workers have begun with what was sent. Raises Unavailable when they have not after so many seconds."""
        if not self._await(lambda load: load.running > 0 or not _open(load), patience):
            raise Unavailable(f"no worker has begun with anything after {patience:g} s")

    def await_end(self, patience: float) -> None:
        """All that was sent has ended, or so many seconds have passed."""
        self._await(lambda load: not _open(load), patience)

    def records(self) -> Iterator[Record]:
        """All there are."""
        after: str | None = None
        while True:
            page = self.service.overview.find(Filter(), PAGE, after)
            yield from page.records
            if page.next is None:
                return
            after = page.next

    def _await(self, is_so: Callable[[Load], bool], patience: float) -> bool:
        deadline = time.monotonic() + patience
        while not is_so(self.service.overview.backlog().total):
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True


@contextmanager
def staged(settings: Settings, place: Path) -> Iterator[Stage]:
    """The service runs, with these settings but for where it listens and what it keeps."""
    with TemporaryDirectory(prefix=".acuse-bench-", dir=place) as folder:
        own = msgspec.structs.replace(
            settings, store="sqlite", queue="", data=Path(folder), host=LOOPBACK, port=0, ops_host=LOOPBACK, ops_port=0,
            rate=0, drain=DRAIN, log_level="ERROR",  # What fails is counted, and would be thousands of lines.
        )  # fmt: skip
        service = Service(own)
        _ = service.catalogue, service.store  # What cannot be loaded or made is said here.
        supervisor = Supervisor(own)
        # Its processes end with this one, however that ends.
        thread = Thread(target=supervisor.run, name="acuse-supervisor")
        thread.start()
        try:
            yield Stage(supervisor.public_address + PATH, service)
        finally:
            supervisor.stop()
            thread.join()


def _open(load: Load) -> int:
    return load.waiting + load.delayed + load.running
