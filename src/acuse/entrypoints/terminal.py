"""What is printed that others wrote: on a terminal, nothing of it is taken for the terminal's own commands."""

from __future__ import annotations

import sys

from acuse.entrypoints.ops.words import visible


def say(text: str, *, end: str = "\n") -> None:
    """The text is printed; on a terminal, what cannot be seen is in the escapes of JSON."""
    print(visible(text) if sys.stdout.isatty() else text, end=end)


def seen(text: str) -> str:
    """On one line, for a cell of a table: what cannot be seen, and what would end it, is in the escapes of JSON."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")
