"""The keys of the clients, as a process knows them."""

from __future__ import annotations

import asyncio
import logging
import math
from time import monotonic
from typing import TYPE_CHECKING

from acuse.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from acuse.domain.api_key import ApiKey
    from acuse.ports import Keyring

log = logging.getLogger(__name__)


class KnownKeys:
    """Those that were read last; they are read again when they are too old."""

    def __init__(self, keyring: Callable[[], Keyring], refresh: timedelta) -> None:
        """Nothing is read yet."""
        self.keys: Sequence[ApiKey] | None = None
        self._keyring = keyring
        self._refresh_seconds = refresh.total_seconds()
        self._read_at = -math.inf
        self._reading: asyncio.Task[None] | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the keys must be read before anybody can be admitted."""
        return self.keys is None or monotonic() - self._read_at > self._refresh_seconds

    async def refresh(self) -> None:
        """The keys are those of the store; one look serves all who need it. Raises StoreUnavailable at first only."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            # Those who asked may have left: then nobody else looks at what became of it.
            self._reading.add_done_callback(lambda read: read.cancelled() or read.exception())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        try:
            self.keys = await asyncio.to_thread(lambda: self._keyring().keys())
        except StoreUnavailable as error:
            log.warning("keys not read", extra={"error": str(error)})
            if self.keys is None:
                raise
        finally:
            self._reading = None
        self._read_at = monotonic()
