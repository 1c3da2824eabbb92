"""What the machine offers: its clock, its ports, its files."""

from __future__ import annotations

import ctypes
import errno
import resource
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from acuse.domain.finding import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIME_ERROR = 5
"""What adjtimex(2) returns while nothing keeps the clock right."""
TIMEX_BYTES = 512
"""More than a `struct timex` takes anywhere."""


def examine_clock() -> Finding:
    """Whether the system says that its clock is kept right; only Linux does."""
    if sys.platform != "linux":
        return Finding(Level.OK, "clock", "this system does not tell whether it is kept right")
    asked = ctypes.create_string_buffer(TIMEX_BYTES)  # All zeros: it only asks.
    if ctypes.CDLL(None, use_errno=True).adjtimex(asked) == TIME_ERROR:
        return Finding(Level.WARNING, "clock", "nothing keeps it right, as far as the system knows: run NTP")
    return Finding(Level.OK, "clock", "the system keeps it right")


def examine_ports(planes: Mapping[str, tuple[str, int]]) -> Iterator[Finding]:
    """Whether something could listen at all of them now."""
    with ExitStack() as listening:
        held: set[int] = set()
        for subject, (host, port) in planes.items():
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                listening.enter_context(socket.create_server((host, port), family=family))
            except OSError as error:
                detail = f"{host}:{port} cannot be listened on: {error.strerror or error}"
                if error.errno != errno.EADDRINUSE or port in held:
                    yield Finding(Level.FAILURE, subject, detail)
                else:
                    yield Finding(Level.WARNING, subject, f"{detail}. Is the service running already?")
            else:
                held.add(port)
                yield Finding(Level.OK, subject, f"{host}:{port} is free" if port else f"{host} is there")


def examine_files(needed: int) -> Finding:
    """Whether a process may have so many files and connections open, once it has raised its limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most not in (resource.RLIM_INFINITY, -1) and most < needed:
        return Finding(Level.WARNING, "open files", f"{most} are allowed, {needed} may be needed: raise `ulimit -Hn`")
    return Finding(Level.OK, "open files", f"{needed} may be needed, and are allowed")
