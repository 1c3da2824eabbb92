"""The processes that `acuse serve` consists of: `python -m acuse.entrypoints.process KIND …`."""

from __future__ import annotations

import logging
import math
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast

import msgspec
import uvicorn
import uvloop

from acuse.adapters.lifeline import die_with_parent
from acuse.adapters.pulse import Pulse
from acuse.application.observing import guarded, ignore
from acuse.bootstrap import Service, load_catalogue
from acuse.config import Settings
from acuse.domain.event import Observe, Refused
from acuse.entrypoints.api import problems
from acuse.entrypoints.api.app import Api
from acuse.entrypoints.api.openapi import text
from acuse.entrypoints.api.traced import Traced
from acuse.entrypoints.logs import configure_logging
from acuse.entrypoints.ops.app import ops_app
from acuse.entrypoints.protocol import MAX_PARTING, Protocol
from acuse.entrypoints.refusals import overloaded

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

log = logging.getLogger(__name__)

SPARE_FILES = 100
"""What a process opens besides its connections."""

INTAKE = 0
"""The intake's place among the pulses; the workers have the places from 1 on."""


SWITCH_SECONDS = 0.0005
"""The thread that stores waits at most so long for the one that reads; Python's own 5 ms are longer than a commit."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is told by the one that starts it. Descriptors are inherited."""

    kind: str
    parent: int
    pulse: int
    place: int = INTAKE
    listen: int | None = None


def main() -> None:
    """Does what the orders on the command line say, until SIGTERM or the end of its parent."""
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    die_with_parent(orders.parent, signal.SIGTERM)
    settings = Settings.from_environment(os.environ)
    configure_logging(settings)
    service = Service(settings, anew=False)  # Who started it has made what was not there; what is gone since is missed.
    pulse = Pulse(orders.pulse)
    beat = partial(pulse.beat, orders.place)
    if orders.kind == "worker":
        run_worker(service, beat)
    elif orders.listen is not None:
        listening = socket.socket(fileno=orders.listen)
        if orders.kind == "api":
            uvloop.run(serve_api(service, listening, beat))
        else:
            uvloop.run(serve_ops(service, listening, pulse))
    end_process()


def end_process() -> NoReturn:
    """Ended, in order; a thread that a module of actions has left behind cannot prevent it."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def run_worker(service: Service, polled: Callable[[], None], observe: Observe = ignore) -> None:
    """Works until SIGTERM, then drains."""
    worker = service.worker(polled, observe)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    signal.signal(signal.SIGINT, lambda *_: worker.stop())
    worker.run()
    service.close()


async def serve_api(
    service: Service, listening: socket.socket, committed: Callable[[], None], observe: Observe = ignore
) -> None:
    """Serves the public plane until SIGTERM; then answers what it has begun to read, and stores what it took in."""
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = service.settings
    api = Api(service.store, service.keyring, service.clock, service.catalogue, settings, committed, observe=observe)
    api.start()
    app = api if service.tracing is None else Traced(api, service.tracing)
    await serve(app, listening, settings, api.hurry, observe)
    api.close()
    service.close()


async def serve_ops(service: Service, listening: socket.socket, pulse: Pulse) -> None:
    """Serves the ops plane until SIGTERM."""
    settings = service.settings
    places = {"intake": INTAKE, **{f"worker-{number}": number for number in range(1, settings.workers + 1)}}
    app = ops_app(
        service,
        lambda: {name: pulse.age(place) for name, place in places.items()},
        lambda: text(load_catalogue(settings.actions), settings),
    )
    await serve(app, listening, settings)


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
    signal.signal(signal.SIGTERM, lambda *_: None)
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
    """The HTTP server of both planes; it listens where it is told when it is run."""
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


if __name__ == "__main__":
    main()
