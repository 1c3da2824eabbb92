"""Whether SQLite can do its work in a folder: tried there, beside the database, which stays as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from acuse.adapters.sqlite.damage import inspect, said
from acuse.adapters.sqlite.database import APPLICATION_ID, schema_version
from acuse.adapters.sqlite.keyring import keys_in
from acuse.adapters.sqlite.place import beside
from acuse.adapters.sqlite.rows import moment
from acuse.domain.errors import Misconfigured, StoreUnavailable
from acuse.domain.finding import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from acuse.domain.api_key import ApiKey

COMMITS = 20
"""Tried to learn how long one takes."""
SCARCE = 1_073_741_824
"""Bytes of free disk below which a warning is due; a sixteenth of that is a failure."""
AHEAD_SECONDS = 1.0
"""How far a record may lie in the future before the clock is suspected."""

TABLES = "SELECT count(*) FROM sqlite_master"
VERSIONS = "application_id", "user_version"
NEWEST = "SELECT max(created_at) FROM (SELECT created_at FROM record ORDER BY seq DESC LIMIT 1000)"


def examine(file: Path, busy: timedelta, now: datetime) -> Iterator[Finding]:
    """What is found of the folder, its disk, and the database in it, which need not be there yet."""
    folder = file.parent
    try:
        found = _folder(folder)
    except OSError as error:
        found = Finding(Level.FAILURE, "data folder", f"{error.filename}: {error.strerror}")
    yield found
    if found.level is Level.FAILURE:
        return
    near = _nearest(folder)
    yield _disk(near)
    yield from _commits(near)
    with _left_as_it_was(file):
        yield from _database(file, busy, now)


def known_keys(file: Path, busy: timedelta) -> list[ApiKey]:
    """The keys in the file, if it is there; it is only read. Raises StoreUnavailable when it cannot be."""
    if not file.exists():
        return []
    try:
        with _left_as_it_was(file), _reading(file, busy) as one:
            return keys_in(one)
    except sqlite3.Error as error:
        raise StoreUnavailable(said(error, file)) from error


def _folder(folder: Path) -> Finding:
    near = _nearest(folder)
    if not near.is_dir():
        return Finding(Level.FAILURE, "data folder", f"{near} is not a folder")
    if not os.access(near, os.R_OK | os.W_OK | os.X_OK):
        return Finding(Level.FAILURE, "data folder", f"{near} may not be read and written to by this user")
    if near != folder:
        return Finding(Level.OK, "data folder", f"{folder} is not there yet, and can be made")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        advice = f"{folder} is open to other users of this machine (mode {mode:o}): chmod 700 keeps them out"
        return Finding(Level.WARNING, "data folder", advice)
    return Finding(Level.OK, "data folder", f"{folder} is its owner's alone")


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that is there, if only as a link that leads nowhere."""
    return next(one for one in (folder, *folder.parents) if one.exists() or one.is_symlink())


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free at {folder}"
    if free < SCARCE // 16:
        return Finding(Level.FAILURE, "disk", f"{detail}: make room")
    return Finding(Level.OK if free >= SCARCE else Level.WARNING, "disk", detail)


def _commits(folder: Path) -> Iterator[Finding]:
    """A database of its own tells whether logs, locks and syncs work on this file system."""
    try:
        with tempfile.TemporaryDirectory(prefix=".acuse-check-", dir=folder) as scratch:
            yield from _tried(Path(scratch) / "try.db")
    except (OSError, sqlite3.Error) as error:
        text = said(error, folder / "try.db") if isinstance(error, sqlite3.Error) else str(error)
        yield Finding(Level.FAILURE, "commits", text)


def _tried(file: Path) -> Iterator[Finding]:
    with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as one:
        if one.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            yield Finding(Level.FAILURE, "commits", "no write-ahead log can be kept here: is it a network file system?")
            return
        one.execute("PRAGMA synchronous = FULL")
        one.execute("PRAGMA fullfsync = ON")
        one.execute("CREATE TABLE tried (value INTEGER)")
        took = [_commit(one) for _ in range(COMMITS)]
        yield Finding(Level.OK, "commits", f"one is on disk after {median(took) * 1e3:.2g} ms")
        with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as other:
            one.execute("BEGIN IMMEDIATE")
            yield _locks(other)


def _commit(connection: sqlite3.Connection) -> float:
    began = time.perf_counter()
    connection.execute("INSERT INTO tried VALUES (1)")
    return time.perf_counter() - began


def _locks(other: sqlite3.Connection) -> Finding:
    """While one writes, another must be kept from it."""
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return Finding(Level.OK, "locks", "two processes cannot write at once")
    return Finding(Level.FAILURE, "locks", "two processes can write at once: the file system keeps no locks")


def _database(file: Path, busy: timedelta, now: datetime) -> Iterator[Finding]:
    try:
        permit(file)
        inspect(file, busy)
    except (Misconfigured, StoreUnavailable) as error:
        yield Finding(Level.FAILURE, "database", str(error))
        return
    if not file.exists():
        yield Finding(Level.OK, "database", f"{file} is not there yet, and will be made")
        return
    try:
        with _reading(file, busy) as one:
            if not one.execute(TABLES).fetchone()[0]:
                yield Finding(Level.OK, "database", f"{file} is empty, and will be made")
                return
            application, schema = (one.execute(f"PRAGMA {name}").fetchone()[0] for name in VERSIONS)
            newest = one.execute(NEWEST).fetchone()[0] if application == APPLICATION_ID else None
    except sqlite3.Error as error:
        yield Finding(Level.FAILURE, "database", said(error, file))
        return
    yield _schema(file, application, schema)
    if newest is not None and (moment(newest) - now).total_seconds() > AHEAD_SECONDS:
        ahead = f"the newest record is of {moment(newest):%Y-%m-%d %H:%M:%S} UTC, which has not come yet: set the clock"
        yield Finding(Level.WARNING, "clock", ahead)


def _reading(file: Path, busy: timedelta) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=busy.total_seconds()))


@contextmanager
def _left_as_it_was(file: Path) -> Iterator[None]:
    """Who only reads leaves an empty log and its index, which the last who may write removes.

    A log that was there before stays: it may hold what is not in the file yet, or be that of another file, which would
    go into this one.
    """
    log, _ = beside(file)
    had_log = log.exists()
    try:
        yield
    finally:
        if log.exists() and not had_log:
            with (
                suppress(sqlite3.Error),
                closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as one,
            ):
                one.execute(TABLES).fetchone()


def permit(file: Path) -> None:
    """It may be read and written to, and what is beside it, as another user left it; else StoreUnavailable."""
    for name in (file, *beside(file)):
        # Looked for again, for another process that closes the file may have removed its log meanwhile.
        if name.exists() and not os.access(name, os.R_OK | os.W_OK) and name.exists():
            raise StoreUnavailable(f"{name} may not be read and written to by this user")


def _schema(file: Path, application: int, schema: int) -> Finding:
    known = schema_version()
    if application != APPLICATION_ID:
        return Finding(Level.FAILURE, "database", f"{file} is a database of another application")
    if schema > known:
        return Finding(Level.FAILURE, "database", f"{file} has schema {schema}; this version of acuse knows {known}")
    size = f"{file.stat().st_size / 1e6:.1f} MB"
    later = f"; its schema {schema} will be brought to {known}" if schema < known else ""
    return Finding(Level.OK, "database", f"nothing wrong was found in {file} ({size}){later}")
