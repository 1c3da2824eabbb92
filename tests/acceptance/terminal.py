"""A command as a person sees it: on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def on_terminal(*arguments: object, columns: int = 130, output: Path | None = None, **environment: str) -> str:
    """What the command writes on a terminal so wide, until it ends. `output`: where its output goes instead."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    unset = {"NO_COLOR", "COLUMNS", "TERM"}
    chosen: dict[str, Any] = {name: value for name, value in os.environ.items() if name not in unset}
    with (
        contextlib.nullcontext(theirs) if output is None else output.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", "acuse", *map(str, arguments)],
            stdin=theirs,
            stdout=out,
            stderr=theirs,
            env={**chosen, "TERM": "xterm-256color", **environment},
        ),
    ):
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # So it is told that nobody has the terminal open any more.
            while piece := os.read(ours, 65_536):
                written += piece
    os.close(ours)
    return written.decode().replace("\r\n", "\n")
