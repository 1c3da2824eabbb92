"""The action `delay`: it takes its time, so that `created_at` and `finished_at` can be told apart."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Annotated, ClassVar

from msgspec import Meta

from acuse.application.actions import Action
from acuse.domain.policy import Policy


class Delay(Action, tag="delay"):
    """Wait, then finish."""

    policy: ClassVar[Policy] = Policy(time_limit=timedelta(hours=1, minutes=5))

    seconds: Annotated[float, Meta(ge=0, le=3600)] = 1.0

    def run(self) -> dict[str, float]:
        """How long it waited."""
        time.sleep(self.seconds)
        return {"seconds": self.seconds}
