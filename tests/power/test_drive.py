"""What a disk may hold after a power loss: all that was synced, and anything of what was not."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.power.drive import SECTOR, Drive, Fate
from tests.power.log import Created, Deleted, FolderSynced, Synced, Truncated, Written

if TYPE_CHECKING:
    from tests.power.log import Event

ROLLS = 400
OLD, NEW = b"o" * 3 * SECTOR, b"n" * 3 * SECTOR
MADE = (Created("a", 1), Written(1, 0, OLD), Synced(1, 2), FolderSynced(2))
CHANGING = [fate for fate in Fate if fate is not Fate.NOTHING]
PARTIAL = [Fate.TORN, Fate.SECTORS]


def outcomes(fate: Fate, *events: Event) -> list[dict[str, bytes]]:
    drive = Drive()
    for position, event in enumerate(events):
        drive.read(position, event)
    return [drive.after(fate, Random(roll)) for roll in range(ROLLS)]


@pytest.mark.parametrize("fate", Fate)
def test_what_was_synced_is_there(fate: Fate) -> None:
    assert all(files == {"a": OLD} for files in outcomes(fate, *MADE))


@pytest.mark.parametrize("fate", Fate)
def test_what_was_written_after_a_sync_began_is_not_covered_by_it(fate: Fate) -> None:
    begun = len(MADE)

    found = outcomes(fate, *MADE, Written(1, 0, NEW), Synced(1, begun))

    assert ({"a": OLD} in found) == (fate is not Fate.ALL)


@pytest.mark.parametrize("fate", Fate)
def test_a_sync_covers_no_other_file(fate: Fate) -> None:
    other = (Created("b", 2), Synced(2, 5), FolderSynced(6))

    found = outcomes(fate, *MADE, *other, Written(1, 0, NEW), Synced(2, 9))

    assert ({"a": OLD, "b": b""} in found) == (fate is not Fate.ALL)


def test_of_what_was_not_synced_nothing_or_all_may_be_there() -> None:
    written = (*MADE, Written(1, 0, NEW))

    assert all(files == {"a": OLD} for files in outcomes(Fate.NOTHING, *written))
    assert all(files == {"a": NEW} for files in outcomes(Fate.ALL, *written))


def test_each_of_two_writes_may_be_there_without_the_other() -> None:
    first, second = Written(1, 0, b"1" * SECTOR), Written(1, SECTOR, b"2" * SECTOR)

    found = {files["a"] for files in outcomes(Fate.WRITES, *MADE, first, second)}

    rest = OLD[2 * SECTOR :]
    assert found == {a + b + rest for a in (OLD[:SECTOR], first.data) for b in (OLD[:SECTOR], second.data)}


@pytest.mark.parametrize("fate", PARTIAL)
def test_a_write_may_be_there_in_part_as_zeros_and_as_noise(fate: Fate) -> None:
    sectors = {files["a"][SECTOR : 2 * SECTOR] for files in outcomes(fate, *MADE, Written(1, 0, NEW))}

    assert {OLD[:SECTOR], NEW[:SECTOR], bytes(SECTOR)} <= sectors
    assert any(set(sector) == set(b"on") for sector in sectors)
    assert any(len(set(sector)) > 100 for sector in sectors)


@pytest.mark.parametrize("fate", Fate)
def test_bytes_outside_of_what_was_written_stay(fate: Fate) -> None:
    found = outcomes(fate, *MADE, Written(1, 100, b"n" * SECTOR))

    assert all((files["a"][:100], files["a"][100 + SECTOR :]) == (OLD[:100], OLD[100 + SECTOR :]) for files in found)


@pytest.mark.parametrize("fate", [fate for fate in Fate if fate is not Fate.ALL])
def test_a_file_may_have_grown_although_nothing_arrived(fate: Fate) -> None:
    assert {"a": OLD + bytes(len(NEW))} in outcomes(fate, *MADE, Written(1, len(OLD), NEW))


@pytest.mark.parametrize("fate", [Fate.WRITES, Fate.SECTORS, Fate.TORN])
def test_a_size_that_was_not_synced_may_be_there_or_not(fate: Fate) -> None:
    found = {len(files["a"]) for files in outcomes(fate, *MADE, Truncated(1, SECTOR))}

    assert found == {SECTOR, len(OLD)}


@pytest.mark.parametrize("fate", [Fate.WRITES, Fate.SECTORS, Fate.TORN])
def test_a_name_that_was_not_synced_may_stand_for_the_old_file_the_new_one_or_none(fate: Fate) -> None:
    found = outcomes(fate, *MADE, Deleted("a"), Created("a", 2), Written(2, 0, NEW), Synced(2, 7))

    assert {files.get("a") for files in found} == {OLD, None, NEW}


@pytest.mark.parametrize("fate", Fate)
def test_a_name_that_was_synced_stands_for_its_file(fate: Fate) -> None:
    found = outcomes(fate, *MADE, Deleted("a"), Created("a", 2), Written(2, 0, NEW), Synced(2, 7), FolderSynced(7))

    assert all(files == {"a": NEW} for files in found)
