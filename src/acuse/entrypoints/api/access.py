"""Who may submit, and how often."""

from __future__ import annotations

import asyncio
import math
from time import monotonic
from typing import TYPE_CHECKING

from acuse.domain.api_key import matching
from acuse.domain.rate import WINDOW_SECONDS, full_bucket
from acuse.entrypoints.api import problems
from acuse.entrypoints.api.answers import Refused, whole_seconds
from acuse.entrypoints.known_keys import KnownKeys

if TYPE_CHECKING:
    from acuse.config import Settings
    from acuse.entrypoints.api.answers import Headers
    from acuse.ports import Keyring

ANYONE = ""
LONGEST_PAUSE = 10.0
"""Seconds that a body may be held up for its rate: it takes up room meanwhile that others want."""
CHALLENGE = b'Bearer realm="acuse"'
"""RFC 6750 section 3."""


class Access:
    """Keys are read again when those at hand are too old. Once a key was made, one is asked for."""

    def __init__(self, keyring: Keyring, settings: Settings) -> None:
        """Nothing is read yet."""
        self._known = KnownKeys(lambda: keyring, settings.keys_refresh)
        self._meters: dict[str, Meter] = {}
        self._rate = settings.rate
        self._is_exposed = settings.exposes(settings.host)

    @property
    def is_stale(self) -> bool:
        """Whether the keys must be read before anybody can be admitted."""
        return self._known.is_stale

    async def refresh(self) -> None:
        """The keys are those of the store. Raises StoreUnavailable at first only."""
        await self._known.refresh()

    def admit(self, authorization: str | None) -> Meter | None:
        """Who it is may go on, measured if there is a rate. Refused with 401."""
        name = self._name(authorization) if self._known.keys or self._is_exposed else ANYONE
        if not self._rate:
            return None
        if name not in self._meters:
            self._meters[name] = Meter(self._rate)
        return self._meters[name]

    def _name(self, authorization: str | None) -> str:
        scheme, _, text = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            headers = [(b"www-authenticate", CHALLENGE)]
            raise Refused(problems.UNAUTHORIZED, "send a key: Authorization: Bearer KEY", headers=headers)
        key = matching(text.strip(" "), self._known.keys or ())
        if key is None:
            headers = [(b"www-authenticate", CHALLENGE + b', error="invalid_token"')]
            raise Refused(problems.UNAUTHORIZED, "the key is unknown or revoked", headers=headers)
        return key.name


class Meter:
    """How much of its rate a key has left in this process."""

    def __init__(self, quota: int) -> None:
        """`quota`: requests a minute."""
        self._bucket = full_bucket(quota, monotonic())

    def spend(self) -> None:
        """One more request; Refused with 429 if none is left."""
        self._bucket = self._bucket.refilled(monotonic())
        if self._bucket.left < 1:
            raise self._refused()
        self._bucket = self._bucket.without(1)

    async def pace(self, requests: int) -> None:
        """So many more, taken on credit; returns when what was taken before is paid for, soon, or Refused with 429."""
        self._bucket = self._bucket.refilled(monotonic())
        while self._bucket.left < 0:
            if self._bucket.seconds_until(0) > LONGEST_PAUSE:
                raise self._refused()
            await asyncio.sleep(self._bucket.seconds_until(0))
            self._bucket = self._bucket.refilled(monotonic())
        self._bucket = self._bucket.without(requests)

    def _refused(self) -> Refused:
        headers = [(b"retry-after", whole_seconds(self._bucket.seconds_until(1))), *self.headers()]
        return Refused(problems.TOO_MANY, f"at most {self._bucket.quota} requests a minute", headers=headers)

    def headers(self) -> Headers:
        """What is left, and until when that is so (draft-ietf-httpapi-ratelimit-headers)."""
        bucket = self._bucket
        until = bucket.seconds_until(bucket.quota if bucket.left >= 1 else 1)
        return [
            (b"ratelimit-policy", b'"key";q=%d;w=%d' % (bucket.quota, WINDOW_SECONDS)),
            (b"ratelimit", b'"key";r=%d;t=%d' % (max(0, math.floor(bucket.left)), math.ceil(until))),
        ]
