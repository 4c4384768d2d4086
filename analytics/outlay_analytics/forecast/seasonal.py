"""Forecast a short seasonal series: many cheap candidates, weighted by how well each would have done before.

Candidates: the same phases of the last weeks (last, mean, median, fading mean, longer history at the present level,
and medians at a level that few odd days do not move), and a seasonal profile times a level (three speeds, a damped
trend, and recent departures from the level that fade). Each is evaluated at up to 24 past origins; its weight falls
with a high power of its mean absolute error. The intervals are conformal: quantiles of the combination's own past
errors, scaled by the level and the distance, widened where few errors are known. Totals are calibrated on the errors
of past totals, since errors of steps neither add up nor average out.

Sources: J. M. Bates, C. W. J. Granger, "The combination of forecasts" (1969); G. Shafer, V. Vovk, "A tutorial on
conformal prediction" (2008); R. J. Hyndman, G. Athanasopoulos, "Forecasting: principles and practice", 5.10 (rolling
origins).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from outlay_analytics.forecast.candidates import DAILY, HOURLY, Floats, candidates
from outlay_analytics.forecast.errors import Past, step_widths, total_of

WIDEST = 2.0  # times the largest step seen or forecast: as far as a bound may lie from its forecast


def forecast(y: Any, ds: Any, freq: str, h: int, levels: tuple[int, ...] = (80, 95)) -> dict[str, Any]:
    """Forecast the next `h` steps of `y` and their total. Never fails: any finite or missing values, any length.

    Args:
        y: Values, oldest first, one for each step, not negative; NaN where a step is unknown, which is not zero.
        ds: Instants of `y` (datetime64), only their spacing matters; unused today.
        freq: `D` or `h`.
        h: Steps ahead.
        levels: Levels of the prediction intervals in percent; 80 and 95 are calibrated.

    Returns:
        `mean` (point forecast), `lo80 hi80 lo95 hi95`, arrays of length `h`; `total` with the same names, for the sum.
    """
    del ds, levels
    day, tuning = (1, DAILY) if freq == "D" else (24, HOURLY)
    values = filled(np.asarray(y, dtype=float), 7 * day)
    unit = float(values.max()) if len(values) else 0.0
    if unit <= 0 or h <= 0:
        return _nothing(max(h, 0))
    values = values / unit
    cycle = _cycle(len(values), day)
    past = Past.collect(values, day, cycle, h, tuning)
    weights = past.weights(tuning)
    mean = weights @ candidates(values, day, cycle, h, tuning)
    errors = np.einsum("c,cjk->jk", weights, past.errors)
    predicted = np.einsum("c,cjk->jk", weights, past.predicted)
    scale, widths = step_widths(mean, errors, predicted, past, tuning)
    # Errors over almost nothing are no measure of what may come: no bound is further off than spend has ever moved.
    half80, half95 = (np.minimum(width * scale, WIDEST * max(1.0, float(mean.max()))) for width in widths)
    total = total_of(mean, errors, predicted, past, half80, half95)
    out: dict[str, Any] = {"mean": mean * unit}
    for level, half in ((80, half80), (95, half95)):
        out[f"lo{level}"] = np.maximum(mean - half, 0.0) * unit
        out[f"hi{level}"] = (mean + half) * unit
    out["total"] = {name: amount * unit for name, amount in total.items()}
    return out


def filled(y: Floats, week: int) -> Floats:
    """`y` from its first known step on, each unknown one the mean of its nearest known neighbors a week apart.

    Where no week has its phase, the nearest known steps stand in.
    """
    known = np.isfinite(y)
    if not known.any():
        return np.zeros(0)
    first = int(np.argmax(known))
    known, values = known[first:], np.maximum(np.where(known, y, 0.0), 0.0)[first:]
    at = np.flatnonzero(known)
    for gap in np.flatnonzero(~known):
        alike = at[(at - gap) % week == 0]
        near = alike if len(alike) else at
        split = int(np.searchsorted(near, gap))
        values[gap] = values[near[max(split - 1, 0) : split + 1]].mean()
    return values


def _nothing(h: int) -> dict[str, Any]:
    zeros = np.zeros(h)
    names = ("mean", "lo80", "hi80", "lo95", "hi95")
    return {**{name: zeros.copy() for name in names}, "total": dict.fromkeys(names, 0.0)}


def _cycle(n: int, day: int) -> int:
    """Steps of the season that this much history can show: a week, a day of hours, or none."""
    if n >= 14 * day:
        return 7 * day
    return day if day > 1 and n >= 3 * day else 1
