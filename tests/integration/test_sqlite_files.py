"""What happens to the file: moved, removed, replaced, cut off, damaged. Nothing acknowledged is anywhere but in it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.sqlite.damage import inspect
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.store import SqliteStore
from acuse.bootstrap import Service
from acuse.config import Settings
from acuse.domain.errors import Misconfigured, StoreUnavailable
from tests.acceptance.service import Running, acuse, until
from tests.integration.another import Another
from tests.integration.files import BUSY, PAGE, Open, add, assert_holds, away, contents, each, index_of, log_of, note
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.files import Change


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder / "acuse.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Open]:
    with closing(Open(path)) as made:
        yield made


MOVED: dict[str, Callable[[Path], list[Path]]] = {
    "the file": lambda path: [path],
    "the log": lambda path: [log_of(path)],
    "both": lambda path: [path, log_of(path)],
    "all three": lambda path: [path, log_of(path), index_of(path)],
    "the folder": lambda path: [path.parent],
}


@pytest.mark.parametrize("names", MOVED.values(), ids=MOVED)
def test_what_was_moved_away_is_refused_and_not_made_anew_and_goes_on_when_it_is_back(
    opened: Open, names: Callable[[Path], list[Path]]
) -> None:
    moved = names(opened.path)
    for name in moved:
        name.rename(away(name))

    opened.assert_refuses()

    assert not any(name.exists() for name in moved)
    for name in moved:
        away(name).rename(name)
    opened.assert_goes_on()


def replace_file(path: Path) -> None:
    other = path.with_name("other.db")
    add(other)
    other.replace(path)


def replace_with_log(path: Path) -> None:
    """Another one with what it has acknowledged still in its log."""
    other = path.with_name("other.db")
    source = path.with_name("source.db")
    add(source)
    with closing(Database(source, durable=True, busy=BUSY)) as database:
        SqliteStore(database, SystemClock()).add([record() for _ in range(20)])
        shutil.copy(source, other)
        shutil.copy(log_of(source), log_of(other))
    source.unlink()
    other.replace(path)
    log_of(other).replace(log_of(path))


REPLACED: dict[str, Change] = {
    "another database": replace_file,
    "another database with its log": replace_with_log,
    "an empty file": each(Path.unlink, Path.touch),
    "a text file": each(Path.unlink, note),
    "nothing": lambda path: path.unlink(),
    "no folder": lambda path: shutil.rmtree(path.parent),
    "cut to nothing": lambda path: os.truncate(path, 0),
}


@pytest.mark.parametrize("change", REPLACED.values(), ids=REPLACED)
def test_what_stands_in_its_place_is_refused_and_not_touched(opened: Open, change: Change) -> None:
    change(opened.path)
    before = contents(opened.path.parent)

    opened.assert_refuses()

    assert contents(opened.path.parent) == before


def test_what_was_deleted_can_be_had_back_while_a_process_has_it_open(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    def of_a_descriptor(name: Path) -> Path:
        return next(link for link in Path("/proc/self/fd").iterdir() if str(link.readlink()) == f"{name} (deleted)")

    names = [opened.path, log_of(opened.path)]
    for name in names:
        name.unlink()
    with pytest.raises(StoreUnavailable):
        opened.store.add([record()])
    assert f"/proc/{os.getpid()}/fd" in vars(caplog.records[0])["error"]

    for name in names:
        shutil.copyfile(of_a_descriptor(name), name)

    opened.assert_refuses()
    index_of(opened.path).unlink()
    with closing(Database(opened.path, durable=True, busy=BUSY)) as again:
        found = SqliteStore(again, SystemClock()).get([one.id for one in opened.acknowledged])
    assert set(found) == {one.id for one in opened.acknowledged}


def foreign_log(path: Path) -> None:
    other = path.with_name("other.db")
    with closing(Open(other)):
        shutil.copy(log_of(other), away(other))
    other.unlink()
    away(other).replace(log_of(path))


LOST: dict[str, Change] = {
    "removed": lambda path: log_of(path).unlink(),
    "removed with its index": each(lambda path: log_of(path).unlink(), lambda path: index_of(path).unlink()),
    "that of another": foreign_log,
}


@pytest.mark.parametrize("change", LOST.values(), ids=LOST)
def test_what_was_in_a_log_that_is_gone_is_saved_into_the_file(opened: Open, tmp_path: Path, change: Change) -> None:
    change(opened.path)

    opened.assert_refuses()

    shutil.copy(opened.path, tmp_path / "alone.db")
    assert_holds(tmp_path / "alone.db", opened.acknowledged)


def test_nothing_is_saved_from_a_log_beside_which_another_has_begun(opened: Open) -> None:
    log_of(opened.path).unlink()
    index_of(opened.path).unlink()
    with Another(opened.path) as other:
        other.execute("CREATE TABLE others (x)")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        opened.assert_refuses()

    with Another(opened.path) as fresh:
        assert fresh.execute("PRAGMA integrity_check") == [["ok"]]
        assert fresh.execute("SELECT count(*) FROM others") == [[0]]


@pytest.mark.parametrize("name", [lambda path: path, log_of], ids=["the file", "the log"])
def test_what_went_into_a_file_that_lost_its_name_meanwhile_is_not_acknowledged(
    opened: Open, name: Callable[[Path], Path]
) -> None:
    def transaction() -> None:
        with opened.durable.writing():
            name(opened.path).rename(away(opened.path))

    def statement() -> None:
        opened.durable.write("UPDATE record SET traceparent = moved()", ())

    def moved() -> None:
        if not away(opened.path).exists():
            name(opened.path).rename(away(opened.path))

    with opened.durable.reading() as connection:
        connection.create_function("moved", 0, moved)
    for write in (transaction, statement):
        with pytest.raises(StoreUnavailable):
            write()
        away(opened.path).rename(name(opened.path))
        opened.assert_goes_on()


def test_a_file_that_a_link_leads_to_has_its_log_where_it_is_itself(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "real.db")
    with closing(Open(path)) as opened:
        opened.assert_goes_on()
        log_of(tmp_path / "real.db").unlink()
        opened.assert_refuses()


def test_a_fault_is_logged_once_with_what_to_do(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        caplog.clear()
        opened.path.rename(away(opened.path))
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                opened.store.add([record()])
        away(opened.path).rename(opened.path)
        opened.add()

        [said] = [vars(one)["error"] for one in caplog.records]
        assert f"put {opened.path} and its {log_of(opened.path)} back" in said


def test_a_file_that_was_vacuumed_goes_on_and_one_that_was_cut_off_does_not(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(path, 200)
    with closing(Open(path)) as opened:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("DELETE FROM record WHERE length(body) > 1000")
            other.execute("VACUUM")
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for database in (opened.durable, opened.quick):
            with pytest.raises(StoreUnavailable, match="shorter"):
                database.version()
        opened.assert_goes_on()

        size = path.stat().st_size
        opened.store.add([record(note="x" * 1000) for _ in range(200)])
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        opened.add()
        opened.quick.version()
        os.truncate(path, size + PAGE)
        opened.assert_refuses()
    assert "sqlite3 acuse.db .recover" in vars(caplog.records[-1])["error"]


def test_a_backup_is_made_by_sqlite_and_serves_and_a_copy_of_the_file_alone_is_none(
    opened: Open, tmp_path: Path
) -> None:
    copies = [tmp_path / name for name in ("alone.db", "backup.db", "into.db")]
    shutil.copy(opened.path, copies[0])
    with closing(sqlite3.connect(opened.path)) as live, closing(sqlite3.connect(copies[1])) as backup:
        live.backup(backup)
        live.execute("VACUUM INTO ?", (str(copies[2]),))

    ids = [one.id for one in opened.acknowledged]
    for copy in copies[1:]:
        inspect(copy, BUSY)
        with closing(Open(copy)) as restored:
            assert set(restored.store.get(ids)) == set(ids)
            restored.assert_goes_on()
    with closing(Database(copies[0], durable=True, busy=BUSY)) as database:
        assert SqliteStore(database, SystemClock()).get(ids) == {}


def test_a_service_whose_file_is_moved_away_acknowledges_nothing_until_it_is_back(tmp_path: Path) -> None:
    with Running(tmp_path / "data", "--workers", "1") as service:
        path = service.data / "acuse.db"
        service.ended(service.accept())  # From now on the worker has the file open.
        pids = [*service.pids("api"), *service.pids("worker")]
        sent = [service.accept() for _ in range(10)]
        path.rename(away(path))
        assert {service.post().status_code for _ in range(10)} == {503}
        until(lambda: not service.ready(), "the fault to be seen")
        assert not path.exists()
        away(path).rename(path)

        sent.append(service.accept())
        assert {service.ended(one)["status"] for one in sent} == {"finished"}
        until(service.ready, "all to be well")
        assert [*service.pids("api"), *service.pids("worker")] == pids
        said = [line for line in service.log.read_text().splitlines() if "the database cannot be used" in line]
        assert len(said) <= 3  # The store of the API, the store and the queue of the worker.


def test_a_service_whose_log_was_removed_loses_nothing(tmp_path: Path) -> None:
    with Running(tmp_path / "data", "--workers", "1") as service:
        path = service.data / "acuse.db"
        sent = [service.accept() for _ in range(10)]
        log_of(path).unlink()
        assert {service.post().status_code for _ in range(10)} == {503}

    refused = acuse("serve", "--port", "0", "--ops-port", "0", data=path.parent)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"{log_of(path)} is gone" in refused.stderr
    index_of(path).unlink()
    inspect(path, BUSY)
    with closing(sqlite3.connect(path)) as connection:
        found = {id_ for (id_,) in connection.execute("SELECT id FROM record")}
    assert {one["id"] for one in sent} <= found


def test_what_was_there_at_the_start_is_not_made_anew_by_a_process_that_comes_later(path: Path) -> None:
    def service() -> Service:
        return Service(Settings(data=path.parent), anew=False)

    path.parent.rmdir()
    with pytest.raises(StoreUnavailable, match="is not there"):
        service().store.add([record()])
    assert not path.parent.exists()

    path.parent.mkdir()
    path.touch()
    with pytest.raises(Misconfigured, match="no database of acuse"):
        service().store.add([record()])
    assert not path.stat().st_size
