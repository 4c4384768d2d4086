"""What embedders give, as vectors; and vectors in a mapping of the user's, searched one by one."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from operator import mul
from typing import Any, Protocol

from outlay import _fork
from outlay.optimizations.stores import Entry


class VectorStore(Protocol):
    """What `SemanticCache` asks of a store. `scope` tells answers apart that must never be mixed."""

    def nearest(self, vector: list[float], scope: str) -> tuple[Entry, float] | None:
        """The most similar entry of the scope, and the cosine."""

    def add(self, vector: list[float], scope: str, entry: Entry) -> None:
        """Keep an entry. The vector has length 1."""


def unit(raw: Any) -> list[float] | None:
    """The vector of one text, of length 1; None where it has no direction.

    Args:
        raw: A list, tuple or iterator of numbers, or an array of numpy, torch, TensorFlow, JAX or SciPy; alone or in a
            batch of one.

    Raises:
        TypeError, ValueError: If it is no such thing, or not finite.
    """
    numbers = [float(number) for number in _plain(raw)]
    norm = math.hypot(*numbers)
    if not math.isfinite(norm):
        raise ValueError("embed gave numbers that are not finite")
    return [number / norm for number in numbers] if norm else None


def _plain(raw: Any) -> Sequence[Any]:
    """Numbers in Python's own list."""
    if raw is None or isinstance(raw, (str, bytes, Mapping)):
        raise TypeError(f"embed gave {type(raw).__name__}, which is no vector")
    for step in ("detach", "cpu", "toarray", "numpy", "tolist"):  # off the graph, off the device, dense, plain
        if step == "numpy" and hasattr(raw, "tolist"):
            continue
        convert = getattr(raw, step, None)
        if callable(convert):
            raw = convert()
    numbers = list(raw)
    if numbers and _is_vector(numbers[0]):
        if len(numbers) > 1:
            raise ValueError(f"embed gave {len(numbers)} vectors for one text")
        return _plain(numbers[0])
    return numbers


def _is_vector(value: Any) -> bool:
    """Whether it has parts; a number of torch has a length method that fails."""
    try:
        return isinstance(value, (str, bytes)) or len(value) >= 0
    except TypeError:
        return False


class Vectors(_fork.Renewed):
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
            similarity = dot(vector, other)
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


dot: Callable[[Sequence[float], Sequence[float]], float] = getattr(math, "sumprod", _cosine)  # faster, from 3.12 on
