"""Records a second by NDJSON in one request, against raw inserts into SQLite with the same batch size, in turn.

The server has one process, the client another. `python -m bench.bulk --help` lists the options.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import socket
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from acuse.adapters.clock import SystemClock
from acuse.adapters.sqlite.backend import SqliteBackend
from acuse.bootstrap import DATABASE, Service
from acuse.config import Settings
from acuse.entrypoints.process import serve_api

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INSERT = (
    "INSERT INTO record (id, part, action, body, fingerprint, created_at, due_at)"
    " VALUES (?, 0, 'delay', ?, ?, 1700000000000000, 1700000000000000)"
)

LINE = b'{"id":"%b-0000-7000-8000-%012x","action":"delay","seconds":0,"note":"for the benchmark"}\n'


def main() -> None:
    """Print the rate of each round, the ratio, and how the server's memory grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the database lies; its disk is part of what is measured")
    options = parser.parse_args()
    ratios: list[float] = []
    for number in range(1, options.rounds + 1):
        salt = secrets.token_hex(4)
        lines = [LINE % (salt.encode(), count) for count in range(options.records)]
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            raw = _inserted(Path(folder), lines)
        with tempfile.TemporaryDirectory(dir=options.folder) as folder, _served(Path(folder)) as (pid, address):
            before = _resident(pid)
            bulk = _posted(address, lines)
            grown = _peak(pid) - before
        ratios.append(bulk / raw)
        print(
            f"round {number}  raw inserts {raw:>9,.0f}/s  NDJSON {bulk:>9,.0f}/s  ratio {ratios[-1]:.2f}"
            f"  the server grew by {grown / 1024:.1f} MB",
            flush=True,
        )
    print(f"ratio    NDJSON/raw: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    size = len(LINE % (bytes(8), 0))
    print(f"({options.records:,} records of {size} bytes a request, {Settings().max_batch} in a commit)")


def _inserted(data: Path, lines: Sequence[bytes]) -> float:
    """Records a second, in transactions as large as the service's commits, each on disk when it returns."""
    file = data / DATABASE
    backend = SqliteBackend(
        SystemClock(), file=file, lease=timedelta(seconds=2), busy=timedelta(seconds=2), bounds=dict
    )
    backend.store.add([])  # The same tables and indexes.
    rows = [(line[7:43].decode(), line[:-1].decode(), hashlib.sha256(line).digest()) for line in lines]
    batch = Settings().max_batch
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        begun = time.perf_counter()
        for start in range(0, len(rows), batch):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, rows[start : start + batch])
            connection.execute("COMMIT")
        return len(rows) / (time.perf_counter() - begun)


@contextmanager
def _served(data: Path) -> Iterator[tuple[int, tuple[str, int]]]:
    listening = socket.create_server(("127.0.0.1", 0))
    pid = os.fork()
    if pid == 0:
        uvloop.run(serve_api(Service(Settings(data=data)), listening, lambda: None))
        os._exit(0)
    address = listening.getsockname()
    listening.close()
    try:
        _exchange(address, [b'{"id":"%032x"}\n' % 1])  # It is up.
        yield pid, address
    finally:
        os.kill(pid, 15)
        os.waitpid(pid, 0)


def _posted(address: tuple[str, int], lines: Sequence[bytes]) -> float:
    """Records a second; the answer is read while the body is sent, and checked."""
    begun = time.perf_counter()
    answer = _exchange(address, lines)
    rate = len(lines) / (time.perf_counter() - begun)
    *items, last = answer.splitlines()
    totals = json.loads(last)["totals"]
    if totals != {"items": len(lines), "accepted": len(lines), "replayed": 0, "refused": 0, "unavailable": 0}:
        sys.exit(f"bench: not every record was accepted: {totals}")
    for place, (item, line) in enumerate(zip(items, lines, strict=True)):
        if not item.startswith(b'{"index":%d,"id":"%b","status":201,' % (place, line[7:43])):
            sys.exit(f"bench: item {place} is answered out of order: {item[:80]!r}")
    return rate


def _exchange(address: tuple[str, int], lines: Sequence[bytes]) -> bytes:
    """The body of the answer to a request with these lines."""
    length = sum(map(len, lines))
    head = (
        b"POST /v1/requests HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n" % length
    )
    with socket.create_connection(address) as connection:
        sender = threading.Thread(target=lambda: connection.sendall(head + b"".join(lines)))
        sender.start()
        received = bytearray()
        while data := connection.recv(1_048_576):
            received += data
        sender.join()
    _, _, chunked = bytes(received).partition(b"\r\n\r\n")
    return b"".join(_chunks(chunked))


def _chunks(chunked: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(chunked):
        size, _, _ = chunked[place : place + 20].partition(b"\r\n")
        start = place + len(size) + 2
        yield chunked[start : start + int(size, 16)]
        place = start + int(size, 16) + 2


def _resident(pid: int) -> int:
    return _status(pid, "VmRSS")


def _peak(pid: int) -> int:
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    """In KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
