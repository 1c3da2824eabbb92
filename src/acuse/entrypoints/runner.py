"""A runner process: takes chunks of tasks from its worker and performs them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from acuse.adapters.channel import Channel, Chunk, Closed, Ended, Ready
from acuse.adapters.lifeline import die_with_parent
from acuse.application.perform import perform
from acuse.bootstrap import configure_logging, load_catalogue, part_results, run_limits
from acuse.config import Settings

if TYPE_CHECKING:
    from acuse.application.actions import Catalogue

log = logging.getLogger(__name__)


def main() -> None:
    """Ends when its worker is gone."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    die_with_parent(parent, signal.SIGKILL)
    # A terminal's interrupt is the worker's to handle; the worker ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = Settings.from_environment(os.environ)
    configure_logging(settings)
    catalogue = load_catalogue(settings.actions)
    channel = Channel(socket.socket(fileno=descriptor))
    channel.send(Ready())
    try:
        serve(channel, catalogue, settings)
    except Closed:
        log.debug("the worker is gone")


def serve(channel: Channel, catalogue: Catalogue, settings: Settings) -> None:
    """Performs chunk after chunk; raises Closed when the worker has gone."""
    results = part_results(settings)
    limits = run_limits(settings)
    while True:
        message = channel.receive(None)
        if not isinstance(message, Chunk):
            continue
        for index, task in enumerate(message.tasks):
            if index and channel.receive(0) is not None:
                break
            channel.send(Ended(message.number, index, perform(task, catalogue, results, limits)))


if __name__ == "__main__":
    main()
