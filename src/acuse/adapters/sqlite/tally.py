"""What came to pass, counted where it is recorded. A trigger of the schema counts what is accepted."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from acuse.adapters.sqlite.rows import micros, moment
from acuse.domain.record import Status
from acuse.domain.tally import KEPT, SPAN, Tally, bound_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

COUNT = """
INSERT INTO tally (at, action, status, bound, count) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + excluded.count
"""

FORGET = "DELETE FROM tally WHERE at < ?"

TALLIES = "SELECT at, action, status, bound, count FROM tally WHERE at >= ?"

_SPAN = SPAN // timedelta(microseconds=1)


class Kind(NamedTuple):
    """What is counted together."""

    at: int
    action: str
    status: str
    bound: int


def kind_of(action: str, status: str, created: int, finished: int) -> Kind:
    """What a request that has ended counts as."""
    bound = bound_of(timedelta(microseconds=finished - created))
    return Kind(finished - finished % _SPAN, action, status, bound)


def count(connection: sqlite3.Connection, ended: Iterable[Kind], now: datetime) -> None:
    """They are counted, and what lies too far back is gone."""
    connection.executemany(COUNT, [(*kind, number) for kind, number in Counter(ended).items()])
    connection.execute(FORGET, (micros(now - KEPT - SPAN),))


def tallies(connection: sqlite3.Connection, since: datetime) -> list[Tally]:
    """See Overview."""
    return [
        Tally(at=moment(at), action=action, status=Status(status), bound=bound, count=number)
        for at, action, status, bound, number in connection.execute(TALLIES, (micros(since),))
    ]
