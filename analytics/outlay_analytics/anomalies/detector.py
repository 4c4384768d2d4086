"""Score how unusual each point of a spend series is. Causal: a score depends on nothing later than its own point.

Two ideas carry it. Spend is compared with what the same hours of the week usually bring (volume.py). And the drivers
of spend (cost, tokens and output per call, uncached share, price per token) are watched beside it, because they have
almost no season and little noise: a price or a cache that changes is seen within hours there, long before the bill
shows it.

Every statistic is a ratio to its threshold: more than 1 is an alert. The thresholds were chosen on public traffic
shapes with injected incidents for fewer than two false alarms a month (benchmarks/README-analytics.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from outlay_analytics.anomalies.rolling import DAY, SPREAD_H, WEEK, known_or, rolled, shifted, spread, sums
from outlay_analytics.anomalies.volume import BEGINS, volume
from outlay_analytics.query.arrays import Floats

LEARN_H = 15 * DAY  # before this, nothing is an alert
HOURLY_S = 1800.0
# Window in hours, threshold in robust deviations.
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
    # Alone, a series alerts when something begins; with its drivers known, as long as it lasts.
    alone = aux is None
    worst = volume(values, windows=BEGINS) if alone else np.maximum.reduce(list(channels(values, aux).values()))
    scores: Floats = 1 - 0.5**worst
    scores[:LEARN_H] = np.minimum(scores[:LEARN_H], 0.49)
    return _once(scores, quiet=12, louder=0.1) if alone else scores


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
        base = sums(held, base_h, 72) / _positive(sums(weight, base_h, 72))
    worst = np.zeros(len(values))
    for hours, threshold in windows:
        count = sums(weight, hours)
        expected = rolled(count, since - SPREAD_H - hours, 72)
        with np.errstate(all="ignore"):
            moved = known_or(sums(held, hours) / _positive(count) - shifted(base, hours), 0.0)
            trust = known_or(np.clip(np.sqrt(count / _positive(expected)), 0.05, 1.0), 0.05)
        past = np.abs(shifted(moved * trust, hours))
        deviation = moved * trust / spread(past, floor, 2.6, since)
        worst = np.maximum(worst, np.nan_to_num(np.abs(deviation) if both_ways else deviation) / threshold)
    return worst


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
        expected = mean.rolling(longer, 50).mean().shift(1)
        spread = mean.rolling(longer, 50).std().shift(1) + 0.05
        worst = np.maximum(worst, weight * np.nan_to_num(((mean - expected) / spread).to_numpy()))
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
