"""What is printed that others wrote: on a terminal, nothing of it is taken for a command to that; and progress."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, ProgressColumn

from acuse.entrypoints.visible import visible

if TYPE_CHECKING:
    from typing import TextIO


def say(text: str, *, end: str = "\n") -> None:
    """The text is printed; on a terminal, what cannot be seen is in the escapes of JSON."""
    print(visible(text) if sys.stdout.isatty() else text, end=end)


def give_up(stream: TextIO) -> None:
    """What could not be written to it is forgotten. Python would try again as it ends, and its exit code tell of it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def console_of(*, stderr: bool = False) -> Console:
    """For people, if it leads to a terminal. FORCE_COLOR, which is set where much is built, makes none of a pipe."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, force_terminal=stream.isatty())


def progress(*columns: ProgressColumn, prints: bool, transient: bool = False) -> Progress:
    """Shown on standard error, where that is a terminal. What is printed meanwhile stays where it was meant to go.

    `prints`: if that is the same terminal, it tells enough.
    """
    told = console_of(stderr=True)
    hidden = not told.is_terminal or (prints and sys.stdout.isatty())
    return Progress(
        *columns, console=told, transient=transient, disable=hidden, redirect_stdout=False, redirect_stderr=False
    )


def seen(text: str) -> str:
    """On one line, for a cell of a table: what cannot be seen, and what would end it, is in the escapes of JSON."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")
