"""A command that goes on step by step until nothing is left, and says how far it has come."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from acuse.domain.errors import Unavailable
from acuse.entrypoints.options import INTERRUPTED, UNAVAILABLE, leave
from acuse.entrypoints.terminal import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class SoFar(NamedTuple):
    """What all the steps until now have come to, in words, and whether none is left."""

    told: str
    is_over: bool


def take_steps(steps: Callable[[threading.Event], Generator[SoFar]], nothing: str, *, prints: bool = False) -> None:
    """All steps are taken, or those until Ctrl-C sets the event; what they came to is told: if to none, `nothing`.

    It is told on standard output; if the steps print there, on standard error. They are closed.
    """
    stopped = threading.Event()
    so_far = SoFar(nothing, is_over=False)
    try:
        once_interrupted(stopped)
        columns = (SpinnerColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
        with progress(*columns, prints=prints, transient=True) as bar, closing(steps(stopped)) as taken:
            task = bar.add_task("", told=so_far.told)
            for so_far in taken:
                bar.update(task, told=so_far.told)
    except Unavailable as error:
        leave(UNAVAILABLE, f"{error} ({so_far.told} so far)")
    except KeyboardInterrupt:
        leave(INTERRUPTED, f"interrupted ({so_far.told} so far)")
    print(so_far.told, file=sys.stderr if prints else None)
    if not so_far.is_over:
        sys.exit(INTERRUPTED)


def counted(number: int, noun: str) -> str:
    """The number with the noun after it, in the plural where it is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def once_interrupted(stopped: threading.Event) -> None:
    """Ctrl-C sets the event, so that the step under way is finished and counted; pressed again, it ends at once."""

    def stop(number: int, _: object) -> None:
        stopped.set()
        signal.signal(number, signal.default_int_handler)

    for number in interrupting():
        signal.signal(number, stop)


def interrupting() -> list[signal.Signals]:
    """Ctrl-C, SIGTERM, and that the terminal is closed, unless that is ignored, as under nohup."""
    is_detached = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if is_detached else [signal.SIGHUP])]
