"""acuse over SQLite as a subject: `acuse serve`, with a journal inside its own database."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from acuse.adapters.sqlite.database import Database
from acuse.bootstrap import DATABASE
from acuse.domain.record import Key
from tests.acceptance.service import children, exists, until
from tests.torture.actions import BOOK
from tests.torture.subject import Kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ACTIONS = Path(__file__).parent / "actions.py"

# Every change of a row that has ended, or ends by it, is written down in the same transaction: a second ending would
# leave a second line.
JOURNAL = """
CREATE TABLE IF NOT EXISTS torture_journal (id TEXT NOT NULL, part INTEGER NOT NULL, at REAL NOT NULL);
CREATE TRIGGER IF NOT EXISTS torture_ending AFTER UPDATE ON record
WHEN NEW.status <> 'accepted' OR OLD.status <> 'accepted'
BEGIN INSERT INTO torture_journal VALUES (NEW.id, NEW.part, (julianday('now') - 2440587.5) * 86400.0); END;
"""

LEASED = """
SELECT id, part FROM record
WHERE lease IS NOT NULL AND status = 'accepted' AND NOT (part = 0 AND action = 'sum-up' AND parts IS NULL)
"""


class Service:
    """See Subject. Runs until the block is left."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int,
        runners: int,
        lease: timedelta,
        actions: Sequence[Path] = (ACTIONS,),
        **environment: str,
    ) -> None:
        """Its database is there, with the journal; nothing runs yet."""
        self._folder = folder
        self._file = folder / "data" / DATABASE
        self._file.parent.mkdir(parents=True)
        Database(self._file, durable=True, busy=timedelta(seconds=2)).close()
        with closing(sqlite3.connect(self._file)) as connection:
            connection.executescript(JOURNAL)
        self._port = _free_port()
        self._environment = {
            **os.environ,
            "ACUSE_LEASE": str(lease.total_seconds()),
            "ACUSE_DRAIN": "5",
            "ACUSE_ACTIONS": ",".join(map(str, actions)),
            BOOK: str(self._book),
            **environment,
        }
        self._options = ["--workers", str(workers), "--runners", str(runners)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """See Subject."""
        return f"http://127.0.0.1:{self._port}/v1/requests"

    @property
    def log(self) -> Path:
        """What the service says."""
        return self._folder / "service.log"

    @property
    def _book(self) -> Path:
        return self._folder / "book"

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            self._kill()

    def targets(self) -> Mapping[str, list[int]]:
        """See Subject."""
        found: dict[str, list[int]] = defaultdict(list)
        for pid, arguments in self._children():
            if '"kind":"api"' in arguments:
                found["api"].append(pid)
            elif '"kind":"worker"' in arguments:
                found["worker"].append(pid)
                found["runner"] += children(pid)
        return found

    def restart(self) -> None:
        """See Subject."""
        self._kill()
        self._start()

    def leased(self) -> list[Key]:
        """See Subject."""
        return [Key(*row) for row in self._select(LEASED)]

    def endings(self) -> Mapping[Key, list[float]]:
        """See Subject."""
        found: dict[Key, list[float]] = defaultdict(list)
        for id_, part, at in self._select("SELECT id, part, at FROM torture_journal ORDER BY at"):
            found[Key(id_, part)].append(at)
        return found

    def waiting(self) -> int:
        """See Subject."""
        return int(self._select("SELECT count(*) FROM record WHERE status = 'accepted'")[0][0])

    def kept(self) -> Mapping[str, Kept]:
        """See Subject."""
        endings = self.endings()
        parts: dict[str, dict[int, tuple[str, str | None]]] = defaultdict(dict)
        for id_, part, status, result in self._select("SELECT id, part, status, result FROM record WHERE part > 0"):
            parts[id_][part] = (status, result)
        kept: dict[str, Kept] = {}
        rows = self._select("SELECT id, body, status, result, created_at, parts, parts_left FROM record WHERE part = 0")
        for id_, body, status, result, _, planned, left in rows:
            own = parts.pop(id_, {})
            amiss = [
                f"part {part} ended {len(endings[Key(id_, part)])} times, as {ended} with {found}"
                for part, (ended, found) in own.items()
                if len(endings.get(Key(id_, part), ())) != 1 or (ended, found) != ("finished", str(part))
            ]
            if sorted(own) != list(range(1, (planned or 0) + 1)) or left:
                amiss.append(f"{planned} parts were planned, {left} are left, {len(own)} are there")
            kept[id_] = Kept(
                members=msgspec.json.decode(body),
                status=status,
                result=None if result is None else msgspec.json.decode(result),
                endings=len(endings.get(Key(id_), ())),
                amiss=tuple(amiss),
            )
        orphans = {id_: Kept(members={}, status="", endings=0, amiss=("parts without a request",)) for id_ in parts}
        return kept | orphans

    def runs(self) -> Mapping[Key, int]:
        """See Subject."""
        lines = self._book.read_text().splitlines() if self._book.exists() else []
        return Counter(Key(id_, int(part)) for id_, part in (line.split() for line in lines))

    def damage(self) -> list[str]:
        """What SQLite finds wrong with the file."""
        return [row[0] for row in self._select("PRAGMA integrity_check") if row[0] != "ok"]

    def _start(self) -> None:
        arguments = ["serve", "--data", str(self._file.parent), "--port", str(self._port), "--ops-port", "0"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "acuse", *arguments, *self._options],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=self._environment,
            )
        until(self._listens, "the service")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-2_000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _kill(self) -> None:
        process = self._process
        assert process is not None
        family = [process.pid, *(pid for pid, _ in self._children())]
        family += [grandchild for pid in family[1:] for grandchild in children(pid)]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        until(lambda: not any(exists(pid) for pid in family), "the end of every process")
        self._process = None

    def _children(self) -> Iterator[tuple[int, str]]:
        if self._process is not None:
            yield from children(self._process.pid).items()

    def _select(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self._file, timeout=60)) as connection:
            return connection.execute(query).fetchall()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
