"""What was acknowledged survives the power, and the means that say so can tell when it does not."""

from __future__ import annotations

import _sqlite3
import _struct
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.sqlite.store import SqliteStore
from tests.power.__main__ import judgement, main, table
from tests.power.drive import Drive, Fate
from tests.power.judge import FILE
from tests.power.log import Log, Synced, Written
from tests.power.trial import Tally, recorded, tried
from tests.power.vfs import SYNC, Methods, Shim, Unreachable, Vfs, reach, recording
from tests.power.workload import Mode, opened
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.power.log import Event

REQUESTS = 240


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Event]:
    """What happened in a run of the service as it is."""
    return recorded(tmp_path_factory.mktemp("power") / "live", Mode.FULL, "suite", REQUESTS)


def test_nothing_that_was_acknowledged_is_lost_with_the_power(full: Sequence[Event], tmp_path: Path) -> None:
    tally = tried(full, tmp_path, "suite", cuts=18)

    assert tally.findings == ()
    assert tally.disks == tally.cuts * len(Fate) > 80
    assert tally.promises > tally.requests > REQUESTS / 2


@pytest.mark.parametrize("mode", [Mode.NORMAL, Mode.OFF])
def test_the_loss_is_found_where_commits_are_not_synced(mode: Mode, tmp_path: Path) -> None:
    events = recorded(tmp_path / "live", mode, "suite", REQUESTS // 2)

    tally = tried(events, tmp_path, "suite", cuts=12, fates=[Fate.NOTHING])

    assert tally.bad_cuts > 1
    assert tally.lost > 1
    assert any("lost: Key(id=" in finding for finding in tally.findings)


def test_the_loss_is_found_where_the_disk_lies_about_its_syncs(full: Sequence[Event], tmp_path: Path) -> None:
    tally = tried(full, tmp_path, "suite", cuts=10, fates=[Fate.NOTHING], lies=True)

    assert tally.bad_cuts > tally.cuts / 2


@pytest.mark.parametrize(("mode", "synced"), [(Mode.FULL, 1), (Mode.NORMAL, 0), (Mode.OFF, 0)])
def test_the_shim_sees_the_sync_of_each_commit(tmp_path: Path, mode: Mode, synced: int) -> None:
    log = Log()
    with recording(tmp_path, log), ExitStack() as stack:
        database = opened(tmp_path, mode)
        stack.callback(database.close)
        store = SqliteStore(database, SystemClock())
        store.add([record()])  # The first commit makes the log, and syncs its head in every mode but OFF.
        before = log.position()

        for _ in range(5):
            store.add([record()])

        assert sum(isinstance(event, Synced) for event in log.events[before:]) == 5 * synced
        assert sum(isinstance(event, Written) for event in log.events[before:]) > 5


def test_all_that_was_noted_together_is_the_files_byte_for_byte(tmp_path: Path) -> None:
    log = Log()
    with recording(tmp_path, log), ExitStack() as stack:
        databases = [opened(tmp_path, mode) for mode in (Mode.FULL, Mode.NORMAL)]
        for database in databases:
            stack.callback(database.close)
        for number in range(60):
            store = SqliteStore(databases[number % 2], SystemClock())
            store.add([record(note="x" * 100 * number) for _ in range(5)])
            if number == 55:
                with databases[0].reading() as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        files = {name: stack.enter_context((tmp_path / name).open("rb")) for name in (FILE, f"{FILE}-wal")}
        # The files are closed after the connections: to close a file gives up the locks that SQLite has on it.
        found = {name: file.read() for name, file in files.items()}
        drive = read(log.events)
        stack.pop_all().close()

    assert drive.after(Fate.ALL, Random(1)) == found
    assert all(len(content) > 50_000 for content in found.values())
    assert set(read(log.events).after(Fate.ALL, Random(1))) == {FILE}


def test_a_sync_covers_only_what_was_written_before_it_began(tmp_path: Path) -> None:
    log = Log()
    meanwhile = Written(1, 0, b"written while the disk is busy")

    def sync(_file: int, _flags: int) -> int:
        log.add(meanwhile)
        return 0

    shim = Shim(Vfs.from_address(reach(_sqlite3.__file__).sqlite3_vfs_find(None)), tmp_path, log)
    shim._files[0] = (1, Methods(sync=SYNC(sync)), 0)
    log.add(Written(1, 0, b"before"))

    assert shim._synced(0, 0) == 0

    assert log.events[1:] == [meanwhile, Synced(1, 1)]


def read(events: Sequence[Event]) -> Drive:
    drive = Drive()
    for position, event in enumerate(events):
        drive.read(position, event)
    return drive


def test_a_sqlite_that_cannot_be_reached_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(Unreachable, match=r"linked statically.*Use a Python whose sqlite3 is linked to a shared"):
        reach(_struct.__file__)


def test_a_connection_that_is_left_open_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="left open"), recording(tmp_path, Log()):
        database = opened(tmp_path, Mode.FULL)
    database.close()


def test_the_command_prints_a_table_and_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        ["--seconds", "0", "--seed", "7", "--requests", "30", "--cuts", "15", "--folder", str(tmp_path / "power")]
    )

    printed = capsys.readouterr().out
    assert code == 0, printed
    assert printed.startswith("seed 7\n")
    assert [line.split()[0] for line in printed.splitlines()[1:]] == ["synchronous", "FULL", "NORMAL", "OFF"]
    assert list((tmp_path / "power").iterdir()) == []


LOSSY = Tally(disks=1, lost=1, bad_cuts=1, findings=("lost: it",))
CLEAN = Tally(disks=1)


@pytest.mark.parametrize(
    ("full", "normal", "off", "code"),
    [(CLEAN, LOSSY, LOSSY, 0), (LOSSY, LOSSY, LOSSY, 1), (CLEAN, CLEAN, LOSSY, 1), (CLEAN, LOSSY, CLEAN, 1)],
)
def test_the_command_fails_if_full_lost_anything_or_another_lost_nothing(
    full: Tally, normal: Tally, off: Tally, code: int
) -> None:
    tallies = {Mode.FULL: full, Mode.NORMAL: normal, Mode.OFF: off}

    assert judgement(tallies) == code
    assert len(table(tallies).splitlines()) == 4
