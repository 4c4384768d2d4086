"""Ways to go on with a short seasonal series: the same phases of the last weeks, and a season times a level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TREND_POINTS = 21
ROBUST_WEEKS = 6
LEVELS = (0.4, 2.5)  # least and largest


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


def _fold(values: Floats, cycle: int) -> Floats:
    """Rows are whole cycles, the newest last; column 0 is the phase of the next step."""
    rows = len(values) // cycle
    folded: Floats = values[len(values) - rows * cycle :].reshape(rows, cycle)
    return folded


def candidates(y: Floats, day: int, cycle: int, h: int, tuning: Tuning) -> Floats:
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
        *_robust(weeks),
    ]
    return [path[phase] for path in paths]


def _robust(weeks: Floats) -> list[Floats]:
    """The medians of the same phases, as they are and at the last week's level, whatever days of it stood out.

    Both medians are of several weeks or of a week's days, so that half of them may be holidays, launches or outages.
    """
    medians = np.median(weeks[-ROBUST_WEEKS:], axis=0)
    ratios = weeks[-1][medians > 0] / medians[medians > 0]
    level = np.clip(np.median(ratios), *LEVELS) if len(ratios) else 1.0
    return [medians, medians * level, medians * np.sqrt(level)]


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
