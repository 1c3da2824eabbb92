"""Records as lines of JSON and as CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Protocol

from acuse.domain.record import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acuse.domain.record import Record
    from acuse.entrypoints.whole_file import Output

COLUMNS = (
    "id", "action", "status", "created_at", "finished_at", "attempts", "traceparent", "reason", "detail", "body",
    "result",
)  # fmt: skip

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, also after space; the last four are the wide ones."""
SPACE = "\0\t\n\r "


class Sheet(Protocol):
    """What the records are written to."""

    def add(self, records: Sequence[Record], /) -> None:
        """They are written, or will be at the end."""

    def end(self) -> None:
        """All are written, and nothing is missing after them."""


class Lines:
    """Each record on a line, as the API answers it: NDJSON."""

    def __init__(self, output: Output) -> None:
        """Nothing is written yet."""
        self._output = output

    def add(self, records: Sequence[Record]) -> None:
        """See Sheet."""
        self._output.write(b"".join(record.to_json() + b"\n" for record in records))

    def end(self) -> None:
        """See Sheet."""


class Csv:
    """CSV (RFC 4180) in UTF-8, with a header."""

    def __init__(self, output: Output) -> None:
        """The header is written."""
        self._output = output
        self._write([COLUMNS])

    def add(self, records: Sequence[Record]) -> None:
        """See Sheet."""
        self._write([_row(record) for record in records])

    def end(self) -> None:
        """See Sheet."""

    def _write(self, rows: Sequence[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self._output.write(text.getvalue().encode())


def _row(record: Record) -> Sequence[object]:
    """None is an empty cell."""
    error = record.error
    return (
        record.id,
        _harmless(record.action),
        record.status,
        rfc3339(record.created_at),
        None if record.finished_at is None else rfc3339(record.finished_at),
        record.attempts,
        record.traceparent,
        None if error is None else error.reason,
        None if error is None else _harmless(error.detail),
        record.body.decode(),
        None if record.result is None else record.result.decode(),
    )


def _harmless(text: str) -> str:
    """No formula. The other cells begin as JSON, times and hexadecimal digits do, and cannot be one."""
    return f"'{text}" if text.lstrip(SPACE).startswith(FORMULA) else text
