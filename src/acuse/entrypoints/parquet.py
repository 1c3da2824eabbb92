"""Records as Parquet. It needs the packages of the extra `parquet`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from acuse.domain.record import Record
    from acuse.entrypoints.whole_file import Output

GROUP_ROWS = 65_536
GROUP_BYTES = 33_554_432
"""Records, and bytes of them, in one row group at most; they are held until it is written."""

TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("created_at", TIME, nullable=False),
        pa.field("finished_at", TIME),
        pa.field("attempts", pa.int32(), nullable=False),
        pa.field("traceparent", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("body", pa.string(), nullable=False),
        pa.field("result", pa.string()),
    ]
)
REPEATED = ["action", "status", "reason"]
TELLING = ["id", "action", "status", "created_at", "finished_at"]
"""By whose least and greatest values a reader can pass over row groups."""


class Parquet:
    """See Sheet. Every file has the same schema, whatever is in it."""

    def __init__(self, output: Output) -> None:
        """The beginning is written."""
        self._writer = ParquetWriter(
            _Sink(output), SCHEMA, compression="zstd", use_dictionary=REPEATED, write_statistics=TELLING
        )
        self._batches: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def add(self, records: Sequence[Record]) -> None:
        """See Sheet."""
        if not records:
            return
        batch = _batch(records)
        if self._batches and (self._rows + len(records) > GROUP_ROWS or self._bytes + batch.nbytes > GROUP_BYTES):
            self._write_group()
        self._batches.append(batch)
        self._rows += len(records)
        self._bytes += batch.nbytes

    def end(self) -> None:
        """See Sheet."""
        if self._batches:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._batches), row_group_size=self._rows)
        self._batches.clear()
        self._rows = self._bytes = 0


def _batch(records: Sequence[Record]) -> pa.RecordBatch:
    errors = [record.error for record in records]
    columns: list[list[object]] = [
        [record.id for record in records],
        [record.action for record in records],
        [record.status for record in records],
        [record.created_at for record in records],
        [record.finished_at for record in records],
        [record.attempts for record in records],
        [record.traceparent for record in records],
        [error and error.reason for error in errors],
        [error and error.detail for error in errors],
        [record.body.decode() for record in records],
        [record.result and record.result.decode() for record in records],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


class _Sink(io.RawIOBase):
    """What pyarrow takes for a file; it asks how far it has come, which a pipe could not say."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        written = bytes(data)
        self._output.write(written)
        self._written += len(written)
        return len(written)

    def tell(self) -> int:
        return self._written
