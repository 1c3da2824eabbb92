"""The W3C Trace Context header `traceparent`."""

from __future__ import annotations

import re

_VERSION_00 = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_LATER = re.compile(r"(?!00|ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII)
_LENGTH = 55
_TRACE = 32


def valid_traceparent(header: str) -> str | None:
    """The header in the form of version 00, or None if it is invalid and so ignored (Trace Context 3.2)."""
    if _VERSION_00.fullmatch(header):
        return header
    return "00" + header[2:_LENGTH] if _LATER.fullmatch(header) else None


def trace_id(traceparent: str) -> str:
    """The trace that a valid header names."""
    return traceparent[len("00-") : len("00-") + _TRACE]
