"""The adapters of SQLite over one file, each made when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from acuse.adapters.sqlite.damage import inspect
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.examination import examine, known_keys, permit
from acuse.adapters.sqlite.keyring import SqliteKeyring
from acuse.adapters.sqlite.overview import SqliteOverview
from acuse.adapters.sqlite.place import beside
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path

    from acuse.domain.api_key import ApiKey
    from acuse.domain.finding import Finding
    from acuse.ports import Clock


class SqliteBackend:
    """See Store, Queue, Keyring and Overview. Each has a connection of its own, and waits for all others."""

    def __init__(
        self,
        clock: Clock,
        *,
        file: Path,
        lease: timedelta,
        busy: timedelta,
        bounds: Callable[[], Mapping[str, int | None]],
        anew: bool = True,
    ) -> None:
        """`bounds` is asked for when the queue is. `anew`: a file that is not there is made."""
        self._clock = clock
        self._file = file
        self._lease = lease
        self._busy = busy
        self._bounds = bounds
        self._anew = anew
        self._databases: list[Database] = []

    def close(self) -> None:
        """Every connection is closed; what was made of them no longer works."""
        for database in self._databases:
            database.close()

    def inspect(self) -> None:
        """Nothing was found that forbids to serve from the file; else Misconfigured or StoreUnavailable says what."""
        permit(self._file)  # A commit of nothing, by which readiness is known, would succeed.
        inspect(self._file, self._busy)

    def inspect_log(self) -> None:
        """The same if there is a log: who closes the file puts it in, also if it is that of another file."""
        log, _ = beside(self._file)
        if log.exists():
            inspect(self._file, self._busy)

    def examine(self) -> Iterator[Finding]:
        """What is found of the folder, its disk and the file, which stay as they are."""
        return examine(self._file, self._busy, self._clock.now())

    def known_keys(self) -> list[ApiKey]:
        """The keys in the file, which stays as it is; it need not be there."""
        return known_keys(self._file, self._busy)

    @cached_property
    def store(self) -> SqliteStore:
        """The file, with every commit on disk."""
        return SqliteStore(self._database(durable=True), self._clock)

    @cached_property
    def queue(self) -> SqliteQueue:
        """What is due in the file."""
        return SqliteQueue(self._database(durable=False), self._clock, lease=self._lease, bounds=self._bounds())

    @cached_property
    def keyring(self) -> SqliteKeyring:
        """The keys in the file."""
        return SqliteKeyring(self._database(durable=True))

    @cached_property
    def overview(self) -> SqliteOverview:
        """What is in the file."""
        return SqliteOverview(self._database(durable=False), self._clock, lease=self._lease)

    def _database(self, *, durable: bool) -> Database:
        folder = self._file.parent
        if self._anew:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise Misconfigured(f"the data folder {folder} cannot be made: {error}") from error
        self._databases.append(Database(self._file, durable=durable, busy=self._busy, anew=self._anew))
        return self._databases[-1]
