"""One SQLite file: how it is opened, migrated, and written to."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

from acuse.domain.errors import Misconfigured, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import timedelta
    from pathlib import Path

T = TypeVar("T")

APPLICATION_ID = 0x61637573
MIN_SQLITE = (3, 37, 0)
RETRY_SECONDS = 0.001


class Database:
    """One connection, for one process, behind a lock. Open it after fork: SQLite connections do not survive one."""

    def __init__(self, path: Path, *, durable: bool, busy: timedelta) -> None:
        """Opened, and migrated if it is new or old. `durable`: a commit returns after fsync.

        `busy`: how long to wait for another process's write. Raises Misconfigured for a file of another kind or of a
        newer version, StoreUnavailable when it cannot be opened.
        """
        if sqlite3.sqlite_version_info < MIN_SQLITE:
            raise Misconfigured(f"SQLite {'.'.join(map(str, MIN_SQLITE))} or later is needed (STRICT tables)")
        self._busy_seconds = busy.total_seconds()
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=self._busy_seconds
            )
            # To turn the log on takes a lock that SQLite does not wait for.
            self._patiently(lambda: self._configure(durable=durable))
            self._migrate()
        except sqlite3.Error as error:
            raise _translated(error) from error
        self._connection.execute("PRAGMA busy_timeout = 0")

    def close(self) -> None:
        """The connection is closed; its statements no longer work."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; every statement sees what is committed by then."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise _translated(error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from the start; committed at the end, or nothing of it stays."""
        with self.reading() as connection:
            self._patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def write(self, statement: str, values: Sequence[object]) -> sqlite3.Cursor:
        """One statement, committed. As a transaction of its own it gives up the interpreter's lock once, not thrice."""
        with self.reading() as connection:
            return self._patiently(lambda: connection.execute(statement, values))

    def version(self) -> int:
        """Changes when another connection has committed. Cheap: it looks at shared memory, not at the disk."""
        with self.reading() as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def _patiently(self, begin: Callable[[], T]) -> T:
        # SQLite's own busy handler backs off up to 100 ms, so that a busy writer starves the others.
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                return begin()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(RETRY_SECONDS)

    def _configure(self, *, durable: bool) -> None:
        execute = self._connection.execute
        if execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise Misconfigured("the database cannot use a write-ahead log; is it on a network file system?")
        execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        execute("PRAGMA fullfsync = ON")
        execute("PRAGMA temp_store = MEMORY")
        execute("PRAGMA journal_size_limit = 67108864")
        execute("PRAGMA wal_autocheckpoint = 8000")

    def _migrate(self) -> None:
        connection = self._connection
        steps = _migrations()
        if (
            _pragma(connection, "user_version") == len(steps)
            and _pragma(connection, "application_id") == APPLICATION_ID
        ):
            return
        with self.writing():
            version = _pragma(connection, "user_version")
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if (version or tables) and _pragma(connection, "application_id") != APPLICATION_ID:
                raise Misconfigured("the file is a database of another application")
            if version > len(steps):
                raise Misconfigured(f"the database has schema {version}; this version of acuse knows {len(steps)}")
            for step in steps[version:]:
                for statement in step:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(steps)}")


def _migrations() -> list[list[str]]:
    """The statements of each step, in order; the number of steps is the version of the schema."""
    folder = resources.files(__package__) / "schema"
    scripts = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [_statements(file.read_text("utf-8")) for file in scripts]


def _statements(script: str) -> list[str]:
    bare = re.sub(r"--[^\n]*", "", script)
    return [statement for part in bare.split(";") if (statement := part.strip())]


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _translated(error: sqlite3.Error) -> StoreUnavailable:
    return StoreUnavailable(f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}")
