"""Rows on their way into the store as Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def as_arrow(rows: pa.Table) -> memoryview:
    """A table in Arrow's stream format, in memory that is taken once: a buffer that grows takes it several times."""
    import pyarrow as pa

    def write(sink: Any) -> None:
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)

    measured = pa.MockOutputStream()
    write(measured)
    block = pa.allocate_buffer(measured.size())
    write(pa.FixedSizeBufferWriter(block))
    return memoryview(block)
