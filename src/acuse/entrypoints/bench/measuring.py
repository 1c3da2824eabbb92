"""Each way to send requests, against a service of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.entrypoints.bench.figures import Figures, figures
from acuse.entrypoints.bench.interruption import run
from acuse.entrypoints.bench.load import Load, Way
from acuse.entrypoints.bench.stage import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from acuse.config import Settings

MANY = 1_000
"""Requests in one body."""
PATIENCE = 30.0
"""Seconds until the first worker must have begun, and beside those of the load until all must have ended."""


def measured(
    settings: Settings,
    place: Path,
    request: Mapping[str, object],
    seconds: float,
    connections: int,
    tell: Callable[[str], None],
) -> Iterator[tuple[str, Figures]]:
    """Each way by its name, with what came of it. `tell`: what is being done."""
    singly = Way(name="singly", connections=connections)
    streams = max(settings.max_streams // 2, 1)  # One is counted for a moment after it was answered.
    in_bulk = Way(name="in bulk", connections=min(connections, streams), items=MANY)
    for way in (singly, in_bulk):
        yield way.name, _measured(way, settings, place, request, seconds, tell)


def _measured(
    way: Way,
    settings: Settings,
    place: Path,
    request: Mapping[str, object],
    seconds: float,
    tell: Callable[[str], None],
) -> Figures:
    tell(f"{way.name}: the service starts")
    with staged(settings, place) as stage:
        load = Load(stage.url, request, lambda number: tell(f"{way.name}: {number:,} accepted"))
        run(load.run(Way(name=way.name, connections=way.connections), 0))
        stage.await_work(PATIENCE)
        taken = run(load.run(way, seconds))
        tell(f"{way.name}: {len(taken.accepted):,} accepted; until all have ended")
        stage.await_end(seconds + PATIENCE)
        tell(f"{way.name}: the records are read")
        return figures(taken.accepted, taken.took, taken.seconds, taken.refused, stage.records())
