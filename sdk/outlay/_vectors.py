"""Vectors in a mapping, searched one by one: enough for some thousand answers."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, MutableMapping, Sequence
from operator import mul
from typing import Any, Protocol

from outlay import _fork
from outlay._stores import Entry


class VectorStore(Protocol):
    """What `SemanticCache` asks of a store. `scope` tells answers apart that must never be mixed."""

    def nearest(self, vector: list[float], scope: str) -> tuple[Entry, float] | None:
        """The most similar entry of the scope, and the cosine."""

    def add(self, vector: list[float], scope: str, entry: Entry) -> None:
        """Keep an entry. The vector has length 1."""


class Vectors:
    """Keeps (scope, vector, entry) in a mapping, the oldest first."""

    def __init__(self, mapping: MutableMapping[str, Any] | None, max_entries: int) -> None:
        self._mapping: MutableMapping[str, Any] = {} if mapping is None else mapping
        self._max_entries = max_entries
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """A lock that nobody holds."""
        self._lock = threading.Lock()

    def nearest(self, vector: list[float], scope: str) -> tuple[Entry, float] | None:
        """The most similar entry of the scope, and the cosine."""
        with self._lock:
            kept = list(self._mapping.items())
        best: tuple[Entry, float] | None = None
        stale = []
        for key, (where, other, entry) in kept:
            if where != scope or len(other) != len(vector):
                continue
            if entry.is_stale:
                stale.append(key)
                continue
            similarity = _dot(vector, other)
            if best is None or similarity > best[1]:
                best = entry, similarity
        if stale:
            with self._lock:
                for key in stale:
                    self._mapping.pop(key, None)
        return best

    def add(self, vector: list[float], scope: str, entry: Entry) -> None:
        """Keep an entry; the oldest goes when there are too many."""
        with self._lock:
            self._mapping[os.urandom(8).hex()] = (scope, vector, entry)
            while len(self._mapping) > self._max_entries:
                self._mapping.pop(next(iter(self._mapping)), None)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Of vectors of length 1."""
    return float(sum(map(mul, one, other)))


_dot: Callable[[Sequence[float], Sequence[float]], float] = getattr(math, "sumprod", _cosine)  # faster, from 3.12 on
