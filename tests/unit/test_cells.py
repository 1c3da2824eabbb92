"""What is counted in cells outlives who counts, and can be read meanwhile."""

from __future__ import annotations

import logging
import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.metrics.cells import HEADER, MAGIC, SIZE, Cells, Damaged, create, read

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def descriptor() -> Iterator[int]:
    made = create()
    yield made
    os.close(made)


def add(cells: Cells, name: bytes, *amounts: float) -> None:
    place = cells.place(name, len(amounts))
    for offset, amount in enumerate(amounts):
        cells.numbers[place + offset] += amount


def test_what_is_counted_is_read_at_once(descriptor: int) -> None:
    cells = Cells(descriptor)
    add(cells, b"a", 1.0)
    add(cells, b"several", 0.5, 0.0, 7.0)
    add(cells, b"a", 2.0)

    assert read(descriptor) == {b"a": (3.0,), b"several": (0.5, 0.0, 7.0)}


def test_nothing_is_read_of_what_nobody_has_begun_to_count(descriptor: int) -> None:
    assert read(descriptor) == {}


def test_who_comes_after_counts_on(descriptor: int) -> None:
    add(Cells(descriptor), b"a", 1.0)

    after = Cells(descriptor)
    add(after, b"b", 5.0)
    add(after, b"a", 1.0)

    assert read(descriptor) == {b"a": (2.0,), b"b": (5.0,)}


def test_numbers_of_one_name_and_another_size_are_others(descriptor: int) -> None:
    cells = Cells(descriptor)
    add(cells, b"a", 1.0)
    add(cells, b"b", 1.0)
    add(cells, b"a", 2.0, 2.0)

    assert cells.place(b"a", 1) != cells.place(b"a", 2)
    assert read(descriptor)[b"b"] == (1.0,)


def test_there_is_room_for_any_number_of_names(descriptor: int) -> None:
    cells = Cells(descriptor)
    for number in range(3_000):
        add(cells, b"name %d" % number, float(number), 1.0)

    found = read(descriptor)
    assert os.fstat(descriptor).st_size > SIZE
    assert [found[b"name %d" % number] for number in range(3_000)] == [(float(n), 1.0) for n in range(3_000)]
    add(Cells(descriptor), b"name 7", 1.0, 0.0)
    assert read(descriptor)[b"name 7"] == (8.0, 1.0)


def test_one_name_that_needs_more_room_than_there_ever_was_has_it(descriptor: int) -> None:
    cells = Cells(descriptor)
    add(cells, b"much", *([1.0] * SIZE))

    assert read(descriptor) == {b"much": (1.0,) * SIZE}


def test_all_the_room_is_there_before_it_is_written_to(descriptor: int) -> None:
    """Else a full disk would be a signal (SIGBUS), which nobody survives."""
    Cells(descriptor)

    assert os.fstat(descriptor).st_blocks * 512 >= SIZE


def test_where_there_is_no_more_room_a_new_name_is_refused_and_the_others_count_on(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = Cells(descriptor)
    add(cells, b"a", 1.0)
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: write(file, data[: len(data) // 2], at))

    with pytest.raises(OSError, match="No space left on device"):
        cells.place(b"much", SIZE)

    assert os.fstat(descriptor).st_size == SIZE
    add(cells, b"a", 1.0)
    assert read(descriptor) == {b"a": (2.0,)}


def test_of_a_name_that_was_only_half_written_nobody_knows(descriptor: int) -> None:
    cells = Cells(descriptor)
    add(cells, b"a", 1.0)
    used = cells._used
    add(cells, b"b", 1.0)
    os.pwrite(descriptor, HEADER.pack(MAGIC, used), 0)

    assert read(descriptor) == {b"a": (1.0,)}
    add(Cells(descriptor), b"c", 3.0)
    assert read(descriptor) == {b"a": (1.0,), b"c": (3.0,)}


@pytest.mark.parametrize(
    ("at", "damage"),
    [
        (0, b"other"),
        (8, (2**63).to_bytes(8, "little")),
        (8, (3).to_bytes(8, "little")),
        (8, (20).to_bytes(8, "little")),
        (16, b"\xff\xff\xff\x7f"),
        (16, bytes(4)),
        (20, b"\xff\xff\xff\x7f"),
        (20, bytes(4)),
    ],
)
def test_what_is_damaged_is_not_read_and_keeps_nobody_from_counting_anew(
    descriptor: int, at: int, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    add(Cells(descriptor), b"a", 1.0)
    os.pwrite(descriptor, damage, at)

    with pytest.raises(Damaged):
        read(descriptor)
    with caplog.at_level(logging.WARNING):
        add(Cells(descriptor), b"a", 5.0)

    assert read(descriptor) == {b"a": (5.0,)}
    assert [line.message for line in caplog.records] == ["counting begins anew"]


@pytest.mark.parametrize("size", [1, HEADER.size - 1, HEADER.size, HEADER.size + 4])
def test_what_is_cut_off_is_damaged(descriptor: int, size: int) -> None:
    add(Cells(descriptor), b"a", 1.0)
    os.ftruncate(descriptor, size)

    with pytest.raises(Damaged):
        read(descriptor)
    add(Cells(descriptor), b"a", 5.0)
    assert read(descriptor) == {b"a": (5.0,)}


def test_a_system_without_files_in_memory_has_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    made = create()
    try:
        add(Cells(made), b"a", 1.0)
        assert read(made) == {b"a": (1.0,)}
        assert os.fstat(made).st_dev == os.stat(tempfile.gettempdir()).st_dev  # noqa: PTH116  (as fstat)
    finally:
        os.close(made)
