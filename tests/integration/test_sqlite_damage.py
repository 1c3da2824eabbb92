"""A damaged file is told from a sound one before the start, and the command ends with what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.sqlite import damage
from acuse.adapters.sqlite.damage import inspect
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.examination import permit
from acuse.domain.errors import Misconfigured
from tests.integration.disk import UNPRIVILEGED, read_only
from tests.integration.files import BUSY, PAGE, RUBBISH, Open, add, at, contents, each, index_of, log_of, note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.files import Change


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder / "acuse.db"


def stale_log(path: Path) -> None:
    """A backup was put back, and the log of what was there before was left."""
    lived = path.with_name("lived.db")
    shutil.copy(path, lived)
    with closing(Open(lived)) as opened:
        for _ in range(200):
            opened.add()
        with opened.durable.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        opened.add()
        shutil.copy(log_of(lived), log_of(path))
    lived.unlink()


def rubbish_log(path: Path) -> None:
    log_of(path).write_bytes(RUBBISH)


DAMAGED: dict[str, tuple[Change, str]] = {
    "its header": (at(0, RUBBISH[:100]), "SQLITE_NOTADB"),
    "its schema": (at(0, RUBBISH[100:], 100), "SQLITE_CORRUPT"),
    "a page in the middle": (at(6), "(?s)damaged: .*Page 7"),
    "its end": (lambda path: os.truncate(path, path.stat().st_size - 5 * PAGE), "SQLITE_CORRUPT"),
    "zeros": (lambda path: path.write_bytes(bytes(10 * PAGE)), "SQLITE_NOTADB"),
    "a text file": (note, "SQLITE_NOTADB"),
    "a folder": (each(Path.unlink, Path.mkdir), "is not a file"),
    "a log of later": (stale_log, "damaged"),
    "a log without its file": (each(Path.unlink, rubbish_log), "is not there"),
    "a log without content of its file": (
        each(lambda path: os.truncate(path, 0), rubbish_log),
        "is empty",
    ),
    "an index without its log": (
        each(lambda path: log_of(path).unlink(), lambda path: index_of(path).write_bytes(RUBBISH)),
        "-wal is gone",
    ),
}


@pytest.mark.parametrize(("change", "said"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_before_the_start_and_not_touched(path: Path, change: Change, said: str) -> None:
    add(path)
    inspect(path, BUSY)
    change(path)
    before = contents(path.parent)

    with pytest.raises(Misconfigured, match=said) as refused:
        inspect(path, BUSY)

    assert str(path) in str(refused.value)
    assert contents(path.parent) == before


@pytest.mark.parametrize(
    ("change", "is_found"),
    [(at(0, RUBBISH[100:], 100), True), (at(1), True), (at(6), False)],
    ids=["schema", "root", "middle"],
)
def test_of_a_large_file_the_schema_and_the_ends_are_looked_at(
    path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, *, is_found: bool
) -> None:
    monkeypatch.setattr(damage, "CHECKED_IN_FULL", 0)
    add(path)
    inspect(path, BUSY)
    change(path)

    try:
        inspect(path, BUSY)
    except Misconfigured:
        assert is_found
    else:
        assert not is_found


def test_the_log_of_a_file_that_a_link_leads_to_counts_for_how_large_it_is(path: Path) -> None:
    add(path)
    link = path.with_name("link.db")
    link.symlink_to(path)

    with closing(Open(path)) as opened:
        opened.add()
        assert damage._size(link) == damage._size(path) > path.stat().st_size


def test_a_log_that_goes_while_it_is_looked_at_is_not_one_that_may_not_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(path)
    log_of(path).write_bytes(RUBBISH)
    access = os.access

    def after_it_went(name: Path, mode: int) -> bool:
        if name == log_of(path):
            name.unlink()
        return access(name, mode)

    monkeypatch.setattr(os, "access", after_it_went)

    permit(path)


@contextmanager
def damaged(path: Path) -> Iterator[list[str]]:
    at(6)(path)
    yield []


@contextmanager
def not_to_be_read(path: Path) -> Iterator[list[str]]:
    path.chmod(0)
    yield UNPRIVILEGED


@contextmanager
def not_to_be_written(path: Path) -> Iterator[list[str]]:
    with read_only(path.parent):
        yield UNPRIVILEGED


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        (damaged, 2, "damaged"),
        (not_to_be_read, 3, "be read and written to"),
        (not_to_be_written, 3, "be read and written to"),
    ],
)
def test_a_command_that_cannot_use_the_file_ends_and_says_so(
    path: Path, state: Callable[[Path], AbstractContextManager[list[str]]], code: int, said: str
) -> None:
    add(path)
    with state(path) as prefix:
        for command in (["serve", "--port", "0", "--ops-port", "0"], ["work"])[: 2 if code == 2 else 1]:
            ended = subprocess.run(
                [*prefix, sys.executable, "-m", "acuse", *command, "--data", str(path.parent)],
                check=False, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert (ended.returncode, ended.stdout) == (code, "")
            assert f"acuse: {path}" in ended.stderr
            assert said in ended.stderr
            assert "Traceback" not in ended.stderr


def test_a_file_whose_making_was_cut_off_is_made_again(path: Path) -> None:
    """It still has a journal: the log comes later."""
    cut_off = path.with_name("cut-off.db")
    with closing(sqlite3.connect(cut_off, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")  # What is not yet committed reaches the file.
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE half (made BLOB)")
        connection.executemany("INSERT INTO half VALUES (?)", [(bytes(PAGE),)] * 20)
        for suffix in ("", "-journal"):
            shutil.copy(f"{cut_off}{suffix}", f"{path}{suffix}")
    assert path.stat().st_size > PAGE

    inspect(path, BUSY)

    with closing(Database(path, durable=True, busy=BUSY)) as database, database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
