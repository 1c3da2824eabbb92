"""The command that forgets, for good, what ended long ago."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from acuse.entrypoints.moments import moment_before
from acuse.entrypoints.options import Data, Store, service_over
from acuse.entrypoints.steps import SoFar, counted, take_steps

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator
    from datetime import datetime

    from acuse.bootstrap import Service
    from acuse.domain.purged import Purged

STEP, PAUSE = 64, 3
"""Requests and parts at once, and times as long as that took for the others who write to the file."""
TABLE_STEP = 1_000
"""In a table nobody waits for it."""

OlderThan = Annotated[
    str, typer.Option(metavar="AGE", help="How long ago they ended at least: a number and s, m, h or d, as in 90d.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count them and delete nothing.")]


def purge(older_than: OlderThan, dry_run: DryRun = False, data: Data = None, store: Store = None) -> None:  # noqa: FBT002
    """Delete the requests that ended so long ago. Their parts go, too, for good.

    It does not ask. An id that is gone is forgotten: sent again, it is a new request and runs again. So keep requests
    for longer than any client may send one again. The service may run meanwhile, and another purge too; one that
    was stopped is taken up by the next.
    """
    service = service_over(data, store)
    before = moment_before(service.clock.now(), older_than)

    def steps(stopped: threading.Event) -> Generator[SoFar]:
        requests = parts = 0
        for step in _steps(service, before, stopped, dry=dry_run):
            requests, parts = requests + step.requests, parts + step.parts
            yield SoFar(_told(requests, parts, dry=dry_run), is_over=step.next is None)

    take_steps(steps, _told(0, 0, dry=dry_run))


def _steps(service: Service, before: datetime, stopped: threading.Event, *, dry: bool) -> Iterator[Purged]:
    """Each step there is, until it is to stop."""
    limit, pause = (TABLE_STEP, 0) if service.settings.table else (STEP, PAUSE)
    after: str | None = None
    while not stopped.is_set():
        began = time.monotonic()
        step = service.store.purge(before, limit, after, dry=dry)
        took = time.monotonic() - began
        yield step
        after = step.next
        if after is None:
            return
        if not dry and step.requests + step.parts:
            stopped.wait(pause * took)


def _told(requests: int, parts: int, *, dry: bool) -> str:
    return f"{counted(requests, 'request')} and {counted(parts, 'part')} {'would be' if dry else 'are'} gone"
