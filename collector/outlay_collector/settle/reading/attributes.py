"""The attributes of a batch of spans as arrays: of each that some table knows its span, its name's number, its value.

A name is looked up once per batch: attribute names come as numbers into a dictionary. Attributes that nothing asks for,
most of many applications, are left out before anything is done per attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from outlay_collector.dialects.names import KEY_OF, free
from outlay_collector.settle.columns import entries_of
from outlay_collector.settle.facts import Bools, Ints

UNKNOWN_NAME = 0


@dataclass(frozen=True, eq=False)
class Entries:
    """Some attributes of a batch, in the order of their spans and there as they were sent."""

    row: Ints
    """The span."""
    name: Ints
    """Number of its name."""
    at: Ints
    """Where its value stands."""

    def __len__(self) -> int:
        return len(self.row)

    def where(self, kept: Bools) -> Entries:
        """Some of them."""
        return Entries(self.row[kept], self.name[kept], self.at[kept])


@dataclass(frozen=True, eq=False)
class Asked:
    """The attributes of a batch of spans, or of their resources, that something asks for."""

    entries: Entries
    """By their names' places among `names`."""
    names: list[bytes]
    values: Any
    """All values, an Arrow array of texts."""


@dataclass(frozen=True, eq=False)
class Attributes:
    """The attributes of a batch of spans."""

    spans: int
    asked: Asked
    """All that something asks for."""
    known: Entries
    """Those whose names tables mention, by the numbers of `names.KEYS`."""
    chosen: Entries
    """Those whose names people choose (`names.FREE`), by their places in `chosen_names`."""
    chosen_names: list[bytes]
    values: Any
    """All values, an Arrow array of texts."""

    def having(self, key: int) -> Bools:
        """Which spans have an attribute."""
        found = np.zeros(self.spans, bool)
        found[self.known.row[self.known.name == key]] = True
        return found


def attributes_of(column: Any, inherited: Container[bytes]) -> Attributes:
    """The attributes of a column of maps; `inherited` are names that calls below inherit."""
    asked = asked_of(column, lambda name: name in KEY_OF or free(name) > 0 or name in inherited)
    entries, names = asked.entries, asked.names
    number = np.array([*(KEY_OF.get(name, UNKNOWN_NAME) for name in names), UNKNOWN_NAME], np.int64)[entries.name]
    is_known = number != UNKNOWN_NAME
    is_chosen = np.array([*(free(name) > 0 for name in names), False])[entries.name]
    known = Entries(entries.row[is_known], number[is_known], entries.at[is_known])
    return Attributes(len(column), asked, known, entries.where(is_chosen), names, asked.values)


def asked_of(column: Any, is_asked: Callable[[bytes], bool]) -> Asked:
    """Of a column of maps the entries with names that are asked for."""
    names, values = column.keys[entries_of(column)], column.items[entries_of(column)]
    if not pa.types.is_dictionary(names.type):
        names = names.dictionary_encode()
    words = names.dictionary.to_pylist()
    codes = names.indices.to_numpy()
    kept = np.flatnonzero(np.array([*map(is_asked, words), False])[codes])
    sizes = np.diff(column.offsets.to_numpy())
    row = np.repeat(np.arange(len(column), dtype=np.int32), sizes)[kept].astype(np.int64)
    return Asked(Entries(row, codes[kept].astype(np.int64), kept), words, values)
