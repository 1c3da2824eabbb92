"""A disk that can be full: a real small one where this machine lets us mount it, else a limit on what is written."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZE = 24 * 1024 * 1024
DROP = """
import ctypes, os, sys
for capability in 1, 2:  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
UNPRIVILEGED = [sys.executable, "-c", DROP]
"""What to put before a command that may not read and write everything, even as root."""
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


class Mounted:
    """A file system in memory. It is full for everybody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, _: Sequence[int] = ()) -> None:
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (2**20, 2**12):
                while _wrote(ballast.fileno(), size):
                    pass

    def free(self, _: Sequence[int] = ()) -> None:
        self._ballast.unlink()

    def full(self) -> list[str]:
        """What to put before a command for which it is full."""
        return []


class Limited:
    """No process that is told may write any file: it hears so as on a full disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pids: Sequence[int] = ()) -> None:
        self._limit(pids, 0)

    def free(self, pids: Sequence[int] = ()) -> None:
        self._limit(pids, resource.RLIM_INFINITY)

    def full(self) -> list[str]:
        """What to put before a command for which it is full."""
        return ["sh", "-c", 'ulimit -S -f 0; exec "$@"', "sh"]

    def _limit(self, pids: Sequence[int], size: int) -> None:
        for pid in pids:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


Disk = Mounted | Limited


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """The disk that can be had here."""
    folder.mkdir()
    if not _runs(_mount(folder)):
        yield Limited(folder)
        return
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing in the folder can be written to: even by root where it may mount, else by UNPRIVILEGED."""
    if _runs(["mount", "--bind", str(folder), str(folder)]):
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    folder.chmod(0o500)
    yield
    folder.chmod(0o700)


def namespace(folder: Path) -> list[str]:
    """What to put before a command so that it may mount; nothing where it may without, or may not at all."""
    probe = folder / "probe"
    probe.mkdir()
    mounted = _runs(_mount(probe))
    if mounted:
        subprocess.run(["umount", "--lazy", str(probe)], check=True)
    return NAMESPACE if not mounted and _runs([*NAMESPACE, *_mount(probe)]) else []


def _mount(folder: Path) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "acuse-test", str(folder)]


def _runs(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _wrote(descriptor: int, size: int) -> bool:
    try:
        os.write(descriptor, bytes(size))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True
