"""Is more being spent than these hours of the week usually bring? Causal: an hour is judged from those before it.

Sums over several windows are compared with the same hours of the last three weeks at the present level, each in units
of its own robust spread in the past. Three things tell a rise from what is usual:

- Differences are taken of square roots. Of counts these stray alike by night and by day (M. S. Bartlett, "The square
  root transformation in analysis of variance", 1936); of logarithms the quiet hours stray most and hide what happens in
  the busy ones, of dollars the busy ones.
- Any window may bring what it usually does an hour earlier or later, for what keeps other hours (a job that is late, a
  clock that was put forward) is no rise. A single hour goes on as the last ones have begun.
- A longer window speaks only while its newest part is high, too: not for days after something that is over.
"""

from __future__ import annotations

import warnings

import numpy as np

from outlay_analytics.anomalies.rolling import DAY, WEEK, known_or, shifted, spread, sums
from outlay_analytics.query.arrays import Floats

HOUR_THRESHOLD = 2.8  # robust deviations of a single hour that are an alert
Windows = tuple[tuple[int, float], ...]
WINDOWS: Windows = ((24, 3.4), (72, 2.2), (168, 1.9))  # hours, threshold in robust deviations
BEGINS = WINDOWS[:1]  # those that tell that something begins; the longer ones tell that it lasts
FLOOR = 0.03  # least deviation, as a share of the usual spend
FAR = 2.3  # deviations at which the 98th percentile lies
QUIET = 0.1  # of the mean hour: what is added to each, so that a few calls after none are no rise
BEGUN_H, GOES_ON = 6, 0.5  # the last hours' rise (a logarithm), and the share of it that is expected to go on
STILL = 0.7  # of a window's rise: what its newest part must hold
LEVELS = (0.4, 2.5)  # least and largest level


def volume(y: Floats, since: int = 0, windows: Windows = WINDOWS) -> Floats:
    """The statistic of spend per hour; more than 1 is an alert.

    Args:
        y: Spend per hour.
        since: The first hour that is asked for; those before it are not right.
        windows: To test beside single hours.
    """
    count = np.arange(1, len(y) + 1)
    so_far = np.cumsum(y) / count
    longer = median_of_weeks(np.append(y, 0.0))  # the coming hour's, too
    expected, coming = known_or(longer[:-1], so_far), known_or(longer[1:], so_far)
    mean = known_or(shifted(sums(y, 3 * WEEK, DAY) / np.minimum(count, 3 * WEEK), 1), so_far) + 1e-12
    worst = np.nan_to_num(_hour(y, expected, coming, mean, since) / HOUR_THRESHOLD)
    level = _level(y, expected, 2 * WEEK)
    for hours, threshold in windows:
        at = known_or(shifted(level, hours), 1.0)
        brought = sums(expected, hours)
        normal = np.maximum(brought, np.maximum(sums(coming, hours), known_or(shifted(brought, 1), 0.0))) * at
        actual = sums(y, hours)
        deviation = _deviation(actual, normal, mean * hours, hours, since)
        newest = min(DAY, hours // 3)
        with np.errstate(all="ignore"):
            still = sums(y, newest) / (sums(expected, newest) * at) - 1 >= STILL * (actual / normal - 1)
        worst = np.maximum(worst, np.where(still, np.nan_to_num(deviation / threshold), 0.0))
    return worst


def _hour(y: Floats, expected: Floats, coming: Floats, mean: Floats, since: int) -> Floats:
    """The deviations of each hour alone, as far as the last ones did not announce it."""
    at = known_or(shifted(_level(y, expected, WEEK), 1), 1.0)
    small = QUIET * mean
    last, were = sums(y, BEGUN_H, 1), sums(expected, BEGUN_H, 1) * at
    rise = known_or(shifted(np.log((last + small * BEGUN_H) / (were + small * BEGUN_H)), 1), 0.0)
    near = np.maximum(coming, known_or(shifted(expected, 1), 0.0))
    normal = np.maximum(expected, near) * at * np.exp(np.clip(GOES_ON * rise, 0.0, 1.5))
    return _deviation(y, normal, mean, 1, since)


def _level(y: Floats, expected: Floats, hours: int) -> Floats:
    """How much more was spent in the last hours than they usually bring."""
    with np.errstate(all="ignore"):
        return np.clip(sums(y, hours, 100) / sums(expected, hours, 100), *LEVELS)


def _deviation(actual: Floats, normal: Floats, unit: Floats, hours: int, since: int) -> Floats:
    """How far sums over `hours` lie above the normal ones, in units of how far they stray; `unit`: their mean."""
    small = QUIET * unit
    moved = 2 * (np.sqrt(actual + small) - np.sqrt(normal + small)) / np.sqrt(unit)
    return moved / spread(shifted(moved, hours), FLOOR, FAR, since)


def median_of_weeks(y: Floats) -> Floats:
    """What each hour is expected to bring: median of the same hour of three weeks, before that of the last days."""
    n = len(y)

    def lag(hours: int) -> Floats:
        return np.concatenate([np.full(min(n, hours), np.nan), y[: max(0, n - hours)]])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # hours that have no past yet
        weekly = np.nanmedian(np.stack([lag(WEEK * k) for k in (1, 2, 3)]), axis=0)
        daily = np.nanmean(np.stack([lag(DAY * k) for k in range(1, 8)]), axis=0)
    expected: Floats = np.where(np.isfinite(weekly), weekly, daily)
    return expected
