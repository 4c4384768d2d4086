"""How far off the candidates were at past origins: what weighs them, and how wide the intervals are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay_analytics.forecast.candidates import Floats, Tuning, candidates

ORIGINS = 24
LEAST_SUM = 0.2  # past sums that were forecast at less than this share of the present one say nothing in percent
TOGETHER = 0.1  # a sum is off by at most this power of its steps more than if all of them were off together
SUM_SPREAD = 2.8  # errors of steps go together: a sum is off by this much more than if they were independent


@dataclass(frozen=True)
class Past:
    """What every candidate would have said at past origins; unknown steps are zero and not `known`."""

    errors: Floats
    predicted: Floats
    known: NDArray[np.bool_]
    age: Floats
    cases: float
    day: int

    @classmethod
    def collect(cls, y: Floats, day: int, cycle: int, h: int, tuning: Tuning) -> Past:
        n = len(y)
        first = _first_origin(n, day, cycle)
        spaced = min(ORIGINS, max(2, (n - day - first) // day + 1))
        origins = np.unique(np.linspace(first, max(n - day, first), spaced).astype(int))
        origins = origins[(origins >= cycle) & (origins < n)]
        count = len(candidates(y, day, cycle, 1, tuning))
        errors = np.zeros((count, len(origins), h))
        predicted = np.zeros_like(errors)
        known = np.zeros((len(origins), h), dtype=bool)
        for number, origin in enumerate(origins):
            ahead = min(h, n - origin)
            paths = candidates(y[:origin], day, cycle, ahead, tuning)
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


def step_widths(
    mean: Floats, errors: Floats, predicted: Floats, past: Past, tuning: Tuning
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


def total_of(
    mean: Floats, errors: Floats, predicted: Floats, past: Past, half80: Floats, half95: Floats
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
