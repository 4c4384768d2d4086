"""Thresholds learned from what was right: the lowest one whose answers are wrong at most so often.

Thresholds are tried from strict to loose, each by Clopper and Pearson's exact bound, until the first that fails: so
trying many costs nothing (fixed sequence testing; Maurer, Hothorn and Lehmacher 1995). The steps are fixed, and where
they begin depends on how many pairs there are, not on which were right.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from outlay import _fork
from outlay.optimizations.intervals import share_low

STEPS = tuple(round(1 - step / 200, 3) for step in range(101))  # 1, 0.995 … 0.5


@dataclass(frozen=True, slots=True)
class LearnedThreshold:
    """A threshold and what it promises.

    Attributes:
        threshold: From here on answers may be given; None where the evidence is too thin for any.
        error_bound: Among those, at most that share is wrong, with `confidence`.
        pairs: Judged pairs at or above it; all of them where there is no threshold.
        pairs_missing: How many more without a mistake it takes; 0 where there is a threshold.
    """

    threshold: float | None
    error_bound: float
    confidence: float
    pairs: int
    pairs_missing: int


class Judged(_fork.Renewed):
    """Similarities of pairs of texts, and whether the one's answer was right for the other; the latest so many."""

    def __init__(self, most: int = 10_000) -> None:
        self._pairs: deque[tuple[float, bool]] = deque(maxlen=most)
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """A lock that nobody holds."""
        self._lock = threading.Lock()

    def add(self, similarity: float, is_right: bool) -> None:
        """Note a pair."""
        with self._lock:
            self._pairs.append((similarity, is_right))

    def threshold(self, error: float, confidence: float) -> LearnedThreshold:
        """The lowest threshold above which at most `error` of the answers are wrong."""
        for word, share in (("error", error), ("confidence", confidence)):
            if not 0 < share < 1:
                raise ValueError(f"{word} must be between 0 and 1, not {share!r}")
        with self._lock:
            pairs = sorted(self._pairs, reverse=True)
        best = None
        needed = _missing(0, 0, error, confidence)
        place = wrong = missing = 0
        for step in STEPS:
            while place < len(pairs) and pairs[place][0] >= step:
                wrong += not pairs[place][1]
                place += 1
            missing = needed - place
            if missing > 0:
                continue  # not even if all were right; what was right plays no part in this
            bound = 1 - share_low(place - wrong, place, 1 - confidence)
            if bound > error:
                missing = _missing(place, wrong, error, confidence)
                break
            best = LearnedThreshold(step, bound, confidence, place, 0)
        return best or LearnedThreshold(None, error, confidence, len(pairs), missing)


def _missing(pairs: int, wrong: int, error: float, confidence: float) -> int:
    """How many more pairs without a mistake would do."""
    low, high = 0, 1
    while 1 - share_low(pairs + high - wrong, pairs + high, 1 - confidence) > error:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if 1 - share_low(pairs + middle - wrong, pairs + middle, 1 - confidence) > error:
            low = middle
        else:
            high = middle
    return high
