"""The processes of a running service: memory, open files, threads, by role."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PROC = Path("/proc")
MARKS = {'"kind":"api"': "api", '"kind":"ops"': "ops", '"kind":"worker"': "workers", "entrypoints.runner": "runners"}


class Process(NamedTuple):
    """One process of the service."""

    pid: int
    role: str
    megabytes: float


def tree(supervisor: int, listing: Iterable[str]) -> list[Process]:
    """The supervisor and all below it, out of lines of pid, parent, resident KiB and arguments. Pure."""
    parents: defaultdict[int, list[tuple[int, float, str]]] = defaultdict(list)
    found: list[Process] = []
    for line in listing:
        pid, parent, resident, arguments = line.split(None, 3)
        if int(pid) == supervisor:
            found.append(Process(supervisor, "supervisor", int(resident) / 1024))
        elif "<defunct>" not in arguments:
            parents[int(parent)].append((int(pid), int(resident) / 1024, arguments))
    for above in found:
        found += [Process(pid, _role(text), size) for pid, size, text in parents.pop(above.pid, [])]
    return found


def processes(supervisor: int) -> list[Process]:
    """Those that are there now."""
    listed = subprocess.run(["ps", "-wwaxo", "pid=,ppid=,rss=,args="], check=True, capture_output=True, text=True)
    return tree(supervisor, listed.stdout.splitlines())


def values(found: Iterable[Process], data: Path) -> Mapping[str, float]:
    """Sums by role. Files and threads only where the system shows them in /proc."""
    sums: defaultdict[str, float] = defaultdict(float)
    sums["spool"] = 0.0
    for process in found:
        sums["processes"] += 1
        sums[f"rss_{process.role}"] += process.megabytes
        with suppress(OSError):  # It has ended since, or there is no /proc.
            folder = PROC / str(process.pid)
            sums[f"threads_{process.role}"] += len(list((folder / "task").iterdir()))
            for descriptor in (folder / "fd").iterdir():
                sums[f"files_{process.role}"] += 1
                if process.role == "api":
                    sums["spool"] += _spooled(descriptor, data) / 1e6
    return sums


def left_behind(data: Path) -> list[int]:
    """The processes, wherever they are, whose settings name that data folder."""
    mark = f"ACUSE_DATA={data}\0".encode()
    found: list[int] = []
    for environment in PROC.glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in environment.read_bytes() + b"\0":
                found.append(int(environment.parent.name))
    return found


def _spooled(descriptor: Path, data: Path) -> int:
    """Bytes of a file without a name in the data folder."""
    with suppress(OSError):
        link = str(descriptor.readlink())
        if link.startswith(str(data.resolve())) and link.endswith("(deleted)"):
            return descriptor.stat().st_size
    return 0


def _role(arguments: str) -> str:
    return next((role for mark, role in MARKS.items() if mark in arguments), "others")
