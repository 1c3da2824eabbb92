"""NDJSON: bytes → lines, each of bounded length."""

from __future__ import annotations


class TooLong:
    """Stands for a line that was longer than a request may be, and was thrown away."""


Line = bytes | TooLong


class Lines:
    """The lines of one body. An empty one is passed over; a line may end with CR LF (ndjson-spec 1.0.0)."""

    def __init__(self, longest: int) -> None:
        """`longest`: bytes of a line, without what ends it."""
        self._longest = longest
        self._rest = b""
        self._is_too_long = False

    def feed(self, piece: bytes) -> list[Line]:
        """The lines that end in this piece."""
        first, *others = piece.split(b"\n")
        if not others:
            self._grow(first)
            return []
        self._grow(first)
        lines = [self._line(), *others[:-1]]
        self._grow(others[-1])
        return [line for one in lines if one and (line := self._judged(one)) is not None]

    def end(self) -> list[Line]:
        """The last line, if nothing ends it."""
        line = self._judged(self._line())
        return [] if line is None else [line]

    def _grow(self, piece: bytes) -> None:
        if not self._is_too_long:
            self._rest += piece
            if len(self._rest) > self._longest + 1:  # A CR may follow.
                self._is_too_long = True
                self._rest = b""

    def _line(self) -> Line:
        line: Line = TooLong() if self._is_too_long else self._rest
        self._rest = b""
        self._is_too_long = False
        return line

    def _judged(self, line: Line) -> Line | None:
        if isinstance(line, TooLong):
            return line
        line = line.removesuffix(b"\r")
        if len(line) > self._longest:
            return TooLong()
        return line if line.strip(b" \t\r") else None
