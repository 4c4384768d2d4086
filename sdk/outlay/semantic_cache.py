"""SemanticCache: answers texts that mean the same, and says how similar they were and what that saved.

The texts are compared by the cosine of their embeddings. Which similarity still means the same answer depends on the
embedding model and on the texts, so the threshold is worth measuring: every lookup reports the best similarity seen.
"""

from __future__ import annotations

import functools
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from operator import mul
from typing import ParamSpec, TypeVar, cast

from outlay import _safely
from outlay.cache import Entry, Locks, hit, miss, used
from outlay.track import track

P = ParamSpec("P")
R = TypeVar("R")


class SemanticCache:
    """Answers texts that mean the same.

    Args:
        embed: Text → vector. A model call inside is metered like any other.
        threshold: Cosine similarity from which two texts mean the same. Measure it: too low answers wrongly.
        ttl_s: Seconds an answer stays good.
        max_entries: Answers that are kept; the oldest go first.

    Example:
        cache = outlay.SemanticCache(embed, threshold=0.93)

        @cache
        def answer(question: str) -> str: ...
    """

    def __init__(
        self,
        embed: Callable[[str], Sequence[float]],
        *,
        threshold: float = 0.92,
        ttl_s: float | None = None,
        max_entries: int = 10_000,
    ) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, not {threshold!r}")
        self._embed = embed
        self._threshold = threshold
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._vectors: OrderedDict[int, tuple[list[float], Entry]] = OrderedDict()
        self._number = 0
        self._flights = Locks()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function whose first argument is the text."""

        @functools.wraps(function)
        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            text = str(args[0] if args else next(iter(kwargs.values())))
            with track(f"cache {function.__name__}") as frame, self._flights.of_thread(text):
                vector = self._vector(text)
                entry, similarity = self._nearest(vector) if vector else (None, None)
                if entry is not None:
                    hit(frame, "semantic", entry, similarity)
                    return cast(R, entry.value)
                miss(frame, "semantic", similarity)
                value = function(*args, **kwargs)
                if vector:
                    self._keep(vector, Entry(value, used(frame)))
                return value

        return answer

    def _vector(self, text: str) -> list[float] | None:
        """The text's vector, of length 1; None when embedding failed: then there is no cache, but an answer."""
        try:
            raw = [float(number) for number in self._embed(text)]
            norm = math.sqrt(sum(number * number for number in raw))
            return [number / norm for number in raw] if norm else None
        except Exception:
            _safely.report("embedding for the semantic cache")
            return None

    def _nearest(self, vector: list[float]) -> tuple[Entry | None, float | None]:
        now = time.time()
        best: tuple[float, Entry | None] = (-1.0, None)
        with self._lock:
            kept = list(self._vectors.values())
        for other, entry in kept:
            if (entry.expires_at is not None and now >= entry.expires_at) or len(other) != len(vector):
                continue
            similarity = sum(map(mul, vector, other))
            if similarity > best[0]:
                best = (similarity, entry)
        if best[1] is None:
            return None, None
        return (best[1] if best[0] >= self._threshold else None), min(best[0], 1.0)

    def _keep(self, vector: list[float], entry: Entry) -> None:
        entry.expires_at = None if self._ttl_s is None else time.time() + self._ttl_s
        with self._lock:
            self._number += 1
            self._vectors[self._number] = (vector, entry)
            while len(self._vectors) > self._max_entries:
                self._vectors.popitem(last=False)
