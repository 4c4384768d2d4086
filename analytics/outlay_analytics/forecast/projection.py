"""Where a period's spend is heading: what was spent, what the rest will cost, how likely that exceeds a sum.

The rest is forecast in days (in hours for a period of a day) from complete intervals only; the interval that is under
way counts with the share that its hours usually still bring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import NormalDist
from typing import Literal

import numpy as np

from outlay_analytics.forecast.holidays import forecast_of
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.calendar import period_window, spend_series, spent, start_of, with_window
from outlay_analytics.query.incident_excess import learned_series
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window, parse_timezone
from outlay_analytics.statistics.intervals import Z_90, Z_975
from outlay_collector.store import Store

LEARN = timedelta(days=182)
LEARN_HOURS = timedelta(days=28)
LEAST = 4  # complete intervals with spend before anything is forecast
NAMES = ("mean", "lo80", "hi80", "lo95", "hi95")
_Z = {"lo95": -Z_975, "lo80": -Z_90, "mean": 0.0, "hi80": Z_90, "hi95": Z_975}


@dataclass(frozen=True)
class Projection:
    """A period, seen from a moment in it.

    Attributes:
        window: The whole period.
        spent_usd: From its start to now.
        total: Forecast of the period's total: mean and bounds in USD; empty when history is too short.
        note: What cannot be said and why, empty when nothing is missing.
    """

    window: Window
    spent_usd: Decimal
    total: dict[str, float] = field(default_factory=dict)
    note: str = ""

    def probability_over(self, amount_usd: Decimal) -> float | None:
        """How likely the period ends above `amount_usd`; 1 once it is, None when nothing can be said."""
        if self.spent_usd > amount_usd:
            return 1.0
        if not self.total:
            return None
        return probability_above(self.total, float(amount_usd))


def look_ahead(store: Store, scope: Scope, period: Literal["day", "week", "month"] | str, now: datetime) -> Projection:
    """The projection for the period that `now` lies in, for the filters and time zone of `scope`."""
    window = period_window(now, period, scope.timezone)
    step: Literal["hour", "day"] = "hour" if period == "day" else "day"
    here = start_of(now, step, scope.timezone)
    learn_from = min(window.start, here - (LEARN_HOURS if step == "hour" else LEARN))
    series = learned_series(store, with_window(scope, start_of(learn_from, step, scope.timezone), now), step)
    so_far = spent(store, with_window(scope, window.start, now))
    complete = series.until(here).since_first()
    if len(complete.usd) < LEAST:
        unit = "hours" if step == "hour" else "days"
        note = f"{len(complete.usd)} complete {unit} of spend are too few to forecast from; {LEAST} are needed"
        return Projection(window, so_far, {}, note)
    ahead = _steps_between(here, window.end, step)
    found = forecast_of(complete, scope, step, ahead)
    left = 1.0 - elapsed_share(store, scope, now) if step == "day" else 1.0 - (now - here) / timedelta(hours=1)
    rest = rest_of(found["total"], float(found["mean"][0]), left)
    total = {name: float(so_far) + rest[name] for name in NAMES}
    note = "; ".join(note for note in (complete.gap_note(scope.timezone), complete.excess_note()) if note)
    if len(complete.usd) < 14:
        note = f"only {len(complete.usd)} complete intervals to learn from"
    return Projection(window, so_far, total, note)


def rest_of(total: dict[str, float], first: float, left: float) -> dict[str, float]:
    """Take from a total what the interval under way has behind it; the bounds keep their proportions."""
    whole = total["mean"]
    part = max(whole - first * (1.0 - left), 0.0)
    ratio = part / whole if whole > 0 else 0.0
    return {name: total[name] * ratio for name in NAMES}


def elapsed_share(store: Store, scope: Scope, now: datetime) -> float:
    """The share of a day's spend that has usually come by this time of day, from the hours of the last four weeks."""
    today = start_of(now, "day", scope.timezone)
    zone = parse_timezone(scope.timezone)
    clock = now.astimezone(zone)
    passed = clock.hour + clock.minute / 60 + clock.second / 3600
    first = start_of(today - timedelta(days=28), "day", scope.timezone)
    hours = spend_series(store, with_window(scope, first, today), "hour")
    by_hour = np.full(24, 1.0 / 24)
    if hours.values.sum() > 0:
        counted = np.bincount([at.astimezone(zone).hour for at in hours.times], hours.values, 24)
        by_hour = 0.9 * counted / hours.values.sum() + 0.1 * by_hour
    share = float(by_hour[: clock.hour].sum()) + float(by_hour[clock.hour]) * (passed - clock.hour)
    return min(share, 1.0)


def probability_above(bounds: dict[str, float], amount: float) -> float:
    """P(total > amount) from a mean and its 80 and 95% bounds: normal scores, interpolated between the five points."""
    points = sorted((bounds[name], _Z[name]) for name in NAMES)
    values: Floats = np.array([value for value, _ in points])
    scores = [score for _, score in points]
    if values[-1] - values[0] <= 1e-12 * max(abs(values[-1]), 1e-12):
        return 1.0 if values[0] > amount else 0.0
    if values[0] <= amount <= values[-1]:
        score = float(np.interp(amount, values, scores))
    else:
        slope = (scores[-1] - scores[0]) / (values[-1] - values[0])
        edge = 0 if amount < values[0] else -1
        score = scores[edge] + slope * (amount - float(values[edge]))
    probability = 1.0 - NormalDist().cdf(score)
    return probability if math.isfinite(probability) else 0.0


def _steps_between(start: datetime, end: datetime, step: str) -> int:
    if step == "hour":
        return max(1, math.ceil((end - start) / timedelta(hours=1)))
    return max(1, round((end - start) / timedelta(days=1)))
