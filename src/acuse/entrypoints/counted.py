"""Who counts what comes to pass in a process of the service, and which series it begins with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from acuse.adapters.metrics.cells import Cells
from acuse.adapters.metrics.counting import Counting
from acuse.adapters.metrics.metric import (
    ACCEPTED,
    ATTEMPTS,
    COMMIT_DURATION,
    COMMIT_REQUESTS,
    ENDED,
    LEASES_LOST,
    REFUSED,
    REPLAYED,
    REQUEST_DURATION,
    RUN_DURATION,
)
from acuse.application.observing import ignore
from acuse.domain.record import Reason, Status
from acuse.domain.task import Step
from acuse.entrypoints.api.problems import PROBLEMS

if TYPE_CHECKING:
    from acuse.application.actions import Catalogue
    from acuse.domain.event import Observe


log = logging.getLogger(__name__)

OUTCOMES = (Status.FINISHED.value, *(reason.value for reason in Reason))
OUTCOMES_OF_RUNS = (Status.FINISHED.value, Reason.CRASHED.value)
"""Those that are expected: a rule counts crashes. With all there are, each scrape would be several times as long."""


def counting_intake(descriptor: int | None, catalogue: Catalogue) -> Observe:
    """Counts what is taken in and refused; nobody does where there are no cells."""
    counting = _counting(descriptor)
    if counting is None:
        return ignore
    actions = [(action,) for action in catalogue]
    counting.expect(ACCEPTED, actions)
    counting.expect(REPLAYED, actions)
    for alone in (COMMIT_REQUESTS, COMMIT_DURATION):
        counting.expect(alone, [()])
    counting.expect(REFUSED, [(problem.slug,) for problem in PROBLEMS])
    return counting


def counting_work(descriptor: int | None, catalogue: Catalogue) -> Observe:
    """Counts runs and endings; nobody does where there are no cells."""
    counting = _counting(descriptor)
    if counting is None:
        return ignore
    steps = [(action, step) for action in catalogue for step in steps_of(catalogue, action)]
    counting.expect(ATTEMPTS, steps)
    counting.expect(RUN_DURATION, [(action, step, of) for action, step in steps for of in OUTCOMES_OF_RUNS])
    counting.expect(ENDED, [(action, outcome) for action in catalogue for outcome in OUTCOMES])
    counting.expect(REQUEST_DURATION, [(action,) for action in catalogue])
    counting.expect(LEASES_LOST, [()])
    return counting


def steps_of(catalogue: Catalogue, action: str) -> tuple[Step, ...]:
    """The steps that its requests go through."""
    return (Step.SPLIT, Step.PROCESS, Step.MERGE) if catalogue[action].is_split else (Step.RUN,)


def _counting(descriptor: int | None) -> Counting | None:
    try:
        return None if descriptor is None else Counting(Cells(descriptor))
    except OSError as error:
        log.warning("nothing is counted", extra={"error": str(error)})
        return None
