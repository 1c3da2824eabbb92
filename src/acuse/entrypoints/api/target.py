"""Which target of a request is served."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

PATH = "/v1/requests"

_PATH = PATH.encode()
_SEGMENTS = _PATH.split(b"/")


def is_served(raw_path: bytes) -> bool:
    """Whether it is the one path, as sent: a percent-encoded letter is that letter, `%2F` is no slash (RFC 3986)."""
    if raw_path == _PATH:
        return True
    return b"%" in raw_path and [unquote_to_bytes(segment) for segment in raw_path.split(b"/")] == _SEGMENTS
