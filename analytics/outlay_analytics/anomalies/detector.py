"""Score how unusual each point of a spend series is. Causal: a score depends on nothing later than its own point.

Two ideas carry it. Sums over several windows are compared with the same hours of the last three weeks at the present
level, each in units of its own robust spread in the past. And the drivers of spend (cost, tokens and output per call,
uncached share, price per token) are watched beside the spend, because they have almost no season and little noise: a
price or a cache that changes is seen within hours there, long before the bill shows it.

Every statistic is a ratio to its threshold: more than 1 is an alert. The thresholds were chosen on public traffic
shapes with injected incidents for fewer than two false alarms a month (benchmarks/README-analytics.md).

Robust scale: median absolute deviation x 1.4826 (F. R. Hampel, 1974).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from outlay_analytics.query.arrays import Floats

WEEK, DAY = 168, 24
LEARN_H = 15 * DAY  # before this, nothing is an alert
SPREAD_H = 14 * DAY
HOURLY_S = 1800.0
# Window in hours, threshold in robust deviations.
VOLUME_WINDOWS = ((1, 4.3), (24, 3.4), (72, 3.0), (168, 2.8))
DRIVER_WINDOWS = ((1, 5.6), (3, 4.9), (12, 4.5), (36, 4.4))
SLOW_WINDOWS = ((96, 4.6),)
Series = Any  # pandas is without useful types for rolling results


def score(t: Any, y: Any, aux: Mapping[str, Any] | None = None) -> Floats:
    """Return a score in [0, 1] per point; at least 0.5 is an alert.

    Args:
        t: Instants (datetime64), increasing.
        y: Spend per interval, or any other measure.
        aux: Per hour, as long as `y`, any of `calls`, `in_tok`, `cached_tok`, `out_tok`, `retries`.
    """
    values = np.nan_to_num(np.asarray(y, dtype=float))
    if len(values) < 2:
        return np.zeros(len(values))
    if _step_s(t) < HOURLY_S:
        return generic(values)
    statistics = channels(values, aux)
    worst: Floats = np.maximum.reduce(list(statistics.values()))
    scores: Floats = 1 - 0.5**worst
    scores[:LEARN_H] = np.minimum(scores[:LEARN_H], 0.49)
    # Alone, a series alerts when something begins; with its drivers known, as long as it lasts.
    return scores if aux is not None else _once(scores, quiet=12, louder=0.1)


def channels(y: Floats, aux: Mapping[str, Any] | None = None) -> dict[str, Floats]:
    """The statistic of every channel per hour; more than 1 is an alert."""
    out = {"spend": volume(y)}
    if aux is None or "calls" not in aux:
        return out
    data = {name: np.nan_to_num(np.asarray(values, dtype=float)) for name, values in aux.items()}
    calls = data["calls"]
    cost = _log_ratio(y, calls, calls)
    out["cost_per_call"] = np.maximum(driver(cost, calls), driver(cost, calls, SLOW_WINDOWS, base_h=2 * WEEK))
    if "in_tok" in data and "out_tok" in data:
        read, written = data["in_tok"], data["out_tok"]
        both = _log_ratio(read + written, calls, calls)
        out["tokens_per_call"] = np.maximum.reduce(
            [
                driver(_log_ratio(read, calls, calls), calls),
                driver(_log_ratio(written, calls, calls), calls, both_ways=True),
                driver(both, calls, SLOW_WINDOWS, base_h=2 * WEEK),
            ]
        )
        out["usd_per_token"] = driver(_log_ratio(y, read + written, calls), calls)
        if "cached_tok" in data:
            out["uncached_share"] = driver(_log_ratio(read - data["cached_tok"], read, calls), calls, floor=0.04)
    if "retries" in data:
        share = np.log((data["retries"] + 0.5) / (calls + 50.0))
        out["retry_share"] = driver(np.where(calls > 0, share, np.nan), calls, floor=0.15)
    return out


def volume(y: Floats) -> Floats:
    """Is more being spent than these hours of the week usually bring?"""
    series: Series = pd.Series(y)
    so_far = series.expanding().mean()
    usual: Series = pd.Series(expected(y)).fillna(so_far)
    mean = series.rolling(3 * WEEK, DAY).mean().shift(1).fillna(so_far)
    level = (series.rolling(WEEK, 100).sum() / usual.rolling(WEEK, 100).sum()).clip(0.4, 2.5)
    worst = np.zeros(len(y))
    for hours, threshold in VOLUME_WINDOWS:
        normal = usual.rolling(hours).sum() * level.shift(hours).fillna(1.0)
        actual, small = series.rolling(hours).sum(), 0.1 * mean * hours + 1e-12
        excess = np.log((actual + small) / (normal + small))
        past = excess.shift(hours)
        spread = np.maximum(np.hypot(_mad(past), 0.03), past.rolling(SPREAD_H, 96).quantile(0.98) / 2.3)
        worst = np.maximum(worst, np.nan_to_num((excess / spread / threshold).to_numpy()))
    return worst


def expected(y: Floats) -> Floats:
    """The usual value of each hour: median of the same hour of the last three weeks, before that of the last days."""
    n = len(y)

    def lag(hours: int) -> Floats:
        return np.concatenate([np.full(min(n, hours), np.nan), y[: max(0, n - hours)]])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # hours that have no past yet
        weekly = np.nanmedian(np.stack([lag(WEEK * k) for k in (1, 2, 3)]), axis=0)
        daily = np.nanmean(np.stack([lag(DAY * k) for k in range(1, 8)]), axis=0)
    usual: Floats = np.where(np.isfinite(weekly), weekly, daily)
    return usual


def driver(
    values: Floats,
    weights: Floats,
    windows: tuple[tuple[int, float], ...] = DRIVER_WINDOWS,
    *,
    floor: float = 0.012,
    both_ways: bool = False,
    base_h: int = WEEK,
) -> Floats:
    """Has a driver (a log ratio per hour) left the weighted mean of the week before?

    Args:
        values: Log of the driver, NaN where it is undefined.
        weights: Calls per hour, so that quiet hours do not shout.
        windows: (hours, threshold) to test.
        floor: Least spread, in log units.
        both_ways: Whether a fall counts too.
        base_h: Hours of the baseline before the window.
    """
    weight: Series = pd.Series(np.where(np.isfinite(values), weights, 0.0))
    held: Series = pd.Series(np.nan_to_num(values)) * weight
    base = held.rolling(base_h, 72).sum() / _positive(weight.rolling(base_h, 72).sum())
    worst = np.zeros(len(values))
    for hours, threshold in windows:
        count = weight.rolling(hours).sum()
        moved = (held.rolling(hours).sum() / _positive(count) - base.shift(hours)).fillna(0.0)
        trust = np.sqrt(count / _positive(count.rolling(SPREAD_H, 72).median())).clip(0.05, 1.0).fillna(0.05)
        past = (moved * trust).shift(hours)
        spread = np.maximum(np.hypot(_mad(past), floor), past.abs().rolling(SPREAD_H, 96).quantile(0.98) / 2.6)
        deviation = (moved * trust / spread).to_numpy()
        worst = np.maximum(worst, np.nan_to_num(np.abs(deviation) if both_ways else deviation) / threshold)
    return worst


def _mad(series: Series) -> Series:
    return 1.4826 * series.abs().rolling(SPREAD_H, 96).median()


def _positive(series: Series) -> Series:
    return series.where(series > 0)


def _log_ratio(top: Floats, bottom: Floats, calls: Floats) -> Floats:
    with np.errstate(all="ignore"):
        ratio: Floats = np.where(
            (calls > 0) & (top > 0) & (bottom > 0), np.log(np.maximum(top, 1e-12) / np.maximum(bottom, 1e-12)), np.nan
        )
    return ratio


def _step_s(t: Any) -> float:
    instants = np.asarray(t)[:200].astype("datetime64[s]").astype(float)
    return float(np.median(np.diff(instants))) if len(instants) > 1 else 3600.0


def generic(y: Floats) -> Floats:
    """For measures sampled faster than twice an hour: three kinds of surprise, each against its own long history.

    A jump against the last points, a departure from the long median, and a new extreme, in units of the usual range; a
    short mean of each is compared with how large it usually is. After an alert only a clearly larger one speaks again.
    """
    series: Series = pd.Series(y)
    long, longer = 1200, 2400

    def past(level: float) -> Series:
        return series.rolling(long, 30).quantile(level).shift(1)

    span = past(0.9) - past(0.1) + 0.01 * series.abs().rolling(long, 20).mean().shift(1) + 1e-9
    highest, lowest = series.rolling(longer, 30).max().shift(1), series.rolling(longer, 30).min().shift(1)
    surprises = (
        ((series - series.rolling(5, 1).median().shift(1)).abs() / span, 3, 1.0),
        ((series - series.rolling(long // 2, 20).median().shift(1)).abs() / span, 12, 1.0),
        (np.maximum(series - highest, lowest - series).clip(lower=0) / span, 2, 1.2),
    )
    worst = np.zeros(len(y))
    for surprise, points, weight in surprises:
        mean = surprise.fillna(0.0).rolling(points, 1).mean()
        usual = mean.rolling(longer, 50).mean().shift(1)
        spread = mean.rolling(longer, 50).std().shift(1) + 0.05
        worst = np.maximum(worst, weight * np.nan_to_num(((mean - usual) / spread).to_numpy()))
    return _once(1 - 0.5 ** np.maximum(worst / 8.0, 0.0))


def _once(scores: Floats, quiet: int = 150, louder: float = 0.25) -> Floats:
    """Let an incident speak when it begins, and again only when it grows."""
    out = scores.copy()
    last, loudest = -quiet - 1, 0.0
    for k, value in enumerate(scores):
        if value < 0.3:
            continue
        if k - last > quiet or value > loudest + louder:
            last, loudest = k, float(value)
        else:
            out[k] = min(float(value), 0.29)
    return out
