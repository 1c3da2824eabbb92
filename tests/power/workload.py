"""The real service on one SQLite file, with clients, workers and an operator who note what they are told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING

from acuse.adapters.clock import SystemClock
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from tests.integration.server import served
from tests.power.client import Client
from tests.power.judge import BOUNDS, BUSY, FILE
from tests.power.operator import Operator
from tests.power.witness import Witness
from tests.power.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from tests.power.client import Sent
    from tests.power.log import Log

CLIENTS, WORKERS = 3, 2
CHECKPOINT_PAGES = 60
"""The service copies the log back every 8,000 pages, more than is written here."""
LEASE = timedelta(minutes=10)
"""Longer than the run: what a worker forgets is delivered again only after the power loss."""


class Mode(StrEnum):
    """How the stores' connections sync. The service has FULL; the others are there to be found out."""

    FULL = "FULL"
    NORMAL = "NORMAL"
    OFF = "OFF"


def opened(folder: Path, mode: Mode) -> Database:
    """The database as the service opens it for a store or, with NORMAL, for its queue."""
    database = Database(folder / FILE, durable=mode is not Mode.NORMAL, busy=BUSY)
    with database.reading() as connection:
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        if mode is Mode.OFF:
            connection.execute("PRAGMA synchronous = OFF")
    return database


class Workload:
    """What it does is seeded; how that is interleaved is not."""

    def __init__(self, folder: Path, log: Log, mode: Mode, seed: str) -> None:
        self._folder = folder
        self._mode = mode
        self._seed = seed
        self._witness = Witness(log)
        self._sent: list[Sent] = []
        self._failed: list[str] = []

    def run(self, requests: int) -> None:
        """So many were sent, with a restart of the service in the middle, and most of them ended; all is closed."""
        for half in range(2):
            with ExitStack() as stack:
                self._run(stack, f"{self._seed}/{half}", requests // 2 // CLIENTS)

    def _run(self, stack: ExitStack, seed: str, requests: int) -> None:
        clock = SystemClock()
        intake, settling, operating = (self._open(stack, self._mode) for _ in range(3))
        leasing, quick = (self._open(stack, Mode.NORMAL) for _ in range(2))
        host, port = stack.enter_context(served(SqliteStore(intake, clock)))
        queue = SqliteQueue(leasing, clock, lease=LEASE, bounds=BOUNDS)
        store = SqliteStore(settling, clock)
        operator = Operator(operating, quick, clock, self._witness, self._failed, Random(f"{seed}/operator"))
        sent, ended = threading.Event(), threading.Event()
        with ThreadPoolExecutor(CLIENTS + WORKERS + 1) as pool:
            operating_now = pool.submit(operator.operate, ended)
            working = []
            for number in range(WORKERS):
                worker = Worker(store, queue, self._witness, self._failed, Random(f"{seed}/worker/{number}"))
                working.append(pool.submit(worker.work, sent))
            sending = []
            for number in range(CLIENTS):
                client = Client(f"http://{host}:{port}", self._witness, self._sent, Random(f"{seed}/client/{number}"))
                sending.append(pool.submit(client.send, requests))
            try:
                _finish(sending, sent)
            finally:
                _finish(working, ended)
            operating_now.result()

    def _open(self, stack: ExitStack, mode: Mode) -> Database:
        database = opened(self._folder, mode)
        stack.callback(database.close)
        return database


def _finish(running: Sequence[Future[None]], over: threading.Event) -> None:
    """They have ended, and it is over, also if one of them has failed."""
    try:
        for one in running:
            one.result()
    finally:
        over.set()
