"""The processes that `acuse serve` consists of: `python -m acuse.entrypoints.process KIND …`."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import msgspec
import uvloop

from acuse.adapters.lifeline import die_with_parent
from acuse.adapters.pulse import Pulse
from acuse.application.observing import ignore
from acuse.bootstrap import Service
from acuse.config import Settings
from acuse.entrypoints.api.app import Api
from acuse.entrypoints.api.traced import Traced
from acuse.entrypoints.counted import counting_intake, counting_work
from acuse.entrypoints.logs import configure_logging
from acuse.entrypoints.orders import DRAINING, Orders
from acuse.entrypoints.server import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from acuse.domain.event import Observe

SWITCH_SECONDS = 0.0005
"""The thread that stores waits at most so long for the one that reads; Python's own 5 ms are longer than a commit."""


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
        run_worker(service, beat, counting_work(orders.counts, service.catalogue))
    elif orders.listen is not None:
        listening = socket.socket(fileno=orders.listen)
        if orders.kind == "api":
            uvloop.run(serve_api(service, listening, beat, counting_intake(orders.counts, service.catalogue)))
        else:
            # The others need not wait for what only this one imports.
            from acuse.entrypoints.ops.backlogs import Backlogs  # noqa: PLC0415
            from acuse.entrypoints.ops.health import Health  # noqa: PLC0415
            from acuse.entrypoints.ops.plane import serve_ops  # noqa: PLC0415

            health = Health(
                lambda: {name: pulse.age(place) for name, place in orders.watched.items()},
                is_draining=lambda: pulse.has_beaten(DRAINING),
            )
            uvloop.run(serve_ops(service, listening, Backlogs(service), health, orders.counted))
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


if __name__ == "__main__":
    main()
