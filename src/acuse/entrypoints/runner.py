"""A runner process: takes tasks from its worker, one at a time, and performs them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from acuse.adapters.channel import Channel, Closed, Ready
from acuse.application.perform import perform
from acuse.bootstrap import configure_logging, load_catalogue, part_results, run_limits
from acuse.config import Settings
from acuse.domain.task import Task

if TYPE_CHECKING:
    from acuse.application.actions import Catalogue


def main() -> None:
    """Ends, with all that it started, when its worker is gone."""
    channel, lifeline = int(sys.argv[1]), int(sys.argv[2])
    threading.Thread(target=_end_with_worker, args=(lifeline,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = Settings.from_environment(os.environ)
    configure_logging(settings)
    catalogue = load_catalogue(settings.actions)
    try:
        serve(Channel(socket.socket(fileno=channel)), catalogue, settings)
    except Closed:
        os.killpg(0, signal.SIGKILL)


def serve(channel: Channel, catalogue: Catalogue, settings: Settings) -> None:
    """Performs task after task; raises Closed when the worker has gone."""
    results = part_results(settings)
    limits = run_limits(settings)
    runner = os.getpid()
    channel.send(Ready())
    while True:
        task = channel.receive(None)
        if not isinstance(task, Task):
            raise Closed
        outcome = perform(task, catalogue, results, limits)
        if os.getpid() != runner:
            os._exit(0)  # A process that the run forked has come back from it; it has nothing to report.
        channel.send(outcome)


def _end_with_worker(lifeline: int) -> None:
    """The other end of the lifeline is the worker's alone: it closes when the worker is gone, however it went."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
