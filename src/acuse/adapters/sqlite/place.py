"""The names of a database and of what SQLite keeps beside it, and the files that they led to when it was opened."""

from __future__ import annotations

import os
from pathlib import Path

from acuse.domain.errors import Misconfigured, StoreUnavailable

Identity = tuple[int, int]

LOOKS = 3
"""So often is what looks wrong looked at: others may be opening or closing the file just then."""


class Displaced(StoreUnavailable):
    """A name leads to another file than the one that is open, or to none. Its advice is for the log, once."""

    def __init__(self, state: str, advice: str) -> None:
        """The message is what is wrong."""
        super().__init__(state)
        self.advice = f"{state}: {advice}"


class Shortened(StoreUnavailable):
    """The file is shorter than it was: it was vacuumed, or something has cut it off."""


class Place:
    """SQLite goes on with the files that it has open, whatever happens to their names. This tells whether they hold."""

    def __init__(self, path: Path) -> None:
        """Nothing is known yet. A folder is looked up by its name each time: it may be replaced, too."""
        self.file = path.absolute()
        self._log, self._index = beside(self.file)
        self._names = str(self.file), str(self._log)
        self._database_taken: Identity | None = None
        self._log_taken: Identity | None = None
        self._index_taken: Identity | None = None
        self._size = 0

    def admit(self, *, anew: bool = False) -> None:
        """The file may be opened, for it is the one that was open before, if one was. `anew`: or it may be made.

        Raises Displaced, and Misconfigured where to open it would lose what its log holds.
        """
        self._log, self._index = beside(self.file)
        # The log first: what is in it was written after the file was made.
        log_size = _size(self._log)
        size = _size(self.file)
        if not size and log_size:
            state = "is not there" if size is None else "is empty"
            raise Misconfigured(
                f"{self.file} {state}, and its log {self._log} is. SQLite would remove the log, and what it holds."
                " Put back the file that it belongs to, or move the log away, and start again"
            )
        if size is None and not anew:
            raise self._displaced(self.file, "is not there")
        if self._database_taken not in {None, _identity(self.file)}:
            raise self._displaced(self.file, "is not the file that was open")
        if all(self._is_orphaned() for _ in range(LOOKS)):
            raise Misconfigured(
                f"{self._log} is gone, and {self._index} is not: the log was removed. Stop all that uses the file and"
                f" put the log back. If it is lost, then so is what had not reached {self.file}: remove {self._index},"
                " and start again"
            )

    def take(self) -> None:
        """What the names lead to now is what is open. All of it is there once something was read."""
        self._log, self._index = beside(self.file)
        database = self.file.stat()
        identity = database.st_dev, database.st_ino
        if self._database_taken not in {None, identity}:
            raise self._displaced(self.file, "is not the file that was open")
        self._names = str(self.file), str(self._log)
        self._database_taken = identity
        self._size = database.st_size
        self._log_taken = _identity(self._log)
        self._index_taken = _identity(self._index)

    def check(self) -> None:
        """The names of the file and its log lead to what was taken; else Displaced or Shortened."""
        try:
            # Before and after every write, and as texts: a Path takes half as long again.
            database, log = os.stat(self._names[0]), os.stat(self._names[1])  # noqa: PTH116
        except OSError as error:
            raise self._displaced(error.filename, f"cannot be reached ({error.strerror})") from error
        if (database.st_dev, database.st_ino) != self._database_taken:
            raise self._displaced(self.file, "is not the file that is open")
        if (log.st_dev, log.st_ino) != self._log_taken:
            raise self._displaced(self._log, "is not the log that is open")
        if database.st_size != self._size:
            if not database.st_size:
                raise self._displaced(self.file, "is empty")
            if database.st_size < self._size:
                raise Shortened(f"{self.file} has become shorter: {database.st_size} bytes, not {self._size}")
            self._size = database.st_size

    def holds_but_for_its_log(self) -> bool:
        """Whether the log alone has lost its name, and nobody can have begun another one beside it.

        Whoever opens the file by its name would either share our index or make one.
        """
        if _identity(self.file) != self._database_taken or _identity(self._log) == self._log_taken:
            return False
        index = _identity(self._index)
        return index == self._index_taken or (index is None and _identity(self._log) is None)

    def _is_orphaned(self) -> bool:
        # SQLite makes the log before its index, and removes it after.
        return _size(self._log) is None and _size(self._index) is not None and _size(self._log) is None

    def _displaced(self, name: object, state: str) -> Displaced:
        return Displaced(
            f"{name} {state}",
            f"put {self.file} and its {self._log} back as they were, or stop the service, put them back and start it."
            f" What was deleted can be copied from /proc/{os.getpid()}/fd until it is stopped",
        )


def beside(file: Path) -> tuple[Path, Path]:
    """The log and its index. SQLite has them where the file is, not where a link to it is."""
    real = Path(os.path.realpath(file))  # Not `resolve`: links in a circle are for `stat` to refuse.
    return real.with_name(f"{real.name}-wal"), real.with_name(f"{real.name}-shm")


def _identity(name: Path) -> Identity | None:
    try:
        found = name.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _size(name: Path) -> int | None:
    try:
        return name.stat().st_size
    except OSError:
        return None
