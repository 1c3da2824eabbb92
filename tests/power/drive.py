"""A disk: what it has for certain, what is on its way, and what may be left of that when the power goes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tests.power.log import Created, Deleted, FolderSynced, Synced, Truncated, Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.power.log import Event

SECTOR = 512


class Fate(StrEnum):
    """What becomes of that which was not synced."""

    NOTHING = "nothing of it arrived"
    ALL = "all of it arrived"
    TORN = "all of it arrived up to the middle of one write"
    WRITES = "some of the writes arrived"
    SECTORS = "some of the sectors arrived, and some as zeros, noise or in part"


class Drive:
    """Reads the log event by event. `lies`: it says that it has synced, and has not."""

    def __init__(self, *, lies: bool = False) -> None:
        self._lies = lies
        self._contents: dict[int, bytearray] = {}
        self._names: dict[str, int] = {}
        self._changes: list[tuple[int, Written | Truncated]] = []
        self._renames: list[tuple[int, Created | Deleted]] = []

    def read(self, position: int, event: Event) -> None:
        """The event at that position has happened."""
        match event:
            case Written() | Truncated():
                self._changes.append((position, event))
            case Created() | Deleted():
                self._renames.append((position, event))
            case Synced() if not self._lies:
                self._settle(event)
            case FolderSynced() if not self._lies:
                for _, rename in (one for one in self._renames if one[0] < event.before):
                    _rename(self._names, rename)
                self._renames = [one for one in self._renames if one[0] >= event.before]
            case _:
                pass

    def after(self, fate: Fate, random: Random) -> dict[str, bytes]:
        """The files that are there when the power is back."""
        contents = {file: bytearray(content) for file, content in self._contents.items()}
        changes = [change for _, change in self._changes]
        torn = random.randrange(len(changes) + 1) if fate is Fate.TORN else len(changes)
        rate = random.random()
        for place, change in enumerate(changes):
            content = contents.setdefault(change.file, bytearray())
            match fate:
                case Fate.TORN if place == torn:
                    _damage(content, change, rate, random)
                case Fate.TORN if place < torn:
                    _apply(content, change)
                case Fate.WRITES if random.random() < rate:
                    _apply(content, change)
                case Fate.SECTORS:
                    _damage(content, change, rate, random)
                case Fate.ALL:
                    _apply(content, change)
                case _:
                    pass
        if fate is not Fate.ALL and not random.randrange(4):
            _extend(contents, changes)
        names = self._named(fate, random)
        return {name: bytes(contents.get(file, b"")) for name, file in names.items()}

    def _settle(self, synced: Synced) -> None:
        rest = []
        for position, change in self._changes:
            if change.file == synced.file and position < synced.before:
                _apply(self._contents.setdefault(change.file, bytearray()), change)
            else:
                rest.append((position, change))
        self._changes = rest

    def _named(self, fate: Fate, random: Random) -> dict[str, int]:
        """Of each name, some of what last became of it."""
        names = dict(self._names)
        gone: set[str] = set()
        for _, rename in self._renames:
            if fate is Fate.NOTHING or (fate is not Fate.ALL and not random.randrange(3)):
                gone.add(rename.name)
            if rename.name not in gone:
                _rename(names, rename)
        return names


def _rename(names: dict[str, int], rename: Created | Deleted) -> None:
    match rename:
        case Created():
            names[rename.name] = rename.file
        case Deleted():
            names.pop(rename.name, None)


def _apply(content: bytearray, change: Written | Truncated) -> None:
    match change:
        case Written():
            _put(content, change.offset, change.data)
        case Truncated():
            del content[change.size :]


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _damage(content: bytearray, change: Written | Truncated, rate: float, random: Random) -> None:
    if isinstance(change, Truncated):
        if random.random() < rate:
            _apply(content, change)
        return
    for offset, data in _sectors(change):
        match random.choices(["whole", "lost", "zeros", "noise", "in part"], [4 * rate, 2 * (1 - rate), 1, 1, 1])[0]:
            case "whole":
                _put(content, offset, data)
            case "zeros":
                _put(content, offset, bytes(len(data)))
            case "noise":
                _put(content, offset, random.randbytes(len(data)))
            case "in part":
                _put(content, offset, data[: random.randrange(len(data))])
            case _:
                pass


def _sectors(written: Written) -> Iterator[tuple[int, bytes]]:
    """The bytes of each sector that the write touches."""
    end = written.offset + len(written.data)
    start = written.offset
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield start, written.data[start - written.offset : stop - written.offset]
        start = stop


def _extend(contents: dict[int, bytearray], changes: list[Written | Truncated]) -> None:
    """The files have the sizes that they were to have, and zeros where nothing arrived."""
    for change in changes:
        if isinstance(change, Written):
            content = contents.setdefault(change.file, bytearray())
            content.extend(bytes(max(0, change.offset + len(change.data) - len(content))))
