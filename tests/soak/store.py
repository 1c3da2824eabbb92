"""What the database of a running service says, read beside it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.soak.ledger import Row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MOST = 500
ROWS = "SELECT id, status, created_at, finished_at FROM record WHERE part = 0 AND id IN ({marks})"
UNDER_WAY = "SELECT count(*) FROM record WHERE due_at IS NOT NULL"
OPEN = "SELECT count(*) FROM record WHERE status = 'accepted'"


class Reader:
    """Reads a little at a time, so that it keeps no checkpoint waiting."""

    def __init__(self, data: Path) -> None:
        """The service has made the file."""
        self._file = data / "acuse.db"

    def rows(self, ids: Sequence[str]) -> dict[str, Row]:
        """The records of those ids that are there."""
        found: dict[str, Row] = {}
        with closing(self._open()) as connection:
            for start in range(0, len(ids), MOST):
                few = ids[start : start + MOST]
                statement = ROWS.format(marks=",".join("?" * len(few)))
                found.update((id_, Row(*rest)) for id_, *rest in connection.execute(statement, few).fetchall())
        return found

    def under_way(self) -> int:
        """Requests and parts that wait or run."""
        return self._number(UNDER_WAY)

    def not_ended(self) -> int:
        """Requests and parts that have not ended. Looks at every row."""
        return self._number(OPEN)

    def pages(self) -> tuple[int, int, int]:
        """Their size in bytes, how many there are, and how many of them are free."""
        size, count, free = (self._number(f"PRAGMA {name}") for name in ("page_size", "page_count", "freelist_count"))
        return size, count, free

    def _number(self, statement: str) -> int:
        with closing(self._open()) as connection:
            return int(connection.execute(statement).fetchone()[0])

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
