"""Vectors in memory, the nearest one found exactly: one by one while they are few, else by one product of matrices.

A store that is to hold more than a hundred thousand finds it by a graph instead (`vector_graph.py`).

From some hundred vectors of one kind on they lie in a matrix of float32, where numpy is installed (`outlay[semantic]`):
a hundred thousand of 1,536 numbers take 0.6 GB and some ten milliseconds, a tenth of what plain Python takes for one
thousand. The cosine of the one that is found is then right to 1e-6, and given with so many digits.
"""

from __future__ import annotations

import itertools
import threading
from array import array
from typing import Any

from outlay import _fork
from outlay.optimizations.stores import Entry
from outlay.optimizations.vector_graph import Graph, graph
from outlay.optimizations.vectors import dot

_TRIES = 3
FEW = 256  # vectors that are compared one by one
MANY = 512  # vectors of one kind from which they lie in a graph, in a store that is to hold
VERY_MANY = 100_000  # more than that


class MemoryVectors(_fork.Renewed):
    """Keeps vectors and entries by scope; the oldest go when there are too many. Safe for threads."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._numbers = itertools.count()
        self._takes_graphs = max_entries > VERY_MANY
        self._oldest: dict[int, _Rows | Graph] = {}  # number → where it is; in order of age
        self._rows: dict[tuple[str, int], _Rows | Graph] = {}
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """A lock that nobody holds."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._oldest)

    def nearest(self, vector: list[float], scope: str) -> tuple[Entry, float] | None:
        """The most similar entry of the scope, and the cosine."""
        kind = scope, len(vector)
        for _ in range(_TRIES):
            with self._lock:
                rows = self._living(kind)
                if rows is None or rows.matrix is None:
                    return None if rows is None else rows.nearest(vector)
                assert isinstance(rows, _Rows)
                matrix, count, version = rows.matrix, len(rows.entries), rows.version
            place, similarity = _best(matrix, vector, count)  # threads may compute at the same time
            with self._lock:
                if place < len(rows.entries) and rows.since[place] <= version:  # else it went meanwhile
                    return rows.entries[place], similarity
        with self._lock:  # nothing goes while we hold it
            rows = self._living(kind)
            return None if rows is None else rows.nearest(vector)

    def _living(self, kind: tuple[str, int]) -> _Rows | Graph | None:
        """The rows of a kind that are not stale, if there are any; the lock is held."""
        rows = self._rows.get(kind)
        if rows is not None:
            self._forget_stale(rows)
        return rows if rows is not None and rows.entries else None

    def add(self, vector: list[float], scope: str, entry: Entry) -> None:
        """Keep an entry."""
        kind = scope, len(vector)
        with self._lock:
            rows = self._rows.get(kind)
            if rows is None:
                rows = self._rows[kind] = _Rows(kind)
            number = next(self._numbers)
            if self._takes_graphs and isinstance(rows, _Rows) and len(rows.entries) >= MANY:
                rows = self._linked(rows)
            rows.add(number, vector, entry)
            self._oldest[number] = rows
            while len(self._oldest) > self._max_entries:
                self._forget(next(iter(self._oldest)))

    def _linked(self, rows: _Rows) -> _Rows | Graph:
        """These vectors in a graph, from now on."""
        found = graph(rows.kind)
        if found is None:
            self._takes_graphs = False
            return rows
        for number, place in rows.places.items():
            found.add(number, rows.vector(place), rows.entries[place])
            self._oldest[number] = found
        self._rows[rows.kind] = found
        return found

    def _forget_stale(self, rows: _Rows | Graph) -> None:
        """Those that were added first end first."""
        while rows.places:
            number, place = next(iter(rows.places.items()))
            if not rows.entries[place].is_stale:
                return
            self._forget(number)

    def _forget(self, number: int) -> None:
        rows = self._oldest.pop(number)
        rows.remove(number)
        if not rows.places and self._rows.get(rows.kind) is rows:
            del self._rows[rows.kind]


class _Rows:
    """The vectors of one scope and length.

    Attributes:
        places: Number → place, in order of age.
        version: Grows with every change.
        since: Place → the version with which it got what it holds.
    """

    def __init__(self, kind: tuple[str, int]) -> None:
        self.kind = kind
        self.places: dict[int, int] = {}
        self.entries: list[Entry] = []
        self.version = 0
        self.since: list[int] = []
        self.matrix: Any = None
        self._numbers: list[int] = []
        self._plain: list[array[float]] = []

    def nearest(self, vector: list[float]) -> tuple[Entry, float]:
        """The nearest, and its cosine; while they are few, one by one."""
        if self.matrix is not None:
            place, similarity = _best(self.matrix, vector, len(self.entries))
        else:
            cosines = [dot(vector, plain) for plain in self._plain]
            similarity = max(cosines)
            place = cosines.index(similarity)
        return self.entries[place], similarity

    def vector(self, place: int) -> Any:
        """The vector at a place."""
        return self._plain[place] if self.matrix is None else self.matrix[place]

    def add(self, number: int, vector: list[float], entry: Entry) -> None:
        place = len(self.entries)
        if self.matrix is None and place >= FEW:
            self._grow_out()
        if self.matrix is None:
            self._plain.append(array("d", vector))
        else:
            if place >= len(self.matrix):
                self.matrix = _wider(self.matrix, 2 * place)
            self.matrix[place] = vector
        self.version += 1
        self.places[number] = place
        self._numbers.append(number)
        self.since.append(self.version)
        self.entries.append(entry)

    def remove(self, number: int) -> None:
        """The last one takes its place."""
        place, last = self.places.pop(number), len(self.entries) - 1
        self.version += 1
        vectors = self._plain if self.matrix is None else self.matrix
        if place != last:
            vectors[place] = vectors[last]
            self.entries[place], self._numbers[place] = self.entries[last], self._numbers[last]
            self.places[self._numbers[place]] = place
            self.since[place] = self.version
        self.since.pop()
        self.entries.pop()
        self._numbers.pop()
        if self.matrix is None:
            self._plain.pop()

    def _grow_out(self) -> None:
        try:
            import numpy
        except ImportError:
            return
        self.matrix = _wider(numpy.array(self._plain, dtype=numpy.float32), 2 * len(self._plain))
        self._plain = []


def _wider(matrix: Any, count: int) -> Any:
    import numpy

    found = numpy.zeros((count, matrix.shape[1]), dtype=numpy.float32)
    found[: len(matrix)] = matrix
    return found


def _best(matrix: Any, vector: list[float], count: int) -> tuple[int, float]:
    import numpy

    place = int(numpy.argmax(matrix[:count] @ numpy.array(vector, dtype=numpy.float32)))
    return place, round(float(numpy.dot(matrix[place].astype(numpy.float64), numpy.array(vector))), 6)
