"""A peer as a subject of the torture: its processes, and what its database says."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPException
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import msgspec
from tests.acceptance.service import until
from tests.torture.subject import Kept

from acuse.domain.record import Key
from bench.peers.intake import PATH
from bench.peers.job import BOOK
from bench.peers.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SETTLED_SECONDS = 2.0
LAST_BEGUN = 8
METHOD_NOT_ALLOWED = 405
JOURNAL = (
    "CREATE TABLE IF NOT EXISTS torture_journal (id TEXT NOT NULL, at REAL NOT NULL DEFAULT"
    " ((julianday('now') - 2440587.5) * 86400.0))"
)


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """How a peer is started, and how its database is read.

    `code`: what bench.peers.serve calls it. `prepare`: what is said to SQLite before the peer makes its tables.
    `journal`: a trigger by which every ending that is recorded leaves a line, in the same transaction.
    `waiting`: how many have not ended; `leased`: the ids of those that run now, where the peer knows it.
    """

    name: str
    code: str
    prepare: str = ""
    journal: str
    waiting: str
    leased: str | None = None


DBOS = Peer(
    name="dbos",
    code="dbos",
    journal=(
        "CREATE TRIGGER IF NOT EXISTS torture_ending AFTER UPDATE OF status ON workflow_status"
        " WHEN NEW.status IN ('SUCCESS', 'ERROR') OR OLD.status IN ('SUCCESS', 'ERROR')"
        " BEGIN INSERT INTO torture_journal (id) VALUES (NEW.workflow_uuid); END"
    ),
    waiting="SELECT count(*) FROM workflow_status WHERE status NOT IN ('SUCCESS', 'ERROR')",
    leased="SELECT workflow_uuid FROM workflow_status WHERE status = 'PENDING'",
)
DBOS_WAL = msgspec.structs.replace(DBOS, name="dbos-wal", prepare="PRAGMA journal_mode = WAL")
_HUEY_JOURNAL = (
    "CREATE TRIGGER IF NOT EXISTS torture_ending AFTER INSERT ON kv WHEN instr(NEW.key, ':') = 0"
    " BEGIN INSERT INTO torture_journal (id) VALUES (NEW.key); END"
)
_HUEY_WAITING = "SELECT count(*) FROM task"
HUEY = Peer(name="huey", code="huey", journal=_HUEY_JOURNAL, waiting=_HUEY_WAITING)
HUEY_SAFEST = msgspec.structs.replace(HUEY, name="huey-safest", code="huey-safest")
PEERS = (DBOS, DBOS_WAL, HUEY, HUEY_SAFEST)


class PeerService:
    """See Subject. Runs until the block is left."""

    def __init__(self, folder: Path, peer: Peer, *, python: Path, workers: int) -> None:
        """`python`: of the virtual environment that has the peers."""
        self._folder = folder
        self._file = folder / "queue.db"
        self._peer = peer
        self._command = [str(python), "-m", "bench.peers.serve", peer.code]
        self._workers = [f"worker-{number}" for number in range(1, workers + 1)]
        self._environment = {**os.environ, BOOK: str(self._book)}
        self._block = ExitStack()
        self._last = (-1, 0.0)

    def __enter__(self) -> Self:
        with ExitStack() as block:
            if self._peer.prepare:
                with closing(sqlite3.connect(self._file)) as connection:
                    connection.execute(self._peer.prepare)
            # It stays open while the intake is started again, as `acuse serve` and systemd's sockets do it.
            listening = block.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
            self._port = int(listening.getsockname()[1])
            fd = listening.fileno()
            commands = {name: self._role("worker", "--name", name) for name in self._workers}
            commands["api"] = self._role("api", "--fd", str(fd))
            self._keeper = block.enter_context(
                Keeper(commands, log=self._folder / "service.log", environment=self._environment, fds=[fd])
            )
            until(self._has_its_journal, "the tables of the peer")
            until(self._answers, "the peer's intake")
            self._block = block.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._block.close()

    @property
    def url(self) -> str:
        """See Subject."""
        return f"http://127.0.0.1:{self._port}{PATH}"

    def targets(self) -> Mapping[str, list[int]]:
        """See Subject. What runs an action is the worker itself, so that it is struck as a runner, too."""
        pids = self._keeper.pids()
        workers = [pids[name] for name in self._workers if name in pids]
        return {"api": [pids["api"]] if "api" in pids else [], "worker": workers, "runner": workers}

    def restart(self) -> None:
        """See Subject."""
        self._keeper.restart()
        until(self._answers, "the peer's intake")

    def leased(self) -> list[Key]:
        """See Subject. Where the peer does not know it: what was begun last, and has no ending."""
        if self._peer.leased is not None:
            return [Key(id_) for (id_,) in self._select(self._peer.leased)]
        begun = set(self._begun()[-LAST_BEGUN:])
        ended = {id_ for (id_,) in self._select("SELECT id FROM torture_journal")} if begun else set()
        return [Key(id_) for id_ in begun - ended]

    def endings(self) -> Mapping[Key, list[float]]:
        """See Subject."""
        found: dict[Key, list[float]] = defaultdict(list)
        for id_, at in self._select("SELECT id, at FROM torture_journal ORDER BY at"):
            found[Key(id_)].append(at)
        return found

    def waiting(self) -> int:
        """See Subject. What was taken out of a queue that keeps nothing of it is waited for until no ending comes."""
        ended = self._select("SELECT count(*) FROM torture_journal")[0][0]
        left = int(self._select(self._peer.waiting)[0][0])
        before, since = self._last
        if left or ended != before:
            self._last = (ended, monotonic())
            return left or 1
        return int(monotonic() - since < SETTLED_SECONDS)

    def kept(self) -> Mapping[str, Kept]:
        """See Subject."""
        read = subprocess.run(self._role("read"), check=True, capture_output=True, env=self._environment)
        endings = self.endings()
        return dict(_kept(line, endings) for line in read.stdout.splitlines())

    def damage(self) -> list[str]:
        """See Subject."""
        return [row[0] for row in self._select("PRAGMA integrity_check") if row[0] != "ok"]

    def runs(self) -> Mapping[Key, int]:
        """See Subject."""
        return Counter(map(Key, self._begun()))

    def _begun(self) -> list[str]:
        return [line.split()[0] for line in self._book.read_text().splitlines()] if self._book.exists() else []

    @property
    def _book(self) -> Path:
        return self._folder / "book"

    def _role(self, role: str, *arguments: str) -> list[str]:
        return [*self._command, role, "--file", str(self._file), *arguments]

    def _has_its_journal(self) -> bool:
        try:
            with closing(sqlite3.connect(f"file:{self._file}?mode=rw", uri=True, timeout=60)) as connection:
                connection.execute(JOURNAL)
                connection.execute(self._peer.journal)
        except sqlite3.OperationalError:  # The peer has not made its tables yet.
            return False
        return True

    def _answers(self) -> bool:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=5)) as connection:
            try:
                connection.request("GET", PATH)
                return connection.getresponse().status == METHOD_NOT_ALLOWED
            except (OSError, HTTPException):
                return False

    def _select(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self._file, timeout=60)) as connection:
            return connection.execute(query).fetchall()


def _kept(line: bytes, endings: Mapping[Key, list[float]]) -> tuple[str, Kept]:
    one = msgspec.json.decode(line)
    id_ = one["members"]["id"]
    count = len(endings.get(Key(id_), ()))
    return id_, Kept(members=one["members"], status=one["status"] or "", result=one["result"], endings=count)
