"""What the hours of a week usually bring, with the noise of single hours taken out.

The same hour of three earlier weeks says little where there are few calls. But the days of a week share a few shapes (a
working day's, a weekend's), so the week as a table of days × hours is a sum of few products. Those that rise above what
noise alone would make are kept: they stay sharp where a weekend begins or a job runs at two each night, which the mean
with neighboring hours blurs.

Square roots make the noise of counts alike in all hours (M. S. Bartlett, 1936). The largest singular value that noise
makes: S. Geman, "A limit theorem for the norm of random matrices", 1980.
"""

from __future__ import annotations

import numpy as np

from outlay_analytics.anomalies.detector import DAY, WEEK, expected
from outlay_analytics.query.arrays import Floats

DAYS = 7
LAGS = (1, 2, 3)  # weeks that say what is usual
OF_MEDIAN = 0.67  # the deviation of the median of three, of one's
EDGE = float(np.sqrt(DAYS) + np.sqrt(DAY))  # the largest singular value of a week of noise with deviation 1
SMOOTH = (1.0, 2.0, 3.0, 2.0, 1.0)  # weights of an hour's neighbors where weeks are too few to tell


def usual_hours(spent: Floats, near: int) -> Floats:
    """The usual value of each hour; NaN where nothing is known.

    Args:
        spent: Per hour.
        near: The hour at which a week is to begin: an incident's first, so that none of its hours is in one with those
            before it.
    """
    count = len(spent)
    longer = np.concatenate([spent, np.full(WEEK, np.nan)])
    usual = expected(longer)
    out = _smoothed(usual)
    weeks = [at for at in range(near % WEEK + LAGS[-1] * WEEK, count, WEEK) if np.isfinite(usual[at : at + WEEK]).all()]
    if not weeks:
        return out[:count]
    roots = np.sqrt(np.maximum(usual, 0.0))
    cut = _day_cut(roots[weeks[0] : weeks[0] + WEEK])
    for at in weeks:
        earlier = np.sqrt(np.maximum(np.stack([longer[at - WEEK * k : at - WEEK * k + WEEK] for k in LAGS]), 0.0))
        noise = OF_MEDIAN * float(np.sqrt(np.nanmean(np.nanvar(earlier, axis=0, ddof=1))))
        days = np.roll(roots[at : at + WEEK], -cut).reshape(DAYS, DAY)
        left, sizes, right = np.linalg.svd(days, full_matrices=False)
        sizes[1:][sizes[1:] <= noise * EDGE] = 0.0
        out[at : at + WEEK] = np.roll(np.maximum((left * sizes) @ right, 0.0).ravel(), cut) ** 2
    return out[:count]


def _day_cut(week: Floats) -> int:
    """The hour at which days begin alike: with which one shape says most. Weekends begin at local midnights."""
    tables = np.stack([np.roll(week, -hour).reshape(DAYS, DAY) for hour in range(DAY)])
    return int(np.argmin(np.linalg.svd(tables, compute_uv=False)[:, 1]))


def _smoothed(usual: Floats) -> Floats:
    """The usual value of each hour with its neighbors', weighted (1 2 3 2 1); NaN where nothing is known."""
    held = np.isfinite(usual)
    weights = np.array(SMOOTH)
    sums = np.convolve(np.where(held, usual, 0.0), weights, "same")
    counts = np.convolve(held.astype(float), weights, "same")
    out: Floats = np.where(held, sums / np.maximum(counts, 1e-12), np.nan)
    return out
