"""Whether what a message asks for may be run here and now."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from acuse.domain.errors import StoreUnavailable
from acuse.domain.subject import subject

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from acuse.adapters.aws.message import Message
    from acuse.adapters.aws.permits import Permits
    from acuse.ports import Clock

log = logging.getLogger(__name__)


class Gate:
    """SQS can neither pick messages nor count them by action, so what may not be run yet is turned back."""

    def __init__(
        self, permits: Permits, clock: Clock, *, bounds: Mapping[str, int | None], postpone: timedelta
    ) -> None:
        """`bounds`: the actions to run here, each with how many may be under way at once; None: any number.

        `postpone`: how long to wait with an action that is unknown here, or of which enough are under way.
        """
        self._permits = permits
        self._clock = clock
        self._bounds = bounds
        self._postpone = postpone

    def enter(self, message: Message, token: bytes, until: datetime) -> timedelta | None:
        """How long it has to wait yet; None if it is let in until that time."""
        now = self._clock.now()
        if message.due_at is not None and message.due_at > now:
            return message.due_at - now
        if message.action not in self._bounds:
            return self._postpone
        bound = self._bounds[message.action]
        if bound is None:
            return None
        try:
            return None if self._permits.take(message.action, bound, token, now, until) else self._postpone
        except StoreUnavailable as error:
            log.warning("no permit to be had", extra={**_about(message), "error": str(error)})
            return self._postpone

    def stay(self, message: Message, token: bytes, until: datetime) -> None:
        """What was let in is so until that time."""
        if self._bounds[message.action] is not None:
            self._permits.renew(message.action, token, until)

    def leave(self, message: Message, token: bytes) -> None:
        """Another may be let in; at the latest when the time is up."""
        if self._bounds[message.action] is None:
            return
        try:
            self._permits.give_back(message.action, token)
        except StoreUnavailable as error:
            log.warning("permit not given back", extra={**_about(message), "error": str(error)})


def _about(message: Message) -> dict[str, object]:
    return {**subject(message.id, message.part), "action": message.action}
