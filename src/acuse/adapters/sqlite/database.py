"""One SQLite file: how it is opened, migrated, and written to."""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

from acuse.adapters.sqlite.damage import code, inspect, said, short
from acuse.adapters.sqlite.place import Displaced, Place, Shortened
from acuse.domain.errors import Misconfigured, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import timedelta
    from pathlib import Path

log = logging.getLogger(__name__)

T = TypeVar("T")

APPLICATION_ID = 0x61637573
MIN_SQLITE = (3, 37, 0)
RETRY_SECONDS = 0.001
STUCK_SECONDS = 0.05
"""How long to wait for another's write once a wait was in vain, until one gets through: those behind it have waited."""

# A connection may not get over these though the file does; a new one takes the file as it is then.
BROKEN = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY,
    }
)  # fmt: skip


# Of these a write elsewhere in the file says nothing; the others have passed when one succeeds, and are told anew.
LASTING = frozenset({str(sqlite3.SQLITE_CORRUPT), str(sqlite3.SQLITE_NOTADB)})


class Database:
    """One connection, for one process, behind a lock. Open it after fork: SQLite connections do not survive one.

    When the file fails, whoever uses it hears StoreUnavailable, until it is well again: then all goes on by itself.
    So it is while another file, or none, has its name or that of its log. What was written then is never acknowledged.
    """

    def __init__(self, path: Path, *, durable: bool, busy: timedelta, anew: bool = True) -> None:
        """Opened. `durable`: a commit returns after fsync. `busy`: how long to wait for another process's write.

        `anew`: it is made if it is not there, and migrated if it is old. Raises Misconfigured for a file of another
        kind or of a newer version, StoreUnavailable when it cannot be opened.
        """
        if sqlite3.sqlite_version_info < MIN_SQLITE:
            raise Misconfigured(f"SQLite {'.'.join(map(str, MIN_SQLITE))} or later is needed (STRICT tables)")
        self._path = path
        self._durable = durable
        self._busy = busy
        self._busy_seconds = busy.total_seconds()
        self._is_stuck = False
        self._is_closed = False
        self._is_doubtful = False
        self._told: set[str] = set()
        self._lock = threading.RLock()
        self._steps = _migrations()
        self._place = Place(path)
        self._connection: sqlite3.Connection | None = None
        try:
            if anew:
                self._connect("rwc", self._configure, self._migrate)
            else:
                self._connect("rw", self._check, self._configure)
        except sqlite3.Error as error:
            raise StoreUnavailable(said(error, path)) from error

    def close(self) -> None:
        """The connection is closed; its statements no longer work."""
        with self._lock:
            self._is_closed = True
            self._disconnect()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; every statement sees what is committed by then."""
        with self._lock:
            try:
                connection = self._connection or self._reconnect()
                self._verify(connection)
                yield connection
            except sqlite3.Error as error:
                if code(error) in BROKEN:
                    self._disconnect()
                    self._tell(str(code(error)), said(error, self._path))
                raise StoreUnavailable(short(error)) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from the start; committed at the end, or nothing of it stays."""
        with self.reading() as connection:
            with self._transaction(connection):
                yield connection
            self._verify(connection)
            self._told &= LASTING

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; all of its statements see what is committed by the first of them."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def write(self, statement: str, values: Sequence[object]) -> sqlite3.Cursor:
        """One statement, committed. As a transaction of its own it gives up the interpreter's lock once, not thrice."""
        with self.reading() as connection:
            cursor = self._patiently(lambda: connection.execute(statement, values))
            self._verify(connection)
            self._told &= LASTING
            return cursor

    def version(self) -> int:
        """Changes when another connection has committed. Cheap: it looks at shared memory, not at the disk."""
        with self.reading() as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def _verify(self, connection: sqlite3.Connection) -> None:
        """What goes through the connection is in the files that the names lead to."""
        try:
            self._place.check()
        except Displaced as error:
            # The connection stays: it is right again when the names are, and until then it keeps what was deleted.
            if not connection.in_transaction and self._place.holds_but_for_its_log():
                with suppress(sqlite3.Error):
                    connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
            self._tell("place", error.advice)
            raise
        except Shortened:
            self._is_doubtful = True
            if not connection.in_transaction:
                self._disconnect()
            raise
        self._told.discard("place")

    def _tell(self, fault: str, message: str) -> None:
        """It is in the log, once."""
        if fault not in self._told:
            self._told.add(fault)
            log.error("the database cannot be used", extra={"error": message})

    @contextmanager
    def _transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        self._patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                if connection.in_transaction:
                    self._disconnect()
            raise

    def _patiently(self, begin: Callable[[], T]) -> T:
        # SQLite's own busy handler backs off up to 100 ms, so that a busy writer starves the others.
        patience = min(STUCK_SECONDS, self._busy_seconds) if self._is_stuck else self._busy_seconds
        deadline = time.monotonic() + patience
        while True:
            try:
                begun = begin()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() >= deadline:
                    self._is_stuck = True
                    raise
                time.sleep(RETRY_SECONDS)
            else:
                self._is_stuck = False
                return begun

    def _reconnect(self) -> sqlite3.Connection:
        """A file that is gone is not made anew: what it held would be lost without a word."""
        if self._is_closed:
            raise StoreUnavailable("the database is closed")
        try:
            if self._is_doubtful:
                self._place.admit()
                inspect(self._path, self._busy)
                self._is_doubtful = False
            return self._connect("rw", self._check, self._configure)
        except Displaced as error:
            self._tell("place", error.advice)
            raise
        except Misconfigured as error:
            self._tell("place", str(error))
            raise StoreUnavailable(str(error)) from error

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _connect(self, mode: str, *steps: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
        self._place.admit(anew=mode == "rwc")
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            timeout=self._busy_seconds,
        )
        try:
            for step in steps:
                step(connection)
            connection.execute("PRAGMA busy_timeout = 0")
            self._place.take()
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _configure(self, connection: sqlite3.Connection) -> None:
        execute = connection.execute
        # To turn the log on takes a lock that SQLite does not wait for.
        if self._patiently(lambda: execute("PRAGMA journal_mode = WAL").fetchone()[0]) != "wal":
            raise Misconfigured("the database cannot use a write-ahead log; is it on a network file system?")
        execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        execute("PRAGMA fullfsync = ON")
        execute("PRAGMA temp_store = MEMORY")
        execute("PRAGMA journal_size_limit = 67108864")
        execute("PRAGMA wal_autocheckpoint = 8000")

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        version, application = _pragma(connection, "user_version"), _pragma(connection, "application_id")
        return version == len(self._steps) and application == APPLICATION_ID

    def _check(self, connection: sqlite3.Connection) -> None:
        if self._is_ours(connection):
            return
        version, known = _pragma(connection, "user_version"), len(self._steps)
        if _pragma(connection, "application_id") != APPLICATION_ID:
            raise Misconfigured(f"{self._path} is no database of acuse, or no longer the database that it was")
        if version < known:
            raise Misconfigured(f"the database has schema {version}: once acuse serve has begun here, it has {known}")
        raise Misconfigured(f"the database has schema {version}; this version of acuse knows {known}")

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if self._is_ours(connection):
            return
        steps = self._steps
        with self._transaction(connection):
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


def schema_version() -> int:
    """The version that a file has once it was opened."""
    return len(_migrations())


def _migrations() -> list[list[str]]:
    """The statements of each step, in order; the number of steps is the version of the schema."""
    folder = resources.files(__package__) / "schema"
    scripts = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [_statements(file.read_text("utf-8")) for file in scripts]


def _statements(script: str) -> list[str]:
    statements = [""]
    for piece in re.findall(r"[^;]*;", re.sub(r"--[^\n]*", "", script)):
        statements[-1] += piece
        if sqlite3.complete_statement(statements[-1]):  # A trigger has semicolons of its own.
            statements.append("")
    return [one.strip().removesuffix(";") for one in statements[:-1]]


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
