"""The HTTP server of both planes."""

from __future__ import annotations

import logging
import math
import resource
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from acuse.application.observing import guarded, ignore
from acuse.domain.event import Observe, Refused
from acuse.entrypoints.api import problems
from acuse.entrypoints.protocol import MAX_PARTING, Protocol
from acuse.entrypoints.refusals import overloaded

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from acuse.config import Settings

log = logging.getLogger(__name__)

SPARE_FILES = 100
"""What a process opens besides its connections."""


async def serve(
    app: Any,
    listening: socket.socket,
    settings: Settings,
    ending: Callable[[], None] = lambda: None,
    observe: Observe = ignore,
) -> None:
    """Serves an ASGI app until SIGTERM; `ending` is called when it has come, before what is under way is waited for."""
    _allow_files(settings.max_connections + MAX_PARTING + SPARE_FILES)
    # Uvicorn raises the signal that ended it once more when it has finished; what follows here is still to be done.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: None)
    await server(app, settings, ending, observe).serve(sockets=[listening])


class Server(uvicorn.Server):
    """Says when it begins to end."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        """`ending` is called once, when no connection is taken any more."""
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """What is under way has been answered, as far as time allows."""
        self._ending()
        await super().shutdown(sockets)


def server(
    app: Any, settings: Settings, ending: Callable[[], None] = lambda: None, observe: Observe = ignore
) -> uvicorn.Server:
    """It listens where it is told when it is run."""
    parting: set[Protocol] = set()
    observe = guarded(observe)

    def turned_away() -> bytes:
        observe(Refused(problems.OVERLOADED.slug, 1))
        return overloaded(settings.retry_after)

    protocol = partial(
        Protocol,
        max_head=settings.max_head,
        head_seconds=settings.body_timeout.total_seconds(),
        answer_timeout=settings.answer_timeout.total_seconds(),
        max_connections=settings.max_connections,
        turned_away=turned_away,
        parting=parting,
    )
    config = uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", protocol),
        lifespan="off",
        ws="none",
        interface="asgi3",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=cast("int", settings.keep_alive.total_seconds()),  # A timer takes fractions.
        timeout_graceful_shutdown=math.ceil(settings.drain.total_seconds()),
    )
    return Server(config, ending)


def _allow_files(count: int) -> None:
    """So many may be open, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # macOS has a lower bound of its own.
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        log.warning("fewer files than connections need", extra={"needed": count, "allowed": soft})
