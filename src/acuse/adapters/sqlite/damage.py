"""What is wrong with a file: found before it is written to, and said with what to do about it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from acuse.adapters.sqlite.place import Place, beside
from acuse.domain.errors import Misconfigured, StoreUnavailable

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

CHECKED_IN_FULL = 64 * 1024 * 1024
"""Bytes of file and log up to which every page is looked at before a start: a fraction of a second."""

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
BLOCKED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY})


def inspect(path: Path, busy: timedelta) -> None:
    """Nothing was found that forbids to serve from the file, and it is as it was. A file that is not there is well.

    Raises Misconfigured for what only a person can mend, StoreUnavailable for what may pass. Every page is looked at
    while file and log are small (CHECKED_IN_FULL); of larger ones the schema and both ends of each table: damage in
    between is found when it is read, as is the log of another file beside this one. Not seen at all: wrong values in
    sound pages.
    """
    place = Place(path)
    place.admit(anew=True)
    if not path.exists() or not (path.is_dir() or path.stat().st_size):
        return
    if not path.is_file():
        raise Misconfigured(f"{path} is not a file")
    try:
        # Read-only: else to close it could write into the file what the log holds, be it of this file or not.
        uri = f"{place.file.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=busy.total_seconds())) as connection:
            found = _every_page(connection) if _size(path) <= CHECKED_IN_FULL else _ends(connection)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK:
            return  # It was cut off while it was being made, before its log: who opens it to write rolls it back.
        if code(error) in DAMAGED:
            raise Misconfigured(said(error, path)) from error
        raise StoreUnavailable(said(error, path)) from error
    if found != "ok":
        raise Misconfigured(f"{path} is damaged: {found}. {_what_to_do(sqlite3.SQLITE_CORRUPT, path)}")


def code(error: sqlite3.Error) -> int:
    """The primary code of SQLite; 0 if it is an error of Python's module."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def short(error: sqlite3.Error) -> str:
    """What it is."""
    return f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}"


def said(error: sqlite3.Error, path: Path) -> str:
    """What it is, where, and what to do."""
    return f"{path}: {short(error)}. {_what_to_do(code(error), path)}".rstrip()


def _what_to_do(code: int, path: Path) -> str:
    if code in DAMAGED:
        return (
            f"Stop the service. Keep a copy of {path.name} and {path.name}-wal together. Then restore a backup, without"
            f" the {path.name}-wal of another file, or save what can be read: sqlite3 {path.name} .recover"
        )
    if code in BLOCKED:
        return f"See whether {path.parent} can be read and written to, and whether its disk is well"
    if code == sqlite3.SQLITE_FULL:
        return f"Make room on the disk of {path.parent}"
    if code == sqlite3.SQLITE_BUSY:
        return "Another process holds it"
    return ""


def _size(path: Path) -> int:
    log, _ = beside(path)
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)


def _every_page(connection: sqlite3.Connection) -> str:
    # `quick_check` takes hardly less, and does not see the log of another file where it touches indexes alone.
    return str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])


def _ends(connection: sqlite3.Connection) -> str:
    """Both ends of each table; one without rowids is kept by its first column."""
    tables = connection.execute("SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    for name, has_no_rowids in tables.fetchall():
        for order in ("ASC", "DESC"):
            column = "1" if has_no_rowids else "rowid"
            connection.execute(f'SELECT * FROM "{name}" ORDER BY {column} {order} LIMIT 1').fetchall()  # noqa: S608
    return "ok"
