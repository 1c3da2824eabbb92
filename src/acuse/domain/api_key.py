"""Keys by which clients show who they are: a name, and a secret of which only the hash is kept."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

SECRET_BYTES = 32
NAME = "[a-z0-9-]{1,40}"
_NAME = re.compile(NAME)
_TEXT = re.compile(rf"acuse_({NAME})_([A-Za-z0-9_-]{{43}})")
_OF_NOBODY = bytes(32)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the service keeps it. `hash` is the SHA-256 of the secret: 256 random bits need no salt."""

    name: str
    hash: bytes
    created_at: datetime
    revoked_at: datetime | None = None


def is_name(name: str) -> bool:
    """Whether a key may have this name."""
    return _NAME.fullmatch(name) is not None


def new_key(name: str, random: bytes, at: datetime) -> tuple[ApiKey, str]:
    """The key to keep, and the text to give to the client. `random`: SECRET_BYTES of which nobody knows anything."""
    secret = urlsafe_b64encode(random).rstrip(b"=").decode()
    return ApiKey(name=name, hash=_hash(secret), created_at=at), f"acuse_{name}_{secret}"


def parse(text: str) -> tuple[str, str] | None:
    """The name and the secret in a text `acuse_NAME_SECRET`; None if it is none. A name has no underscore."""
    match = _TEXT.fullmatch(text)
    return None if match is None else (match[1], match[2])


def matching(text: str, keys: Iterable[ApiKey]) -> ApiKey | None:
    """The key that the text is, if it was not revoked. How long it takes tells nothing of names or secrets."""
    parsed = parse(text)
    if parsed is None:
        return None
    name, secret = parsed
    named = {key.name: key for key in keys}.get(name)
    is_right = compare_digest(_OF_NOBODY if named is None else named.hash, _hash(secret))
    return named if named is not None and is_right and named.revoked_at is None else None


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
