"""What an examination found: one thing that was looked at, and how it stands."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """What it means for a deployment."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not as well or as safely as it could."""
    FAILURE = "failure"
    """It will not work like this."""


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, in a word or two, and what was seen; of a warning or a failure, also what to do."""

    level: Level
    subject: str
    detail: str
