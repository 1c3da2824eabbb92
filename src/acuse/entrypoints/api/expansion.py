"""gzip, expanded a piece at a time and never beyond a bound."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from acuse.entrypoints.api import problems
from acuse.entrypoints.api.answers import CLOSE, Refused, too_large

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 65_536
SLICE = 4_096
"""Bytes that are looked at together: where one member ends, what follows in them is copied."""
GZIP_ONLY = 31
"""The window bits of zlib for a stream with the head and the sum of gzip (RFC 1952)."""


class Expansion:
    """One body in gzip. It may consist of several members (RFC 1952 section 2.2)."""

    def __init__(self, most: int) -> None:
        """`most`: bytes that it may expand to."""
        self._most = most
        self._size = 0
        self._stream = zlib.decompressobj(GZIP_ONLY)
        self._has_begun = False

    def expand(self, data: bytes) -> Iterator[bytes]:
        """Pieces of bounded size, each after bounded work, so that some are empty.

        Refused for what is not gzip, or is too much.
        """
        for begin in range(0, len(data), SLICE):
            yield from self._expand(data[begin : begin + SLICE])

    def _expand(self, data: bytes) -> Iterator[bytes]:
        is_empty = True
        try:
            while data:
                if self._stream.eof:
                    self._stream = zlib.decompressobj(GZIP_ONLY)
                self._has_begun = True
                piece = self._stream.decompress(data, PIECE)
                self._size += len(piece)
                if self._size > self._most:
                    raise too_large(f"it expands to more than the {self._most} bytes that are taken", closing=True)
                if piece:
                    is_empty = False
                    yield piece
                data = self._stream.unconsumed_tail or self._stream.unused_data
        except zlib.error as error:
            raise Refused(problems.MALFORMED, "the body is not gzip", headers=[CLOSE]) from error
        if is_empty:
            yield b""

    def end(self) -> None:
        """The last byte has come; Refused if more should have."""
        if not (self._has_begun and self._stream.eof):
            raise Refused(problems.MALFORMED, "the gzip ends too early")
