"""A command that goes on step by step until nothing is left, and says how far it has come."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from acuse.domain.errors import Unavailable
from acuse.entrypoints.options import INTERRUPTED, UNAVAILABLE, leave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class SoFar(NamedTuple):
    """What all the steps until now have come to, in words, and whether none is left."""

    told: str
    is_over: bool


def take_steps(steps: Callable[[threading.Event], Iterator[SoFar]], nothing: str) -> None:
    """All steps are taken, or those until Ctrl-C sets the event; what they came to is told: if to none, `nothing`."""
    stopped = threading.Event()
    so_far = SoFar(nothing, is_over=False)
    try:
        _once_interrupted(stopped)
        with _progress() as bar:
            task = bar.add_task("", told=so_far.told)
            for so_far in steps(stopped):
                bar.update(task, told=so_far.told)
    except Unavailable as error:
        leave(UNAVAILABLE, f"{error} ({so_far.told} so far)")
    except KeyboardInterrupt:
        leave(INTERRUPTED, f"interrupted ({so_far.told} so far)")
    print(so_far.told)
    if not so_far.is_over:
        sys.exit(INTERRUPTED)


def counted(number: int, noun: str) -> str:
    """The number with the noun after it, in the plural where it is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _once_interrupted(stopped: threading.Event) -> None:
    """Ctrl-C ends it after the step under way, so that all that was done is counted; pressed again, at once."""

    def stop(*_: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)


def _progress() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
