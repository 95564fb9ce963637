"""Events as Apache Parquet, for DuckDB, pandas, Spark and the like: written as it goes, since the format has its index at the end."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from services.events.export_file import ExportFile, Row, rows
from streams.fields import FIELDS, Field, FieldType
from streams.query.times import iso_to_ms
from streams.search_index import Hit

_GROUP_ROWS: Final = 50_000
_GROUP_BYTES: Final = 16_000_000
"""A row group is in memory whole before it is written; what remains of it until the end is its entry in the index, a few kB."""


def _type(field: Field) -> pa.DataType:
    if field.type is FieldType.DATE:
        return pa.timestamp("ms", tz="UTC")
    return pa.list_(pa.string()) if field.name == "tags" else pa.string()


SCHEMA: Final = pa.schema([pa.field(field.name, _type(field)) for field in FIELDS])
"""The declared fields by their names: dates as timestamps, `tags` as a list, `idp` as JSON, all else as text."""
_DATES: Final = frozenset(number for number, field in enumerate(FIELDS) if field.type is FieldType.DATE)


class ParquetFile(ExportFile):
    """Row groups of `SCHEMA`, compressed with zstd."""

    media_type = "application/vnd.apache.parquet"
    suffix = "parquet"

    def __init__(self) -> None:
        self._written = _Written()
        self._writer = pq.ParquetWriter(pa.PythonFile(self._written, mode="w"), SCHEMA, compression="zstd")
        self._batches: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def begin(self) -> bytes:
        """The format's mark."""
        return self._written.taken()

    def more(self, hits: Sequence[Hit]) -> bytes:
        """The next row group, when there are enough events for one."""
        found = rows(hits)
        columns = [pa.array(_column(found, number), SCHEMA.field(number).type) for number in range(len(SCHEMA))]
        self._batches.append(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
        self._rows += len(hits)
        self._bytes += sum(len(hit.document) for hit in hits)
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()
        return self._written.taken()

    def end(self) -> bytes:
        """The last row group, and the index of all."""
        self._flush()
        self._writer.close()
        return self._written.taken()

    def _flush(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches), row_group_size=self._rows)
            self._batches.clear()
            self._rows = self._bytes = 0


def counted(file: Path) -> int:
    """How many events a file has; its index at the end says so."""
    rows_of_it: int = pq.read_metadata(file).num_rows
    return rows_of_it


def _column(found: Sequence[Row], number: int) -> list[Any]:
    convert: Callable[[Any], Any] = iso_to_ms if number in _DATES else lambda value: value
    return [None if row[number] is None else convert(row[number]) for row in found]


class _Written(io.RawIOBase):
    """A file that keeps what is written until it is taken. The writer only appends, and asks where it is."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Appends."""
        self._parts.append(bytes(data))
        self._at += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        """How many bytes were written in all."""
        return self._at

    def taken(self) -> bytes:
        """What was written since this was called last."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found
