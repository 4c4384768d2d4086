"""Arrow columns of maps and lists, from entries: the row of each, and what it holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.settle.facts import Ints


def maps_of(size: int, row: Ints, names: Any, values: Any) -> Any:
    """A map per row of entries that come in the order of their rows."""
    return pa.MapArray.from_arrays(_offsets(size, row), names, values)


def lists_of(size: int, row: Ints, values: Any) -> Any:
    """A list per row of entries that come in the order of their rows."""
    return pa.ListArray.from_arrays(_offsets(size, row), values)


class Entries:
    """The entries of a column of maps by their names; a name that no map has is not looked for."""

    def __init__(self, maps: Any) -> None:
        self._maps = maps
        self._names = set(maps.keys[entries_of(maps)].unique().to_pylist())

    def of(self, name: str) -> Any:
        """Of each row the first value under a name, null where there is none."""
        if name.encode() in self._names:
            return pc.map_lookup(self._maps, name.encode(), "first")
        return pa.nulls(len(self._maps), self._maps.type.item_type)


def rows_in(column: Any) -> Ints:
    """The row of each entry of a column of maps or lists."""
    return np.repeat(np.arange(len(column)), np.diff(column.offsets.to_numpy()))


def entries_of(column: Any) -> slice:
    """Where the entries of a column of maps or lists stand among its values."""
    offsets = column.offsets.to_numpy()
    return slice(int(offsets[0]), int(offsets[-1]))


def _offsets(size: int, row: Ints) -> Any:
    return pa.array(np.append(0, np.cumsum(np.bincount(row, minlength=size))).astype(np.int32))
