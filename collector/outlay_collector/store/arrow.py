"""Rows on their way into the store: in pieces that are never put together, as memory that is new is dear."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class Pieces:
    """Bytes in pieces, as a file that is read once: what reads it takes one after the other, whatever their size."""

    def __init__(self, pieces: Iterable[Any]) -> None:
        """Take pieces, of any kind that has the bytes in memory."""
        self._pieces = iter(pieces)

    def read(self, _size: int = -1) -> Any:
        """The next piece; empty at the end."""
        return next((piece for piece in self._pieces if len(piece)), b"")


def as_arrow(rows: pa.Table) -> Pieces:
    """A table in Arrow's stream format: its columns where they are in memory, with what goes between them."""
    import pyarrow as pa

    written: list[Any] = []
    with pa.PythonFile(_Sink(written), mode="w") as sink, pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return Pieces(written)


class _Sink:
    """A file that keeps what is written to it, as it is."""

    closed = False

    def __init__(self, written: list[Any]) -> None:
        self.write = written.append

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is held."""
