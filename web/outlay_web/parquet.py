"""Tables as Parquet, row group after row group, so that a table of any size needs the memory of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MEDIA_TYPE = "application/vnd.apache.parquet"
ROWS_AT_ONCE = 10_000
TYPES = {
    "text": pa.string(),
    "json": pa.string(),
    "count": pa.int64(),
    "number": pa.float64(),
    "yes_no": pa.bool_(),
    "decimal": pa.decimal128(38, 12),
    "instant": pa.timestamp("us", tz="UTC"),
}


def parquet_parts(columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """A table as Parquet, piece by piece.

    Args:
        columns: Name and kind (see `TYPES`) of each column.
        rows: Values in the order of the columns, nested ones as JSON text.
    """
    schema = pa.schema([pa.field(name, TYPES[kind]) for name, kind in columns.items()])
    sink = _Sink()
    following = iter(rows)
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        while some := list(islice(following, ROWS_AT_ONCE)):
            arrays = [
                pa.array(values, field.type) for field, values in zip(schema, zip(*some, strict=True), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """A file that is written once from its beginning and handed on as it grows."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def taken(self) -> bytes:
        found, self._parts = b"".join(self._parts), []
        return found
