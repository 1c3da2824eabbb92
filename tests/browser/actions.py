"""Actions that a test leads, besides those of tests/actions.py: each does what a file says that is or is not there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from acuse import Action, Fail, Policy


class Needs(Action, tag="needs"):
    """Fails, and says why, until there is a file."""

    policy: ClassVar[Policy] = Policy(attempts=1)
    file: str
    why: str = "the file is not there yet"

    def run(self) -> str:
        if not Path(self.file).exists():
            raise Fail(self.why)
        return "found"


class Gate(Action, tag="gate"):
    """Waits for a file."""

    file: str

    def run(self) -> None:
        wait_for(self.file)


class LongName(Action, tag="waits-for-a-file-under-a-name-that-is-longer-than-its-place"):
    """The same."""

    file: str

    def run(self) -> None:
        wait_for(self.file)


def wait_for(file: str) -> None:
    while not Path(file).exists():
        time.sleep(0.01)
