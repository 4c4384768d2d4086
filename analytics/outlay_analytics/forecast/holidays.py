"""A forecast that knows which days are holidays: what each of them spends, of its day, is in `query/holiday_effect.py`.

What holidays spent is no part of what the other days are forecast from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from outlay_analytics.forecast.seasonal import filled, forecast
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.calendar import Series, next_start
from outlay_analytics.query.holiday_effect import Effect, effect_of, expected, quiet_shares
from outlay_analytics.query.holidays import Holiday, Holidays
from outlay_analytics.query.scope import Scope
from outlay_analytics.statistics.intervals import Z_90, Z_975

Z = {80: Z_90, 95: Z_975}


@dataclass(frozen=True)
class Days:
    """The day of each step that is learned from (`past`) and forecast (`ahead`), and which days are holidays."""

    past: Sequence[date]
    ahead: Sequence[date]
    holidays: Holidays


def forecast_of(series: Series, scope: Scope, step: str, h: int) -> dict[str, Any]:
    """The next `h` hours or days of a scope's series, which ends where they begin; as `forecast`.

    Beside it `learned_holidays`: how many past ones say what those to come will spend.
    """
    freq = "h" if step == "hour" else "D"
    return forecast_days(series.learned, freq, h, days_of(series, scope, step, h))


def days_of(series: Series, scope: Scope, step: str, h: int) -> Days | None:
    """The days of a series and of the next `h` steps; None where nobody named holidays."""
    if not scope.holidays or not series.times:
        return None
    at, ahead = series.times[-1], []
    for _ in range(h):
        at = next_start(at, step, scope.timezone)
        ahead.append(at)
    past, coming = (scope.holidays.days_of(times, scope.timezone) for times in (series.times, ahead))
    return Days(past, coming, scope.holidays)


def forecast_days(y: Floats, freq: str, h: int, days: Days | None) -> dict[str, Any]:
    """As `forecast`, where some of the `days` are holidays; `learned_holidays` beside it."""
    if days is None:
        return forecast(y, None, freq, h) | {"learned_holidays": 0}
    known, coming = ({one.day: one for one in days.holidays.among(some)} for some in (days.past, days.ahead))
    closed = np.array([day in known for day in days.past], dtype=bool)
    ordinary = np.where(closed, np.nan, y)
    if not (known or coming) or not np.isfinite(ordinary).any():
        return forecast(y, None, freq, h) | {"learned_holidays": 0}
    found = forecast(ordinary, None, freq, h)
    steps = 1 if freq == "D" else 24
    usual = filled(ordinary, 7 * steps)
    first = len(y) - len(usual)
    quiet = quiet_shares(usual, days.past[first:], steps)
    past = np.resize(np.roll(quiet, len(usual) % len(quiet)), len(usual)) if len(usual) else usual
    effects = _effects(y[first:], usual * past, days.past[first:], known)
    return _laid(found, np.resize(quiet, h), days.ahead, coming, effects) | {"learned_holidays": len(effects)}


def _effects(y: Floats, quiet: Floats, days: Sequence[date], known: Mapping[date, Holiday]) -> list[Effect]:
    """What each past holiday says that is known."""
    spent: dict[date, float] = defaultdict(float)
    assumed: dict[date, float] = defaultdict(float)
    for day, actual, as_quiet in zip(days, y, quiet, strict=True):
        if day in known:
            spent[day] += float(actual)
            assumed[day] += float(as_quiet)
    found = (effect_of(known[day], spent[day], assumed[day]) for day in assumed)
    return [one for one in found if one is not None]


def _laid(
    found: dict[str, Any],
    quiet: Floats,
    days: Sequence[date],
    coming: Mapping[date, Holiday],
    effects: Sequence[Effect],
) -> dict[str, Any]:
    """The forecast with its holidays; the bounds are further off by how sure these are."""
    mean, factor = found["mean"], np.ones(len(days))
    shared: dict[tuple[str, ...], float] = defaultdict(float)
    alone, spread = 0.0, np.zeros(len(days))
    for day, holiday in coming.items():
        at = np.array([other == day for other in days])
        assumed = float((mean * quiet)[at].sum()) / max(float(mean[at].sum()), 1e-300) if mean[at].any() else 1.0
        one = expected(holiday, effects, assumed)
        factor[at] = quiet[at] * np.exp(one.log)
        spread[at] = np.hypot(one.spread, one.unsure)
        whole = float((mean * factor)[at].sum())
        shared[holiday.calendars] += one.unsure * whole
        alone += (one.spread * whole) ** 2
    out: dict[str, Any] = {"mean": mean * factor}
    total = found["total"]
    moved = float(out["mean"].sum()) - float(mean.sum())
    whole = max(total["mean"] + moved, 0.0)
    ratio = whole / total["mean"] if total["mean"] > 0 else 1.0
    unsure = float(np.sqrt(alone + sum(one * one for one in shared.values())))
    out["total"] = {"mean": whole}
    for level, z in Z.items():
        for name, sign in ((f"lo{level}", -1.0), (f"hi{level}", 1.0)):
            half = np.hypot((found[name] - mean) * factor, out["mean"] * np.expm1(sign * z * spread))
            out[name] = np.maximum(out["mean"] + sign * half, 0.0)
            far = float(np.hypot((total[name] - total["mean"]) * ratio, z * unsure))
            out["total"][name] = max(whole + sign * far, 0.0)
    return out
