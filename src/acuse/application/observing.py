"""Who is told of events: nobody, or an observer that can break nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acuse.domain.event import Event, Observe

log = logging.getLogger(__name__)


def ignore(_: Event) -> None:
    """Nobody wants to know."""


class Guarded:
    """An observer that never raises: the first error is logged, and those after it are dropped."""

    def __init__(self, observe: Observe) -> None:
        """Nothing has failed yet."""
        self._observe = observe
        self._has_failed = False

    def __call__(self, event: Event) -> None:
        """The observer was told."""
        try:
            self._observe(event)
        except Exception:
            if not self._has_failed:
                self._has_failed = True
                log.exception("an observer failed", extra={"observed": type(event).__name__})


def guarded(observe: Observe) -> Guarded:
    """That observer, so that it can break nothing; one that is guarded stays as it is."""
    return observe if isinstance(observe, Guarded) else Guarded(observe)
