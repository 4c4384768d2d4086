"""Find the slice of the data that a change happened in: at most three dimensions, judged by purity.

A slice is good when its leaves moved alike and everything outside stayed alike: then two factors, one inside and one
outside, reproduce the actual values. Purity = 1 - (misfit of the two factors ÷ misfit of one factor for all); a small
price per extra condition and a small reward for the share of the change that the slice holds decide between near
equals. The misfit is the squared Hellinger distance, Σ (√actual - √predicted)², which weighs large and small leaves
as counts deserve.

The idea of judging a slice by how alike its leaves moved is that of Squeeze (Li et al., ISSRE 2019) and RiskLoc
(Kalander, 2022); the "largest mover" of ordinary drill-downs finds one dimension at a time and is right far less often.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONDITION_PRICE = 0.03
SHARE_REWARD = 0.1
ROOM = 16  # counters per leaf that are cheaper than sorting the leaves


def drill(
    rows: Sequence[tuple[Any, ...]],
    dims: Sequence[str],
    expected: Sequence[float] | Floats,
    actual: Sequence[float] | Floats,
    max_layer: int = 3,
    min_share: float = 0.08,
) -> tuple[dict[str, Any], float]:
    """Return the slice that explains the change from `expected` to `actual` best, and its score.

    Args:
        rows: One tuple of dimension values per leaf.
        dims: Names of the dimensions, as long as each row.
        expected, actual: Value per leaf before and after.
        max_layer: Most conditions a slice may have.
        min_share: Least share of the whole change that a slice must hold.

    Returns:
        `({dimension: value, …}, score)`; an empty dict when no slice stands out.
    """
    e, a = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    change = a - e
    total = float(change.sum())
    if not len(e) or total == 0:
        return {}, 0.0
    values, codes = _encode(rows, len(dims))
    before, after = np.maximum(e, 0.0), np.maximum(a, 0.0)
    nothing = _misfit(before, after)
    if nothing <= 1e-9 * float(after.sum() + before.sum()):  # everything moved alike
        return {}, 0.0
    best: tuple[float, dict[str, Any]] = (0.0, {})
    for layer in range(1, min(max_layer, len(dims)) + 1):
        for picked in itertools.combinations(range(len(dims)), layer):
            slices = _combine(codes, picked)
            held = np.bincount(slices, weights=change) / total
            leaves = np.bincount(slices)
            for number in np.flatnonzero(held >= min_share):
                inside = slices == number
                fit = _misfit(before[inside], after[inside])
                fit += _misfit(before[~inside], after[~inside]) if leaves[number] < len(e) else 0.0
                purity = 1 - fit / nothing
                score = purity * (1 - CONDITION_PRICE * (layer - 1)) + SHARE_REWARD * min(1.0, held[number])
                if score > best[0]:
                    first = int(np.argmax(inside))
                    best = (score, {dims[d]: values[d][codes[first, d]] for d in picked})
    return best[1], best[0]


def _misfit(expected: Floats, actual: Floats) -> float:
    """Squared Hellinger distance left when all leaves are said to move by the same ratio."""
    ratio = float(actual.sum()) / max(float(expected.sum()), 1e-9)
    return float(((np.sqrt(actual) - np.sqrt(expected * ratio)) ** 2).sum())


def _encode(rows: Sequence[tuple[Any, ...]], width: int) -> tuple[list[list[Any]], NDArray[np.int64]]:
    """Values of each dimension as small integers."""
    codes = np.empty((len(rows), width), dtype=np.int64)
    values: list[list[Any]] = []
    for d in range(width):
        column = [row[d] for row in rows]
        distinct = sorted(set(column), key=str)
        number = {value: k for k, value in enumerate(distinct)}
        codes[:, d] = [number[value] for value in column]
        values.append(distinct)
    return values, codes


def _combine(codes: NDArray[np.int64], picked: Sequence[int]) -> NDArray[np.int64]:
    """One integer per combination of the picked dimensions' values, dense enough to count by."""
    key = codes[:, picked[0]].copy()
    space = int(key.max()) + 1
    for d in picked[1:]:
        values = int(codes[:, d].max()) + 1
        if space * values > ROOM * len(key):
            _, key = np.unique(key, return_inverse=True)
            key = key.reshape(-1)
            space = int(key.max()) + 1
        key = key * values + codes[:, d]
        space *= values
    if space > ROOM * len(key):
        key = np.unique(key, return_inverse=True)[1].reshape(-1)
    return key
