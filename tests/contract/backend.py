"""What the contract suite asks of an adapter pair, and the pairs there are."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from acuse.adapters.memory import Memory, MemoryQueue, MemoryStore
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.adapters.memory_overview import MemoryOverview
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.keyring import SqliteKeyring
from acuse.adapters.sqlite.overview import SqliteOverview
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from tests.clock import StillClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from acuse.domain.delivery import Delivery
    from acuse.ports import Clock, Keyring, Overview, Queue, Store

LEASE = timedelta(seconds=10)
BOUNDS = {"delay": None, "limited": 2, "a": None, "z": None}


class Backend(Protocol):
    """A store, its queue, its keyring and its overview, and power over the time that passes for them."""

    @property
    def store(self) -> Store: ...

    @property
    def queue(self) -> Queue: ...

    @property
    def keyring(self) -> Keyring: ...

    @property
    def overview(self) -> Overview: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def fences(self) -> bool:
        """The store knows who holds a lease, and takes an ending from nobody else."""

    @property
    def counts_when_received(self) -> bool:
        """A record shows an attempt as soon as it is received, and not only when it has ended."""

    @property
    def orders(self) -> bool:
        """What is looked for is listed newest first."""

    @property
    def tells_actions(self) -> bool:
        """The backlog tells each action apart, what is delayed from what is held, and since when the oldest is due."""

    def pass_time(self, by: timedelta) -> None:
        """Everything that falls due meanwhile is due."""

    def lapse(self, deliveries: Sequence[Delivery]) -> None:
        """Their leases have run out; nobody else has received them yet."""

    def set_clock(self, by: timedelta) -> None:
        """The clock of this machine was set, back or forth; no time has passed."""


class _Clocked:
    fences = counts_when_received = orders = tells_actions = True

    def __init__(self, store: Store, queue: Queue, keyring: Keyring, overview: Overview, clock: StillClock) -> None:
        self.store = store
        self.queue = queue
        self.keyring = keyring
        self.overview = overview
        self.clock = clock

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)

    def lapse(self, deliveries: Sequence[Delivery]) -> None:
        assert deliveries
        self.clock.advance(LEASE)

    def set_clock(self, by: timedelta) -> None:
        self.clock.advance(by)


@contextmanager
def memory(_: Path) -> Iterator[Backend]:
    clock = StillClock()
    shared = Memory(clock)
    queue = MemoryQueue(shared, lease=LEASE, bounds=BOUNDS)
    yield _Clocked(MemoryStore(shared), queue, MemoryKeyring(), MemoryOverview(shared, lease=LEASE), clock)


@contextmanager
def sqlite(folder: Path) -> Iterator[Backend]:
    clock = StillClock()
    busy = timedelta(seconds=5)
    with (
        closing(Database(folder / "acuse.db", durable=True, busy=busy)) as durable,
        closing(Database(folder / "acuse.db", durable=False, busy=busy)) as quick,
        closing(Database(folder / "acuse.db", durable=False, busy=busy)) as looking,
    ):
        queue = SqliteQueue(quick, clock, lease=LEASE, bounds=BOUNDS)
        overview = SqliteOverview(looking, clock, lease=LEASE)
        yield _Clocked(SqliteStore(durable, clock), queue, SqliteKeyring(durable), overview, clock)


def aws(_: Path) -> AbstractContextManager[Backend]:
    from tests.contract.aws import aws  # noqa: PLC0415  (starts a local AWS only where it is asked for)

    return aws(LEASE, BOUNDS)


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[Backend]]] = {
    "memory": memory,
    "sqlite": sqlite,
    "aws": aws,
}
