"""A runner process: takes tasks from its worker, one at a time, and performs them."""

from __future__ import annotations

import faulthandler
import fcntl
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from acuse.adapters.channel import CUT_OFF, Channel, Closed, Over, Ready, Spent
from acuse.adapters.footing import Footing
from acuse.application.perform import perform
from acuse.bootstrap import load_catalogue, part_results, run_limits, tracing_of
from acuse.config import Settings
from acuse.domain.task import Task
from acuse.entrypoints.logs import UnderWay, configure_logging

if TYPE_CHECKING:
    from acuse.adapters.tracing import Tracing
    from acuse.application.actions import Catalogue

log = logging.getLogger("acuse.entrypoints.runner")

OOM_SCORE = 500
"""Of 1,000. A system out of memory takes a run first, and the API and the workers only after all runs."""
PARTING_SECONDS = 0.5
"""How long after its channel a worker that ends may still seem to be there."""


def main() -> None:
    """Ends, with all that it started, when its worker is gone."""
    channel, lifeline = int(sys.argv[1]), int(sys.argv[2])
    worker = os.getppid()
    for descriptor in (channel, lifeline):
        os.set_inheritable(descriptor, False)
    end_with_worker(lifeline)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = Settings.from_environment(os.environ)
    under_way = UnderWay()
    configure_logging(settings, under_way)
    be_first_to_go()
    bound_memory(settings.max_memory)
    tracing = tracing_of(settings)
    catalogue = load_catalogue(settings.actions)
    if tracing is not None:
        tracing.adopt()
    try:
        serve(Channel(socket.socket(fileno=channel)), catalogue, settings, under_way, tracing)
    except Closed:
        _end(worker)
    if tracing is not None:
        tracing.close()
    os._exit(0)


def serve(
    channel: Channel, catalogue: Catalogue, settings: Settings, under_way: UnderWay, tracing: Tracing | None = None
) -> None:
    """Performs task after task, until no other follows; raises Closed when the worker has gone."""
    results = part_results(settings)
    limits = run_limits(settings)
    runner = os.getpid()
    footing = Footing(settings.max_memory)
    channel.send(Ready())
    while True:
        task = channel.receive(None)
        if isinstance(task, Over):
            return
        if not isinstance(task, Task):
            raise Closed
        under_way.task = task
        with nullcontext() if tracing is None else tracing.below(task.traceparent):
            outcome = perform(task, catalogue, results, limits)
        if os.getpid() != runner:
            os._exit(0)  # A process that the run forked has come back from it; it has nothing to report.
        if left := footing.restore():
            log.warning("runner replaced", extra={"because": left})
            channel.send(Spent())
        channel.send(outcome)


def end_with_worker(lifeline: int) -> None:
    """The process group is killed when the other end of the lifeline closes, which the worker alone holds."""
    threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
    if sys.platform == "linux":
        # That thread cannot do it while the run keeps the interpreter to itself, or is stopped; the kernel can.
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def be_first_to_go() -> None:
    """A system that is out of memory kills this process rather than others (Linux)."""
    score = Path("/proc/self/oom_score_adj")
    with suppress(OSError, ValueError):
        if int(score.read_text()) < OOM_SCORE:
            score.write_text(str(OOM_SCORE))


def bound_memory(most: int) -> None:
    """The process, and each that it starts, gets at most so many bytes of data (Linux); 0: no bound."""
    before, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if most and (before == resource.RLIM_INFINITY or most < before):
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _watch(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def _end(worker: int) -> None:
    """Ended: with the group if the worker is gone; else by a code that tells the worker, which kills the group."""
    deadline = time.monotonic() + PARTING_SECONDS
    while os.getppid() == worker and time.monotonic() < deadline:
        time.sleep(0.01)
    if os.getppid() == worker:
        os._exit(CUT_OFF)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
