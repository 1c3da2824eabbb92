"""One run of the workload, and many power losses in it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.record import Key
from tests.power.drive import Drive, Fate
from tests.power.judge import FILE, judge
from tests.power.ledger import Done, Ledger, Mark
from tests.power.log import Log, Synced
from tests.power.vfs import recording
from tests.power.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.power.log import Event
    from tests.power.workload import Mode


SHARED_MEMORY = 32_768
FINDINGS = 50
"""How many are told in words."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `lost` counts the requests, parts and keys whose promised state was not there, on each disk."""

    requests: int = 0
    promises: int = 0
    syncs: int = 0
    cuts: int = 0
    disks: int = 0
    bad_cuts: int = 0
    lost: int = 0
    wrong: int = 0
    findings: tuple[str, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        """The sum, with the first of the findings."""
        summed = {name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__}
        return Tally(**summed | {"findings": summed["findings"][:FINDINGS]})


def recorded(folder: Path, mode: Mode, seed: str, requests: int) -> Sequence[Event]:
    """Everything that happened while the workload ran."""
    log = Log()
    folder.mkdir(parents=True)
    with recording(folder, log):
        Workload(folder, log, mode, seed).run(requests)
    return log.events


def tried(
    events: Sequence[Event],
    folder: Path,
    seed: str,
    cuts: int,
    *,
    fates: Sequence[Fate] = tuple(Fate),
    lies: bool = False,
) -> Tally:
    """At so many moments the power has gone, once for each fate. The first disk with a finding is kept in the folder.

    `lies`: the disk says that it has synced, and has not.
    """
    random = Random(seed)
    drive, ledger = Drive(lies=lies), Ledger()
    tally = Tally(syncs=sum(isinstance(event, Synced) for event in events))
    moments = _moments(events, random, cuts)
    for position, event in enumerate(events, 1):
        drive.read(position - 1, event)
        if isinstance(event, Mark):
            ledger.read(event)
        if position not in moments:
            continue
        cut = Tally(cuts=1)
        for fate in fates:
            cut += _lost(drive.after(fate, random), ledger, folder, random, f"event {position}, {fate}")
            if cut.findings and not tally.findings and not (folder / "kept").exists():
                (folder / "disk").rename(folder / "kept")
        tally += msgspec.structs.replace(cut, bad_cuts=int(bool(cut.findings)))
    promised = {name for name in ledger.promised() if isinstance(name, Key) and not name.part}
    promises = sum(isinstance(event, Done) for event in events)
    return tally + Tally(requests=len(promised), promises=promises)


def _moments(events: Sequence[Event], random: Random, cuts: int) -> set[int]:
    """Some anywhere; some right after somebody was told something, or the disk has got something."""
    kinds = (object, Done, Synced)
    chosen: set[int] = set()
    for kind in kinds:
        places = [position for position, event in enumerate(events, 1) if isinstance(event, kind)]
        chosen |= set(random.sample(places, min(len(places), cuts // len(kinds))))
    return chosen


def _lost(files: dict[str, bytes], ledger: Ledger, folder: Path, random: Random, what: str) -> Tally:
    """What is amiss on a disk with these files, which is in the folder as it was before anybody looked at it."""
    noise = random.randbytes(SHARED_MEMORY) if random.random() < 0.5 else b""
    if f"{FILE}-wal" in files and noise:
        # It is made after the log, never synced, and may hold anything.
        files |= {f"{FILE}-shm": noise}
    _write(folder / "disk", files)
    verdict = judge(folder / "disk", ledger)
    findings = [f"lost: {one}" for one in verdict.lost] + verdict.wrong
    if findings:
        _write(folder / "disk", files)
    return Tally(
        disks=1,
        lost=len(verdict.lost),
        wrong=len(verdict.wrong),
        findings=tuple(f"{what}: {finding}" for finding in findings),
    )


def _write(place: Path, files: dict[str, bytes]) -> None:
    """These files and no others are there."""
    place.mkdir(parents=True, exist_ok=True)
    for file in place.iterdir():
        file.unlink()
    for name, content in files.items():
        (place / name).write_bytes(content)
