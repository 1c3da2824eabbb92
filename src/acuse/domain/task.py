"""One run, ready to be handed to a runner."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import msgspec


class Step(StrEnum):
    """Which method of the action the run calls."""

    RUN = "run"
    SPLIT = "split"
    PROCESS = "process"
    MERGE = "merge"


class Task(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a runner needs to know of a run. `body` is the request; `value` the part, for `process`."""

    id: str
    part: int
    attempt: int
    step: Step
    action: str
    body: bytes
    time_limit: timedelta
    value: bytes | None = None
    parts: int = 0
    traceparent: str | None = None
