"""The backlog for machines that watch, read so seldom that they cannot load the store."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.backlog import Backlog
from acuse.domain.errors import AcuseError
from acuse.entrypoints.ops.shared import Shared

if TYPE_CHECKING:
    from acuse.entrypoints.ops.sources import Sources

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that who asks waits; Prometheus itself waits for ten."""
LONGEST_REST_SECONDS = 60.0
"""A store that was away, or a machine that stood still, must not be told of for long after."""


class Seen(msgspec.Struct, frozen=True):
    """The backlog at that moment; None: it could not be read."""

    at: datetime
    backlog: Backlog | None


class Backlogs:
    """What is seen of the backlog, for all who ask."""

    def __init__(self, sources: Sources) -> None:
        """Nothing is looked at yet."""
        self._sources = sources
        self._shared = Shared(partial(_looked, sources), longest_rest=LONGEST_REST_SECONDS)

    async def seen(self) -> Seen:
        """What was seen a moment ago, or now. A look that takes too long for who asks serves those who come later."""
        return await self._shared.seen(PATIENCE) or Seen(self._sources.clock.now(), None)

    async def answers(self) -> bool:
        """Whether it could be read."""
        return (await self.seen()).backlog is not None


def _looked(sources: Sources) -> Seen:
    backlog: Backlog | None = None
    try:
        backlog = sources.overview.backlog()
    except AcuseError as error:
        log.warning("the backlog was not seen", extra={"error": str(error)})
    except Exception:
        log.exception("the backlog was not seen")
    return Seen(sources.clock.now(), backlog)
