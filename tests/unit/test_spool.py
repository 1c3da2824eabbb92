from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from acuse.adapters.spool import IN_MEMORY, PIECE, Spool

SIZES = st.sampled_from([0, 1, 7, PIECE - 1, PIECE, PIECE + 1, IN_MEMORY - 1, IN_MEMORY, IN_MEMORY + 1, 2 * IN_MEMORY])
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from acuse.adapters.spool import IN_MEMORY, Spool

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
spool = Spool(Path(sys.argv[1]))
spool.write(b"m" * IN_MEMORY)
spool.write(b"f" * 60_000)
try:
    spool.write(b"x" * 60_000)
except OSError as error:
    print(error.errno)
print(len(spool) - IN_MEMORY)
read = b"".join(iter(spool.read, b""))
print(read == b"m" * IN_MEMORY + b"f" * 60_000, len(spool))
spool.write(b"after")
print(spool.read())
"""


class Queueing(RuleBasedStateMachine):
    """What is read is what was written, in that order, however reads and writes come."""

    def __init__(self) -> None:
        super().__init__()
        self.spool = Spool(None)
        self.waiting: deque[bytes] = deque()
        self.numbers = iter(range(1_000_000))

    @rule(size=SIZES)
    def write(self, size: int) -> None:
        data = (b"%d," % next(self.numbers)).ljust(size, b".")[:size]
        self.spool.write(data)
        self.waiting.append(data)

    @rule()
    def read(self) -> None:
        self._check(self.spool.read())

    @rule()
    def read_all(self) -> None:
        while data := self.spool.read():
            self._check(data)
        assert not b"".join(self.waiting)

    @invariant()
    def its_length_is_what_waits(self) -> None:
        assert len(self.spool) == sum(map(len, self.waiting))

    def teardown(self) -> None:
        self.read_all()
        self.spool.close()

    def _check(self, data: bytes) -> None:
        all_of_it = b"".join(self.waiting)
        assert all_of_it.startswith(data)
        assert bool(data) == bool(all_of_it)
        self.waiting = deque([all_of_it[len(data) :]])


TestQueueing = Queueing.TestCase


def test_little_needs_no_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "missing")

    spool.write(b"x" * IN_MEMORY)

    assert len(spool) == IN_MEMORY
    assert spool.read() == b"x" * IN_MEMORY
    with pytest.raises(FileNotFoundError):
        spool.write(b"x" * (IN_MEMORY + 1))
    assert (len(spool), spool.read()) == (0, b"")


def test_an_empty_write_is_not_taken_for_the_end() -> None:
    spool = Spool(None)

    spool.write(b"")
    spool.write(b"data")

    assert spool.read() == b"data"


def test_what_is_in_the_file_is_read_in_small_pieces() -> None:
    spool = Spool(None)
    spool.write(b"x" * (IN_MEMORY + PIECE))

    pieces = list(iter(spool.read, b""))

    assert {len(piece) for piece in pieces} == {PIECE}
    spool.close()


def test_after_it_is_closed_nothing_waits_and_it_may_be_used_again() -> None:
    spool = Spool(None)
    for _ in range(2):
        spool.write(b"x")
        spool.write(b"y" * IN_MEMORY)

        spool.close()

        assert (len(spool), spool.read()) == (0, b"")
    spool.close()


def test_its_files_have_no_name_and_are_gone_with_it(tmp_path: Path) -> None:
    before = open_files()
    spool = Spool(tmp_path)
    for _ in range(3):
        spool.write(b"x" * IN_MEMORY)
        spool.write(b"x")
        spool.read()
        spool.read()
    assert open_files() > before
    assert list(tmp_path.iterdir()) == []

    spool.close()

    assert open_files() == before


def test_what_was_read_takes_no_room_on_the_disk_although_something_always_waits(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.write(b"x" * (IN_MEMORY + PIECE))

    for _ in range(200):
        spool.write(b"x" * PIECE)
        spool.read()

    assert len(spool) == IN_MEMORY + PIECE
    assert sum(on_disk()) <= 2 * (IN_MEMORY + 2 * PIECE)
    spool.close()


def test_a_full_disk_raises_and_what_was_taken_before_is_whole(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], check=True, capture_output=True, text=True)

    assert done.stdout.splitlines() == ["27", "60000", "True 0", "b'after'"]


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def on_disk() -> list[int]:
    """The sizes of the files that are open here and have no name."""
    found = []
    for path in list(Path("/dev/fd").iterdir()):
        try:
            status = os.fstat(int(path.name))
        except OSError:  # The one that lists them.
            continue
        if status.st_nlink == 0:
            found.append(status.st_size)
    return found
