"""Very many vectors in memory: the nearest one found by walking a graph of neighbors, in a millisecond or so.

Hierarchical navigable small worlds (Malkov and Yashunin, IEEE TPAMI 42, 2018), by USearch (`outlay[semantic]`). About
one look-up in a hundred finds one that is nearly the nearest; the cosine it gives is that of the one it found.
"""

from __future__ import annotations

from typing import Any

from outlay import _safely
from outlay.optimizations.stores import Entry


class Graph:
    """The vectors of one scope and length, as `_Rows` has them; whoever calls holds the lock.

    Attributes:
        places: Numbers, in order of age.
        matrix: None: there is nothing to be compared with outside of the lock.

    Raises:
        ImportError: If the package is missing.
    """

    matrix: Any = None

    def __init__(self, kind: tuple[str, int]) -> None:
        from usearch.index import Index

        self.kind = kind
        self.places: dict[int, int] = {}
        self.entries: dict[int, Entry] = {}
        self._index: Any = Index(ndim=kind[1], metric="cos", dtype="f32")

    def add(self, number: int, vector: Any, entry: Entry) -> None:
        import numpy

        self._index.add(number, numpy.asarray(vector, dtype=numpy.float32), threads=1)
        self.places[number] = number
        self.entries[number] = entry

    def remove(self, number: int) -> None:
        del self.places[number], self.entries[number]
        self._index.remove(number)

    def nearest(self, vector: list[float]) -> tuple[Entry, float] | None:
        """One of the nearest, and its cosine."""
        import numpy

        found = self._index.search(numpy.asarray(vector, dtype=numpy.float32), 1, threads=1)
        if not len(found):
            return None
        return self.entries[int(found.keys[0])], round(1.0 - float(found.distances[0]), 6)


def graph(kind: tuple[str, int]) -> Graph | None:
    """A graph, if the package is there."""
    try:
        return Graph(kind)
    except ImportError:
        _safely.warn(
            "semantic cache index",
            "so many entries are compared one by one without an index: pip install 'outlay[semantic]'",
        )
        return None
