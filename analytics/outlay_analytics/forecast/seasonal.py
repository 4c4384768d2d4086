"""Forecast a short seasonal series: many cheap candidates, weighted by how well each would have done before.

Candidates: the same phases of the last weeks (last, mean, median, fading mean, longer history at the present level),
and a seasonal profile times a level (three speeds, a damped trend, and recent departures from the level that fade).
Each is evaluated at up to 24 past origins; its weight falls with a high power of its mean absolute error. The
intervals are conformal: quantiles of the combination's own past errors, scaled by the level and the distance, widened
where few errors are known. Totals are calibrated on the errors of past totals, since errors of steps neither add up
nor average out.

Sources: J. M. Bates, C. W. J. Granger, "The combination of forecasts" (1969); G. Shafer, V. Vovk, "A tutorial on
conformal prediction" (2008); R. J. Hyndman, G. Athanasopoulos, "Forecasting: principles and practice", 5.10 (rolling
origins).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ORIGINS = 24
TREND_POINTS = 21
LEAST_SUM = 0.2  # past sums that were forecast at less than this share of the present one say nothing in percent
WIDEST = 2.0  # times the largest step seen or forecast: as far as a bound may lie from its forecast
TOGETHER = 0.1  # a sum is off by at most this power of its steps more than if all of them were off together
SUM_SPREAD = 2.8  # errors of steps go together: a sum is off by this much more than if they were independent


@dataclass(frozen=True)
class Tuning:
    """Constants for one frequency, chosen on public series (benchmarks/README-analytics.md)."""

    sharpness: float
    fading: float
    shrink: float
    departures: tuple[tuple[int, float], ...]
    widen: float
    level80: float
    level95: float


DAILY = Tuning(12.0, 0.96, 1.0, ((1, 0.75), (3, 0.9)), 0.9, 0.79, 0.97)
HOURLY = Tuning(12.0, 0.96, 0.5, ((3, 0.9), (12, 0.96), (24, 0.99)), 0.8, 0.785, 0.965)


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
    past = _Past.collect(values, day, cycle, h, tuning)
    weights = past.weights(tuning)
    mean = weights @ _candidates(values, day, cycle, h, tuning)
    errors = np.einsum("c,cjk->jk", weights, past.errors)
    predicted = np.einsum("c,cjk->jk", weights, past.predicted)
    scale, widths = _step_widths(mean, errors, predicted, past, tuning)
    # Errors over almost nothing are no measure of what may come: no bound is further off than spend has ever moved.
    half80, half95 = (np.minimum(width * scale, WIDEST * max(1.0, float(mean.max()))) for width in widths)
    total = _total(mean, errors, predicted, past, half80, half95)
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


def _fold(values: Floats, cycle: int) -> Floats:
    """Rows are whole cycles, the newest last; column 0 is the phase of the next step."""
    rows = len(values) // cycle
    folded: Floats = values[len(values) - rows * cycle :].reshape(rows, cycle)
    return folded


def _candidates(y: Floats, day: int, cycle: int, h: int, tuning: Tuning) -> Floats:
    """Paths of every candidate from history `y`, shape (candidates, h); the order is fixed."""
    steps = np.arange(h)
    weeks = _fold(y, cycle)
    out = _same_phase(weeks, steps % cycle)
    if day > 1 and cycle > 1:
        days = _fold(y, day)[-7:]
        out += [days[-1][steps % day], days.mean(axis=0)[steps % day]]
    profile = _profile(y, day, cycle, tuning.shrink)
    flat = y / np.maximum(profile[(np.arange(len(y)) - len(y)) % cycle], 0.05)
    out += _levels(y, flat, profile, day, h, tuning)
    return np.array(out)


def _same_phase(weeks: Floats, phase: NDArray[np.int64]) -> list[Floats]:
    recent = weeks[-4:]
    fading = 0.6 ** np.arange(len(recent))[::-1]
    longer = weeks[-8:]
    level = np.clip((recent[-1].sum() + 1e-12) / (longer.sum(axis=1).mean() + 1e-12), 0.3, 3.0)
    paths = [
        recent[-1],
        recent.mean(axis=0),
        np.median(recent, axis=0),
        fading @ recent / fading.sum(),
        (0.5 * np.median(longer, axis=0) + 0.5 * longer.mean(axis=0)) * np.sqrt(level),
    ]
    return [path[phase] for path in paths]


def _profile(y: Floats, day: int, cycle: int, shrink: float) -> Floats:
    """Multiplicative season, mean 1, shrunk to 1 (and hours of the week to weekday x hour) while history is short."""
    if cycle == 1:
        return np.ones(1)
    half = cycle // 2
    padded = np.concatenate([np.full(half, y[:cycle].mean()), y, np.full(cycle - 1 - half, y[-cycle:].mean())])
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    center = np.maximum((sums[cycle:] - sums[:-cycle]) / cycle, 0.03 * y.mean() + 1e-12)
    ratios = _fold(y / center, cycle)
    count = len(ratios)
    profile: Floats = 0.6 * ratios.mean(axis=0) + 0.4 * np.median(ratios, axis=0)
    if day > 1 and cycle > day:
        by_day = profile.reshape(7, day)
        weekday = by_day.mean(axis=1)
        hour = (by_day / np.maximum(weekday, 0.05)[:, None]).mean(axis=0)
        profile = (profile * count + 3.0 * np.outer(weekday, hour).ravel()) / (count + 3.0)
    profile = (profile * count + shrink) / (count + shrink)
    shown: Floats = profile / max(float(profile.mean()), 1e-12)
    return shown


def _levels(y: Floats, flat: Floats, profile: Floats, day: int, h: int, tuning: Tuning) -> list[Floats]:
    """Season times level: three speeds, a damped trend, and departures from the level that fade."""
    steps, cycle = np.arange(h), len(profile)
    season = profile[steps % cycle]
    whole_days = len(flat) >= day
    daily = _fold(flat, day).mean(axis=1) if whole_days else flat
    middle = float(np.median(daily))
    calm = np.clip(daily, 0.25 * middle, 4 * middle + 1e-12)
    count = len(calm)
    out: list[Floats] = []
    for speed in (0.08, 0.2, 0.45):
        weights = (1 - speed) ** np.arange(count)[::-1]
        if speed < 0.15:
            weights[0] /= speed
        out.append((weights @ calm) / weights.sum() * season)
    if whole_days and count >= TREND_POINTS:
        out.append(_trend(calm, steps // day + 1) * season)
    weights = 0.8 ** np.arange(count)[::-1]
    level = (weights @ calm) / weights.sum()
    phase = (np.arange(len(y)) - len(y)) % cycle
    for length, fading in tuning.departures:
        season_sum = max(float(profile[phase[-length:]].sum()), 0.05 * length)
        recent = np.clip(y[-length:].sum() / season_sum, 0.25 * middle, 4 * middle + 1e-12)
        out.append((level + (recent - level) * fading ** (steps + 1.0)) * season)
    return out


def _trend(calm: Floats, ahead: NDArray[np.int64]) -> Floats:
    """Level plus half of the fading-weighted slope, for at most four weeks."""
    count = len(calm)
    x = np.arange(count) - count + 1.0
    weights = 0.97**-x
    center = (weights @ x) / weights.sum()
    slope = (weights @ ((x - center) * calm)) / max(float(weights @ (x - center) ** 2), 1e-12)
    level = (weights[-14:] @ calm[-14:]) / weights[-14:].sum()
    path: Floats = np.maximum(level + 0.5 * slope * (7 + np.minimum(ahead, 28)), 0.2 * level)
    return path


@dataclass(frozen=True)
class _Past:
    """What every candidate would have said at past origins; unknown steps are zero and not `known`."""

    errors: Floats
    predicted: Floats
    known: NDArray[np.bool_]
    age: Floats
    cases: float
    day: int

    @classmethod
    def collect(cls, y: Floats, day: int, cycle: int, h: int, tuning: Tuning) -> _Past:
        n = len(y)
        first = _first_origin(n, day, cycle)
        spaced = min(ORIGINS, max(2, (n - day - first) // day + 1))
        origins = np.unique(np.linspace(first, max(n - day, first), spaced).astype(int))
        origins = origins[(origins >= cycle) & (origins < n)]
        count = len(_candidates(y, day, cycle, 1, tuning))
        errors = np.zeros((count, len(origins), h))
        predicted = np.zeros_like(errors)
        known = np.zeros((len(origins), h), dtype=bool)
        for number, origin in enumerate(origins):
            ahead = min(h, n - origin)
            paths = _candidates(y[:origin], day, cycle, ahead, tuning)
            if len(paths) < count:  # no trend yet: the last path stands in
                paths = np.vstack([paths, np.repeat(paths[-1:], count - len(paths), axis=0)])
            predicted[:, number, :ahead] = paths
            errors[:, number, :ahead] = y[origin : origin + ahead] - paths
            known[number, :ahead] = True
        age = tuning.fading ** ((n - origins) / day)
        return cls(errors, predicted, known, age, max(1.0, (n - first) / day / 2), day)

    def weights(self, tuning: Tuning) -> Floats:
        """One weight per candidate, falling with a power of its mean absolute error."""
        if not self.known.any():
            return np.full(len(self.errors), 1 / len(self.errors))
        mae = (np.abs(self.errors) * self.age[:, None]).sum(axis=(1, 2)) / (
            self.known * self.age[:, None]
        ).sum() + 1e-12
        weights: Floats = (mae.min() / mae) ** tuning.sharpness
        weights /= weights.sum()
        return weights


def _first_origin(n: int, day: int, cycle: int) -> int:
    if cycle == 1:
        return 1
    if cycle == 24 and day == 24:
        return 3 * day if n >= 4 * day else day
    return cycle if n < 3 * cycle else 2 * cycle


def _step_widths(
    mean: Floats, errors: Floats, predicted: Floats, past: _Past, tuning: Tuning
) -> tuple[Floats, tuple[float, float]]:
    """Per step scale of the error, and the half widths of the 80 and 95% interval in its units.

    Errors grow with a power of the forecast, picked so that they look alike over its terciles, and slowly with
    distance.
    """
    growth = (np.arange(len(mean)) // past.day + 1.0) ** 0.15
    known = past.known
    if not known.any():
        return mean + 1e-12, (0.8, 1.6)
    level, size = predicted[known], np.abs(errors[known])
    distance = np.broadcast_to(growth, known.shape)[known]
    weight = np.broadcast_to(past.age[:, None], known.shape)[known]
    middle = max(float(level.mean()), 1e-12)
    tercile = np.digitize(level, np.quantile(level, [1 / 3, 2 / 3]))
    best: tuple[float, float, Floats] | None = None
    for power in (0.0, 0.5, 0.8, 1.0):
        scaled = size / ((np.maximum(level, 0.02 * middle) / middle) ** power * distance)
        means = np.array([scaled[tercile == third].mean() for third in range(3) if (tercile == third).any()])
        uneven = float(means.std() / (means.mean() + 1e-12))
        if best is None or uneven < best[0]:
            best = (uneven, power, scaled)
    assert best is not None
    wider = 1 + tuning.widen / past.cases
    scale = (np.maximum(mean, 0.02 * middle) / middle) ** best[1] * growth
    widths = [quantile(best[2], weight, level) * wider for level in (tuning.level80, tuning.level95)]
    return scale, (widths[0], max(widths))


def quantile(values: Floats, weights: Floats, level: float) -> float:
    """Weighted empirical quantile, interpolated."""
    order = np.argsort(values)
    held = np.cumsum(weights[order])
    middle = (held - 0.5 * weights[order]) / held[-1]
    return float(np.interp(level, middle, values[order]))


def _total(
    mean: Floats, errors: Floats, predicted: Floats, past: _Past, half80: Floats, half95: Floats
) -> dict[str, float]:
    """The sum of the steps, its intervals from the relative errors of past sums.

    One step's total is that step, and that of more is hardly wider than if all of them were off together.
    """
    h, total = len(mean), float(mean.sum())
    if h == 1:
        low80, low95 = max(total - float(half80[0]), 0.0), max(total - float(half95[0]), 0.0)
        high80, high95 = total + float(half80[0]), total + float(half95[0])
        return {"mean": total, "lo80": low80, "hi80": high80, "lo95": low95, "hi95": high95}
    steps = past.known.sum(axis=1)
    whole = steps >= min(h, 4 * past.day)
    independent = float(np.sqrt((half80**2).sum())) / max(total, 1e-12)
    if whole.any():
        sums = predicted.sum(axis=1)[whole]
        relative = np.abs(errors.sum(axis=1)[whole]) / np.maximum(sums, LEAST_SUM * total * steps[whole] / h + 1e-12)
        relative = relative * (h / steps[whole]) ** 0.1
        width = max(quantile(relative, past.age[whole], 0.78), SUM_SPREAD * independent)
        far = max(quantile(relative, past.age[whole], 0.97) * 1.15, 1.6 * width)
    else:
        width, far = SUM_SPREAD * independent, 1.6 * SUM_SPREAD * independent
    together = h**TOGETHER / max(total, 1e-12)
    width = min(width, float(half80.sum()) * together)
    far = min(max(far, width), float(half95.sum()) * together)
    return {
        "mean": total,
        "lo80": max(0.0, total * (1 - width)),
        "hi80": total * (1 + width),
        "lo95": max(0.0, total * (1 - far)),
        "hi95": total * (1 + far),
    }
