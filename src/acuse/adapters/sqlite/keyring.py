"""The Keyring in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.adapters.sqlite.rows import micros, moment
from acuse.domain.api_key import ApiKey

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from acuse.adapters.sqlite.database import Database

KEYS = "SELECT name, hash, created_at, revoked_at FROM api_key ORDER BY name"

PUT = "INSERT INTO api_key (name, hash, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"

REVOKE = "UPDATE api_key SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL"


class SqliteKeyring:
    """See Keyring. What it wrote is on disk when it returns."""

    def __init__(self, database: Database) -> None:
        """The database must be durable."""
        self._database = database

    def keys(self) -> list[ApiKey]:
        """See Keyring."""
        with self._database.reading() as connection:
            return keys_in(connection)

    def put(self, key: ApiKey) -> bool:
        """See Keyring."""
        return self._database.write(PUT, (key.name, key.hash, micros(key.created_at))).rowcount == 1

    def revoke(self, name: str, at: datetime) -> bool:
        """See Keyring."""
        return self._database.write(REVOKE, (micros(at), name)).rowcount == 1


def keys_in(connection: sqlite3.Connection) -> list[ApiKey]:
    """All there are, as they are read."""
    return [
        ApiKey(
            name=name,
            hash=hash_,
            created_at=moment(created),
            revoked_at=None if revoked is None else moment(revoked),
        )
        for name, hash_, created, revoked in connection.execute(KEYS).fetchall()
    ]
