"""Opens what the power loss has left, as the service would, and holds it against what was promised."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from acuse.adapters.sqlite.damage import inspect
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.keyring import SqliteKeyring
from acuse.adapters.sqlite.queue import SqliteQueue
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.errors import AcuseError
from acuse.domain.record import Key
from tests.clock import StillClock
from tests.power.ledger import Name, State

if TYPE_CHECKING:
    from pathlib import Path

    from acuse.domain.api_key import ApiKey
    from acuse.domain.record import Part, Record
    from tests.power.ledger import Ledger

FILE = "acuse.db"
BUSY = timedelta(seconds=60)
BOUNDS = {"delay": None}

TORN_PLANS = """
SELECT request.id FROM record AS request WHERE part = 0 AND (
    ifnull(parts, 0) != (SELECT count(*) FROM record WHERE id = request.id AND part > 0)
    OR ifnull(parts, 0) != (SELECT ifnull(max(part), 0) FROM record WHERE id = request.id)
    OR ifnull(parts_left, 0) != (SELECT count(*) FROM record WHERE id = request.id AND part > 0 AND status = 'accepted')
    OR ifnull(parts_failed, 0) != (SELECT count(*) FROM record WHERE id = request.id AND part > 0 AND status = 'failed')
)
UNION SELECT id FROM record AS part WHERE part > 0 AND NOT EXISTS (SELECT 1 FROM record WHERE id = part.id AND part = 0)
"""

DUE = "SELECT id, part FROM record WHERE status = 'accepted' AND (part > 0 OR parts IS NULL OR parts_left = 0)"


class Verdict(msgspec.Struct, frozen=True):
    """What was promised and is not there; and what is there and may not be."""

    lost: list[Name]
    wrong: list[str]


def judge(folder: Path, ledger: Ledger) -> Verdict:
    """SQLite has recovered the file, and everything in it was looked at."""
    found: dict[Name, tuple[State, datetime]] = {}
    wrong: list[str] = []
    try:
        inspect(folder / FILE, BUSY)
        database = Database(folder / FILE, durable=True, busy=BUSY)
        try:
            with database.reading() as connection:
                connection.execute("PRAGMA synchronous = OFF")  # It is recovered; what is looked at here may go.
            found = _found(database)
            wrong += _inconsistencies(database)
            wrong += _undelivered(database)
        finally:
            database.close()
    except (AcuseError, ValueError, OverflowError) as error:  # Noise may stand where a status or a time was.
        wrong.append(f"it cannot be read: {error}")
    for group in ledger.groups:
        if 0 < sum(name in found for name in group) < len(group):
            wrong.append(f"some are there of {group}, which were to be stored together")
    lost: list[Name] = []
    for name, expectation in ledger.names.items():
        there = found.pop(name, None)
        if there is None:
            lost += [name] * (expectation.promised >= 0)
            continue
        state, created_at = there
        number = expectation.number(state)
        if number < 0:
            wrong.append(f"nobody asked for {name} to be {state}")
        elif number < expectation.promised:
            lost.append(name)
        elif expectation.created_at not in {None, created_at}:
            wrong.append(f"{name} was created at another time")
    wrong += [f"nobody sent {name}" for name in found]
    return Verdict(lost, wrong)


def of_request(record: Record) -> State:
    """What the service promises about it."""
    return State(
        content=record.body,
        status=record.status,
        result=record.result,
        detail=record.error.detail if record.error else None,
        parts=record.progress.parts if record.progress else None,
    )


def of_part(part: Part) -> State:
    """What the service promises about it."""
    return State(
        content=part.value, status=part.status, result=part.result, detail=part.error.detail if part.error else None
    )


def of_key(key: ApiKey) -> State:
    """What the service promises about it."""
    return State(content=key.hash, status="accepted" if key.revoked_at is None else "revoked")


def _found(database: Database) -> dict[Name, tuple[State, datetime]]:
    with database.reading() as connection:
        keys = [Key(*row) for row in connection.execute("SELECT id, part FROM record")]
    store = SqliteStore(database, StillClock())
    requests = store.get([key.id for key in keys if not key.part])
    parts = store.parts([key for key in keys if key.part])
    found: dict[Name, tuple[State, datetime]] = {
        Key(id_): (of_request(one), one.created_at) for id_, one in requests.items()
    }
    found |= {key: (of_part(one), one.created_at) for key, one in parts.items()}
    keys_of_clients = SqliteKeyring(database).keys()
    return found | {one.name: (of_key(one), one.created_at) for one in keys_of_clients}


def _inconsistencies(database: Database) -> list[str]:
    with database.reading() as connection:
        told = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
        torn = [f"a plan is torn: {row[0]}" for row in connection.execute(TORN_PLANS)]
    return torn + [one for one in told if one != "ok"]


def _undelivered(database: Database) -> list[str]:
    """When every lease has run out, each that has not ended is delivered, once, and nothing else."""
    clock = StillClock()
    clock.time = datetime(2200, 1, 1, tzinfo=UTC)
    with database.reading() as connection:
        due = Counter(Key(*row) for row in connection.execute(DUE))
    queue = SqliteQueue(database, clock, lease=timedelta(days=1), bounds=BOUNDS)
    received: Counter[Key] = Counter()
    while deliveries := queue.receive(500, timedelta(0)):
        received.update(delivery.key for delivery in deliveries)
    return [f"{key} is due and is not delivered" for key in due - received] + [
        f"{key} is delivered and is not due" for key in received - due
    ]
