"""What Prometheus reads."""

from __future__ import annotations

import asyncio
import logging
from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from acuse.adapters.metrics import cells
from acuse.adapters.metrics.exposition import Exposition
from acuse.adapters.metrics.gauges import gauges_of
from acuse.adapters.metrics.metric import BUILD_INFO, READY, STORE_UP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.requests import Request

    from acuse.adapters.metrics.exposition import Gauges
    from acuse.entrypoints.ops.backlogs import Backlogs
    from acuse.entrypoints.ops.health import Health

log = logging.getLogger(__name__)


class Metrics:
    """What every process has counted, and what is so now; what cannot be had is left out, and the rest is there."""

    def __init__(self, counts: Mapping[str, int], backlogs: Backlogs, health: Health) -> None:
        """`counts`: the cells in which each process counts, by its name."""
        self._counts = counts
        self._backlogs = backlogs
        self._health = health
        self._version = version("acuse")

    def route(self) -> Route:
        """Where they are."""
        return Route("/metrics", self._answer)

    async def _answer(self, request: Request) -> Response:
        gauges: Gauges = {(BUILD_INFO.name, (self._version,)): 1.0}
        gauges |= {(READY.name, (name,)): float(passed) for name, passed in (await self._health.checks()).items()}
        seen = await self._backlogs.seen()
        gauges[STORE_UP.name, ()] = float(seen.backlog is not None)
        if seen.backlog is not None:
            gauges |= gauges_of(seen.backlog, seen.at)
        accept = ",".join(request.headers.getlist("accept"))
        text, media_type = await asyncio.to_thread(self._text, gauges, accept)
        return Response(text, headers={"content-type": media_type})

    def _text(self, gauges: Gauges, accept: str) -> tuple[bytes, str]:
        return Exposition(self._counted(), gauges).text(accept)

    def _counted(self) -> Iterator[Mapping[bytes, Sequence[float]]]:
        for name, descriptor in self._counts.items():
            try:
                yield cells.read(descriptor)
            except cells.Damaged as damage:
                log.warning("counts were not read", extra={"process_name": name, "error": str(damage)})
