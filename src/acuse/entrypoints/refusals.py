"""What is answered below the app, and which head of a request cannot be taken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from acuse.entrypoints.api import problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

BAD = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def is_sound(method: bytes, version: str, fields: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether two who read this head would read the same: RFC 9112 sections 3.2 and 6.1. Names are in lower case."""
    names = [name for name, _ in fields]
    hosts = names.count(b"host")
    if version == "1.0":
        return hosts <= 1 and b"transfer-encoding" not in names
    if version != "1.1" or hosts != 1 or method == b"CONNECT":
        return False
    if b"transfer-encoding" not in names:
        return True
    return [value.strip().lower() for name, value in fields if name == b"transfer-encoding"] == [b"chunked"]


def size_of(url: bytes, fields: Sequence[tuple[bytes, bytes]]) -> int:
    """Bytes of a head, nearly."""
    return len(url) + sum(len(name) + len(value) + len(": \r\n") for name, value in fields)


def without_offer(method: bytes, url: bytes, version: str, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The same head without the offer to upgrade."""
    lines = b"".join(b"%b: %b\r\n" % field for field in fields if field[0] != b"upgrade")
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, url, version.encode(), lines)


def overloaded(retry_after: timedelta) -> bytes:
    """The answer to a connection for which there is no room."""
    body = problems.document(problems.OVERLOADED, "too many connections are open")
    fields = (
        b"content-type: %b" % problems.MEDIA_TYPE,
        b"content-length: %d" % len(body),
        b"retry-after: %d" % math.ceil(retry_after.total_seconds()),
        b"connection: close",
    )
    return b"HTTP/1.1 503 Service Unavailable\r\n" + b"\r\n".join(fields) + b"\r\n\r\n" + body
