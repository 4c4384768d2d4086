"""The attributes of a batch of spans as arrays: of each that some table knows its span, its name's number, its value.

A name is looked up once per batch: attribute names come as numbers into a dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from outlay_collector.dialects.names import KEY_OF, free
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
class Attributes:
    """The attributes of a batch of spans."""

    spans: int
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


def attributes_of(column: Any) -> Attributes:
    """The attributes of a column of maps."""
    offsets = column.offsets.to_numpy().astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    names = column.keys.slice(first, last - first)
    values = column.items.slice(first, last - first)
    if not pa.types.is_dictionary(names.type):
        names = names.dictionary_encode()
    words = names.dictionary.to_pylist()
    number = np.array([KEY_OF.get(word, UNKNOWN_NAME) for word in words] or [0], np.int64)
    is_chosen = np.array([free(word) > 0 for word in words] or [False], bool)
    codes = names.indices.to_numpy().astype(np.int64)
    row = np.repeat(np.arange(len(column)), np.diff(offsets))
    numbers = number[codes] if len(codes) else codes
    known = np.flatnonzero(numbers)
    chosen = np.flatnonzero(is_chosen[codes]) if is_chosen.any() else np.zeros(0, np.int64)
    return Attributes(
        len(column),
        Entries(row[known], numbers[known], known),
        Entries(row[chosen], codes[chosen], chosen),
        words,
        values,
    )
