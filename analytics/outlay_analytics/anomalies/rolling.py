"""Sums, quantiles and shifts of hourly values in which no hour depends on a later one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from outlay_analytics.query.arrays import Floats

WEEK, DAY = 168, 24
SPREAD_H = 14 * DAY
Series = Any  # pandas is without useful types for rolling results


def spread(past: Floats, floor: float, far: float, since: int) -> Floats:
    """How far a statistic strays at usual times: its robust deviation, or that of its 98th percentile if it is larger.

    Median absolute deviation x 1.4826: F. R. Hampel, "The influence curve and its role in robust estimation", 1974.

    Args:
        past: What it was, at times before the window that is tested; without signs, where falls count as rises do.
        floor: Least deviation.
        far: Deviations at which the percentile lies.
        since: The first hour that is asked for.
    """
    middle = np.hypot(1.4826 * rolled(np.abs(past), since, 96), floor)
    wider: Floats = np.maximum(middle, rolled(past, since, 96, 0.98) / far)
    return wider


def rolled(values: Floats, since: int, least: int, level: float = 0.5) -> Floats:
    """A quantile of the last `SPREAD_H` known values, from hour `since` on; NaN before `least` of them."""
    first = max(0, since - SPREAD_H + 1)
    near = values[first:]
    if SPREAD_H <= len(near) < SPREAD_H + DAY and not np.isnan(near).any():  # of a few hours: no need to roll
        ranked = np.sort(np.lib.stride_tricks.sliding_window_view(near, SPREAD_H), axis=1)
        below, part = divmod(level * (SPREAD_H - 1), 1)
        found = ranked[:, int(below)] * (1 - part) + ranked[:, int(below) + 1] * part
        return np.concatenate([np.full(len(values) - len(found), np.nan), found])
    return np.concatenate([np.full(first, np.nan), _rolled_bytes(near.tobytes(), least, level)])


@lru_cache(maxsize=64)  # the channels of a series weigh their hours by the same calls
def _rolled_bytes(values: bytes, least: int, level: float) -> Floats:
    rolling: Series = pd.Series(np.frombuffer(values)).rolling(SPREAD_H, least)
    found: Floats = (rolling.median() if level == 0.5 else rolling.quantile(level)).to_numpy()
    return found


def sums(values: Floats, hours: int, least: int | None = None) -> Floats:
    """Sums over the last `hours` values, of fewer at the beginning; NaN before `least`."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(1, len(values) + 1)
    found: Floats = total[at] - total[np.maximum(at - hours, 0)]
    found[: (least or hours) - 1] = np.nan
    return found


def shifted(values: Floats, hours: int) -> Floats:
    """Every value `hours` later; NaN before the first."""
    return np.concatenate([np.full(min(hours, len(values)), np.nan), values[: max(0, len(values) - hours)]])


def known_or(values: Floats, other: Floats | float) -> Floats:
    """The values, the other's where there is none."""
    return np.where(np.isnan(values), other, values)
