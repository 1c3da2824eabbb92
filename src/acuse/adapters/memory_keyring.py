"""The Keyring in memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

    from acuse.domain.api_key import ApiKey


class MemoryKeyring:
    """See Keyring. Nothing survives the process."""

    def __init__(self) -> None:
        """Empty."""
        self._lock = threading.Lock()
        self._keys: dict[str, ApiKey] = {}

    def keys(self) -> list[ApiKey]:
        """See Keyring."""
        with self._lock:
            return [self._keys[name] for name in sorted(self._keys)]

    def put(self, key: ApiKey) -> bool:
        """See Keyring."""
        with self._lock:
            if key.name in self._keys:
                return False
            self._keys[key.name] = key
            return True

    def revoke(self, name: str, at: datetime) -> bool:
        """See Keyring."""
        with self._lock:
            key = self._keys.get(name)
            if key is None or key.revoked_at is not None:
                return False
            self._keys[name] = msgspec.structs.replace(key, revoked_at=at)
            return True
