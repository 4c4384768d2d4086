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
from functools import lru_cache
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
TOKENS = frozenset(("usd", "calls", "in_tok", "out_tok"))
NEEDS = {  # the measures of each channel
    "spend": frozenset(("usd",)),
    "cost_per_call": frozenset(("usd", "calls")),
    "tokens_per_call": TOKENS,
    "usd_per_token": TOKENS,
    "uncached_share": TOKENS | {"cached_tok"},
    "retry_share": frozenset(("usd", "calls", "retries")),
}
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
    """The statistic per hour of every channel that the measures known allow; more than 1 is an alert."""
    data = {"usd": y} | {name: np.nan_to_num(np.asarray(values, dtype=float)) for name, values in (aux or {}).items()}
    return {name: statistic(name, data) for name, needs in NEEDS.items() if needs <= data.keys()}


def statistic(channel: str, data: Mapping[str, Floats], since: int = 0) -> Floats:
    """The statistic of one channel per hour; more than 1 is an alert.

    Args:
        channel: One of `NEEDS`.
        data: Per hour the measures that it needs.
        since: The first hour that is asked for; those before it are not right.
    """
    if channel == "spend":
        return volume(data["usd"], since)
    usd, calls = data["usd"], data["calls"]
    if channel == "cost_per_call":
        cost = _log_ratio(usd, calls, calls)
        return np.maximum(
            driver(cost, calls, since=since), driver(cost, calls, SLOW_WINDOWS, base_h=2 * WEEK, since=since)
        )
    if channel == "retry_share":
        share = np.log((data["retries"] + 0.5) / (calls + 50.0))
        return driver(np.where(calls > 0, share, np.nan), calls, floor=0.15, since=since)
    read, written = data["in_tok"], data["out_tok"]
    if channel == "uncached_share":
        return driver(_log_ratio(read - data["cached_tok"], read, calls), calls, floor=0.04, since=since)
    if channel == "usd_per_token":
        return driver(_log_ratio(usd, read + written, calls), calls, since=since)
    both = _log_ratio(read + written, calls, calls)
    worst: Floats = np.maximum.reduce(
        [
            driver(_log_ratio(read, calls, calls), calls, since=since),
            driver(_log_ratio(written, calls, calls), calls, both_ways=True, since=since),
            driver(both, calls, SLOW_WINDOWS, base_h=2 * WEEK, since=since),
        ]
    )
    return worst


def volume(y: Floats, since: int = 0) -> Floats:
    """Is more being spent than these hours of the week usually bring?"""
    so_far = np.cumsum(y) / np.arange(1, len(y) + 1)
    usual = _or(expected(y), so_far)
    mean = _or(_shifted(_sums(y, 3 * WEEK, DAY) / np.minimum(np.arange(1, len(y) + 1), 3 * WEEK), 1), so_far)
    with np.errstate(all="ignore"):
        level = np.clip(_sums(y, WEEK, 100) / _sums(usual, WEEK, 100), 0.4, 2.5)
    worst = np.zeros(len(y))
    for hours, threshold in VOLUME_WINDOWS:
        normal = _sums(usual, hours) * _or(_shifted(level, hours), 1.0)
        small = 0.1 * mean * hours + 1e-12
        excess = np.log((_sums(y, hours) + small) / (normal + small))
        past = _shifted(excess, hours)
        spread = _spread(past, 0.03, 2.3, since)
        worst = np.maximum(worst, np.nan_to_num(excess / spread / threshold))
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
    since: int = 0,
) -> Floats:
    """Has a driver (a log ratio per hour) left the weighted mean of the week before?

    Args:
        values: Log of the driver, NaN where it is undefined.
        weights: Calls per hour, so that quiet hours do not shout.
        windows: (hours, threshold) to test.
        floor: Least spread, in log units.
        both_ways: Whether a fall counts too.
        base_h: Hours of the baseline before the window.
        since: The first hour that is asked for.
    """
    weight = np.where(np.isfinite(values), weights, 0.0)
    held = np.nan_to_num(values) * weight
    with np.errstate(all="ignore"):
        base = _sums(held, base_h, 72) / _positive(_sums(weight, base_h, 72))
    worst = np.zeros(len(values))
    for hours, threshold in windows:
        count = _sums(weight, hours)
        usual = _rolled(count, since - SPREAD_H - hours, 72)
        with np.errstate(all="ignore"):
            moved = _or(_sums(held, hours) / _positive(count) - _shifted(base, hours), 0.0)
            trust = _or(np.clip(np.sqrt(count / _positive(usual)), 0.05, 1.0), 0.05)
        past = np.abs(_shifted(moved * trust, hours))
        spread = _spread(past, floor, 2.6, since)
        deviation = moved * trust / spread
        worst = np.maximum(worst, np.nan_to_num(np.abs(deviation) if both_ways else deviation) / threshold)
    return worst


def _spread(past: Floats, floor: float, far: float, since: int) -> Floats:
    """How far a statistic strays at usual times: its robust deviation, or that of its 98th percentile if it is larger.

    Args:
        past: What it was, at times before the window that is tested; without signs, where falls count as rises do.
        floor: Least deviation.
        far: Deviations at which the percentile lies.
        since: The first hour that is asked for.
    """
    middle = np.hypot(1.4826 * _rolled(np.abs(past), since, 96), floor)
    spread: Floats = np.maximum(middle, _rolled(past, since, 96, 0.98) / far)
    return spread


def _rolled(values: Floats, since: int, least: int, level: float = 0.5) -> Floats:
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


def _sums(values: Floats, hours: int, least: int | None = None) -> Floats:
    """Sums over the last `hours` values, of fewer at the beginning; NaN before `least`."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(1, len(values) + 1)
    sums: Floats = total[at] - total[np.maximum(at - hours, 0)]
    sums[: (least or hours) - 1] = np.nan
    return sums


def _shifted(values: Floats, hours: int) -> Floats:
    """Every value `hours` later; NaN before the first."""
    return np.concatenate([np.full(min(hours, len(values)), np.nan), values[: max(0, len(values) - hours)]])


def _or(values: Floats, other: Floats | float) -> Floats:
    """The values, the other's where there is none."""
    return np.where(np.isnan(values), other, values)


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


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
