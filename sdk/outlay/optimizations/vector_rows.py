"""Vectors in memory, the nearest one found exactly: one by one while they are few, else by one product of matrices.

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
from outlay.optimizations.vectors import dot

FEW = 256  # vectors that are compared one by one


class MemoryVectors:
    """Keeps vectors and entries by scope; the oldest go when there are too many. Safe for threads."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._numbers = itertools.count()
        self._oldest: dict[int, _Rows] = {}  # number → where it is; in order of age
        self._rows: dict[tuple[str, int], _Rows] = {}
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
        while True:
            with self._lock:
                rows = self._rows.get(kind)
                if rows is None:
                    return None
                self._forget_stale(rows)
                count, version = len(rows.entries), rows.version
                if not count:
                    return None
                product = rows.product(vector, count) if rows.matrix is None else None
                matrix = rows.matrix
            place, similarity = product or _best(matrix, vector, count)  # threads may compute at the same time
            with self._lock:
                if rows.version == version:  # else one was moved meanwhile
                    return rows.entries[place], similarity

    def add(self, vector: list[float], scope: str, entry: Entry) -> None:
        """Keep an entry."""
        kind = scope, len(vector)
        with self._lock:
            rows = self._rows.get(kind)
            if rows is None:
                rows = self._rows[kind] = _Rows(kind)
            number = next(self._numbers)
            rows.add(number, vector, entry)
            self._oldest[number] = rows
            while len(self._oldest) > self._max_entries:
                self._forget(next(iter(self._oldest)))

    def _forget_stale(self, rows: _Rows) -> None:
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
        version: Grows whenever what was at a place is no longer there.
    """

    def __init__(self, kind: tuple[str, int]) -> None:
        self.kind = kind
        self.places: dict[int, int] = {}
        self.entries: list[Entry] = []
        self.version = 0
        self.matrix: Any = None
        self._numbers: list[int] = []
        self._plain: list[array[float]] = []

    def product(self, vector: list[float], count: int) -> tuple[int, float]:
        """The place of the nearest, and its cosine, one by one."""
        return max(((place, dot(vector, self._plain[place])) for place in range(count)), key=lambda found: found[1])

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
        self.places[number] = place
        self._numbers.append(number)
        self.entries.append(entry)

    def remove(self, number: int) -> None:
        """The last one takes its place."""
        place, last = self.places.pop(number), len(self.entries) - 1
        vectors = self._plain if self.matrix is None else self.matrix
        if place != last:
            vectors[place] = vectors[last]
            self.entries[place], self._numbers[place] = self.entries[last], self._numbers[last]
            self.places[self._numbers[place]] = place
        self.entries.pop()
        self._numbers.pop()
        if self.matrix is None:
            self._plain.pop()
        self.version += 1

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
