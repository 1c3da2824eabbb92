"""One run: clients and a gremlin at a subject, until time is up and all of it has ended."""

from __future__ import annotations

import time
from random import Random
from threading import Event
from typing import TYPE_CHECKING

from tests.torture.audit import audit
from tests.torture.client import Client
from tests.torture.gremlin import Gremlin
from tests.torture.ledger import Ledger
from tests.torture.report import Report, report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.torture.schedule import Fault
    from tests.torture.subject import Subject

LOOK_SECONDS = 0.2


def torment(
    subject: Subject,
    *,
    seed: int,
    seconds: float,
    faults: Sequence[Fault],
    clients: int = 6,
    pace: float = 0.03,
    drain: float = 60.0,
    replays: bool = True,
) -> Report:
    """What came of it. `drain`: how long the rest may take to end when all is quiet. `replays`: then all is sent again.

    The seed fixes what each client sends; not what the processes make of it.
    """
    random = Random(seed)
    ledger, stop = Ledger(), Event()
    gremlin = Gremlin(subject, faults, lambda: len(ledger))
    began = time.monotonic()
    threads = [Client(subject.url, ledger, Random(random.random()), stop, pace=pace) for _ in range(clients)]
    for thread in [*threads, gremlin]:
        thread.start()
    gremlin.join()
    stop.wait(max(0.0, began + seconds - time.monotonic()))
    stop.set()
    for thread in threads:
        thread.join()
    if gremlin.failure is not None:
        raise gremlin.failure
    struck = time.monotonic() - began
    _drain(subject, drain)
    kept = subject.kept()
    acknowledged = ledger.acknowledged
    if replays:
        threads[0].replay([one.members for one in acknowledged.values()])
    return report(
        seed=seed,
        seconds=struck,
        ledger=ledger,
        strikes=gremlin.strikes,
        endings=subject.endings(),
        runs=subject.runs(),
        findings=audit(ledger.sent, acknowledged, kept),
        breaches=[*ledger.breaches, *subject.damage()],
    )


def _drain(subject: Subject, seconds: float) -> None:
    """All has ended; or nothing did for so long, and the audit will tell."""
    pause = Event()
    left, deadline = subject.waiting(), time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        pause.wait(LOOK_SECONDS)
        before, left = left, subject.waiting()
        if left < before:
            deadline = time.monotonic() + seconds
