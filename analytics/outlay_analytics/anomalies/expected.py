"""What the hours of a week usually bring, with the noise of single hours taken out.

The same hour of three earlier weeks says little where there are few calls. But the days of a week share a few shapes (a
working day's, a weekend's), so the week as a table of days × hours is a sum of few products. Those that rise above what
noise alone would make are kept: they stay sharp where a weekend begins or a job runs at two each night, which the mean
with neighboring hours blurs.

It must add up: what is expected of few calls is their mean, not their median, which is nothing by night. So weeks are
averaged but for what strays far from the others, and the smooth table is scaled to the sums of its days and its hours
(W. E. Deming and F. F. Stephan, "On a least squares adjustment of a sampled frequency table", 1940).

Square roots make the noise of counts alike in all hours (M. S. Bartlett, 1936). The largest singular value that noise
makes: S. Geman, "A limit theorem for the norm of random matrices", 1980.
"""

from __future__ import annotations

import warnings

import numpy as np

from outlay_analytics.anomalies.rolling import DAY, WEEK
from outlay_analytics.anomalies.volume import median_of_weeks
from outlay_analytics.query.arrays import Floats

DAYS = 7
LAGS = (1, 2, 3)  # weeks that say what is expected
OF_MEAN = 3**-0.5  # the deviation of the mean of three, of one's
FAR = 6.0  # deviations (of the root of an hour, from the other weeks') of what is not averaged
TRIMMED = 0.95  # of the hours that say how far weeks stray: those that stray least
EDGE = float(np.sqrt(DAYS) + np.sqrt(DAY))  # the largest singular value of a week of noise with deviation 1
SMOOTH = (1.0, 2.0, 3.0, 2.0, 1.0)  # weights of an hour's neighbors where weeks are too few to tell
ROUNDS = 3  # of scaling to sums of days and of hours


def expected_hours(spent: Floats, near: int) -> Floats:
    """The expected value of each hour; NaN where nothing is known.

    Args:
        spent: Per hour.
        near: The hour at which a week is to begin: an incident's first, so that none of its hours is in one with those
            before it.
    """
    count = len(spent)
    longer = np.concatenate([spent, np.full(WEEK, np.nan)])
    expected = mean_of_weeks(longer)
    out = _smoothed(expected)
    weeks = [
        at for at in range(near % WEEK + LAGS[-1] * WEEK, count, WEEK) if np.isfinite(expected[at : at + WEEK]).all()
    ]
    if not weeks:
        return out[:count]
    past = [at for at in weeks if at <= near] or weeks[:1]  # an incident's hours say nothing of how days are cut
    cut = _day_cut(np.mean([expected[at : at + WEEK] for at in past], axis=0))
    for at in weeks:
        earlier = np.sqrt(np.maximum(np.stack([longer[at - WEEK * k : at - WEEK * k + WEEK] for k in LAGS]), 0.0))
        noise = OF_MEAN * float(np.sqrt(np.nanmean(np.nanvar(earlier, axis=0, ddof=1))))
        days = np.sqrt(np.maximum(np.roll(expected[at : at + WEEK], -cut), 0.0)).reshape(DAYS, DAY)
        left, sizes, right = np.linalg.svd(days, full_matrices=False)
        sizes[1:][sizes[1:] <= noise * EDGE] = 0.0
        smooth = _scaled(np.maximum((left * sizes) @ right, 0.0) ** 2, days**2)
        out[at : at + WEEK] = np.roll(smooth.ravel(), cut)
    return out[:count]


def mean_of_weeks(y: Floats) -> Floats:
    """The mean of the same hour of the last three weeks but for what strays far; before that of the last days."""
    expected = median_of_weeks(y)
    weeks = np.full((len(LAGS), len(y)), np.nan)
    for row, lag in zip(weeks, LAGS, strict=True):
        row[lag * WEEK :] = y[: max(0, len(y) - lag * WEEK)]
    roots = np.sqrt(np.maximum(weeks, 0.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # hours that have no past yet
        strays = np.abs(roots - np.nanmedian(roots, axis=0))
        squares = np.sort(np.nansum(strays**2, axis=0)[np.isfinite(strays).all(axis=0)])
        kept = squares[: round(TRIMMED * len(squares))]
        far = FAR * float(np.sqrt(kept.mean() / 2)) if len(kept) else np.inf
        mean = np.nanmean(np.where(strays <= max(far, 1e-12), weeks, np.nan), axis=0)
    found: Floats = np.where(np.isfinite(mean), mean, expected)
    return found


def _scaled(smooth: Floats, table: Floats) -> Floats:
    """A smooth table (days × hours) that adds up to the sums of another's days and hours of the day."""
    for _ in range(ROUNDS):
        for axis in (1, 0):
            is_, to = smooth.sum(axis=axis, keepdims=True), table.sum(axis=axis, keepdims=True)
            smooth = np.where(is_ > 0, smooth * to / np.maximum(is_, 1e-300), to / smooth.shape[axis])
    return smooth


def _day_cut(week: Floats) -> int:
    """The hour at which days begin alike: with which their sums differ most. Weekends begin at local midnights."""
    return int(np.argmax([np.var(np.roll(week, -hour).reshape(DAYS, DAY).sum(axis=1)) for hour in range(DAY)]))


def _smoothed(expected: Floats) -> Floats:
    """The expected value of each hour with its neighbors', weighted (1 2 3 2 1); NaN where nothing is known."""
    held = np.isfinite(expected)
    weights = np.array(SMOOTH)
    sums = np.convolve(np.where(held, expected, 0.0), weights, "same")
    counts = np.convolve(held.astype(float), weights, "same")
    out: Floats = np.where(held, sums / np.maximum(counts, 1e-12), np.nan)
    return out
