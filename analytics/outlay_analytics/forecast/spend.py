"""What will be spent: history, forecast with intervals, the month's end against a budget, and its own past accuracy.

The forecaster itself is `seasonal.py`. A backtest over rolling origins of the very series that is shown says how wide
the intervals really are and whether the forecast beats repeating last week; where it does not, that is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.forecast.holidays import Days, forecast_days, forecast_of
from outlay_analytics.forecast.overlays import laid_over, parse_overlays, shown
from outlay_analytics.forecast.projection import LEARN, LEARN_HOURS, LEAST, NAMES, Projection, look_ahead
from outlay_analytics.forecast.seasonal import filled, forecast
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.calendar import Series, next_start, start_of, with_window
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.incident_excess import learned_series
from outlay_analytics.query.scope import Scope
from outlay_collector.store import Store

__all__ = ["backtest", "forecast", "spend_forecast"]

MOST_STEPS = {"hour": 24 * 31, "day": 400}
BACKTESTS = 12
MOST_LEARNED = 24 * 28


def spend_forecast(
    store: Store,
    scope: Scope,
    horizon_days: int = 30,
    interval: str = "day",
    budget_usd: Decimal | None = None,
    now: datetime | None = None,
    overlays: Sequence[str] = (),
) -> dict[str, Any]:
    """Forecast the spend of a scope.

    Args:
        store: The store.
        scope: Filters, project, time zone; its window is the history shown (more is learned from).
        horizon_days: How far ahead, in days.
        interval: `hour` or `day`.
        budget_usd: What `probability_over` is about; none: unknown.
        overlays: What is planned, see `overlays.py`.
        now: The present; a window that ends before it is forecast from its end, as of then.

    Returns:
        `history`, `forecast` (`time`, `mean_usd`, `lo80_usd` …, None where history is too short), `month_end`,
        `backtest`, `holidays` (those of its days: `day`, `name`, `calendars`), `overlays` and `scenario` (the
        forecast's rows with them; empty without), `notes` (what cannot be said, and why). `month_end` has
        `scenario_mean_usd`, None without overlays or where the horizon ends before it.

    Raises:
        BadRequest: If the interval or horizon is not allowed.
    """
    if interval not in MOST_STEPS:
        raise BadRequest(f"interval must be hour or day, not {interval[:40]!r}")
    steps = horizon_days * (24 if interval == "hour" else 1)
    if not 1 <= steps <= MOST_STEPS[interval]:
        most = MOST_STEPS[interval] // (24 if interval == "hour" else 1)
        raise BadRequest(f"horizon must be 1 to {most} days for interval {interval}, not {horizon_days}")
    as_of = min(now, scope.window.end) if now else scope.window.end
    step = "hour" if interval == "hour" else "day"
    here = start_of(as_of, step, scope.timezone)
    learned = _complete(store, scope, step, here, as_of)
    visible = [at for at in learned.times if at >= scope.window.start]
    known = dict(zip(learned.times, learned.usd, strict=True))
    series = learned.since_first()
    notes: list[str] = []
    rows = _ahead(series, scope, here, step, steps, notes)
    projection = look_ahead(store, scope, "month", as_of)
    planned = parse_overlays(overlays, as_of, scope.timezone)
    scenario = laid_over(rows, planned, step, scope.timezone) if planned else []
    days = scope.holidays.days_of(series.times, scope.timezone) if scope.holidays else []
    tested = backtest(series.learned, "h" if step == "hour" else "D", Days(days, (), scope.holidays))
    notes += [note for note in (series.gap_note(scope.timezone), series.excess_note()) if note]
    if tested["beats_seasonal_naive"] is False:
        notes.append("on this series the forecast has not been better than repeating last week")
    if projection.note and projection.note not in "; ".join(notes):
        notes.append(projection.note)
    return {
        "as_of": as_of,
        "history": [{"time": at, "cost_usd": known[at]} for at in visible],
        "forecast": rows,
        "month_end": {
            "window": {"start": projection.window.start, "end": projection.window.end},
            "spent_usd": projection.spent_usd,
            **{f"{name}_usd": money(projection.total[name]) if projection.total else None for name in NAMES},
            "scenario_mean_usd": _month_with(rows, scenario, projection),
            "budget_usd": budget_usd,
            "probability_over": None if budget_usd is None else projection.probability_over(budget_usd),
        },
        "holidays": _holidays(scope, [*visible, *(row["time"] for row in rows)]),
        "overlays": [shown(one) for one in planned],
        "scenario": scenario,
        "backtest": tested,
        "notes": notes,
    }


def _month_with(
    rows: Sequence[Mapping[str, Any]], scenario: Sequence[Mapping[str, Any]], projection: Projection
) -> Decimal | None:
    """The month's expected end with what is planned, None where that cannot be said."""
    end = projection.window.end
    if not scenario or not projection.total or next_start(rows[-1]["time"], "day", "UTC") < end:
        return None
    pairs = [(row, other) for row, other in zip(rows, scenario, strict=True) if row["time"] < end]
    if any(row["mean_usd"] is None for row, _ in pairs):
        return None
    more = sum((other["mean_usd"] - row["mean_usd"] for row, other in pairs), Decimal(0))
    return money(projection.total["mean"]) + more


def _complete(store: Store, scope: Scope, step: str, here: datetime, as_of: datetime) -> Series:
    """Every complete interval to learn from, which may be more than the window shows."""
    back = LEARN_HOURS if step == "hour" else LEARN
    first = start_of(min(scope.window.start, here - back), step, scope.timezone)
    if step == "hour":
        first = max(first, start_of(here - timedelta(days=92), step, scope.timezone))
    return learned_series(store, with_window(scope, first, as_of), "hour" if step == "hour" else "day").until(here)


def _ahead(
    series: Series, scope: Scope, here: datetime, step: str, steps: int, notes: list[str]
) -> list[dict[str, Any]]:
    """The forecast's rows, from the interval under way on."""
    times = []
    at = here
    for _ in range(steps):
        times.append(at)
        at = next_start(at, step, scope.timezone)
    if len(series.usd) < LEAST:
        unit = "hours" if step == "hour" else "days"
        notes.append(f"{len(series.usd)} complete {unit} of spend are too few to forecast from; {LEAST} are needed")
        return [{"time": at, **{f"{name}_usd": None for name in NAMES}} for at in times]
    found = forecast_of(series, scope, step, steps)
    coming = _holidays(scope, times)
    if coming:
        notes.append(_expectation(len(coming), found["learned_holidays"]))
    return [
        {"time": at, **{f"{name}_usd": money(float(found[name][number])) for name in NAMES}}
        for number, at in enumerate(times)
    ]


def _holidays(scope: Scope, times: Sequence[datetime]) -> list[dict[str, Any]]:
    """The holidays among the days of some instants, as the API shows them."""
    days = scope.holidays.days_of(times, scope.timezone) if scope.holidays else []
    return [{"day": one.day, "name": one.name, "calendars": list(one.calendars)} for one in scope.holidays.among(days)]


def _expectation(coming: int, learned: int) -> str:
    """What the holidays to come are expected like."""
    few = "the holiday" if coming == 1 else f"the {coming} holidays"
    if not learned:
        return f"{few} to come: expected like the week's quietest day, with wider bounds, since none was seen yet"
    said = "one" if learned == 1 else f"{learned}"
    return f"{few} to come: expected from {said} past and the week's quietest day"


def backtest(y: Sequence[float] | Floats, freq: str, days: Days | None = None) -> dict[str, Any]:
    """How well the forecast would have done on this series: up to twelve rolling origins, a week (two days) ahead.

    Returns:
        `mase` (mean absolute error ÷ that of repeating the season inside the history, each the mean of all origins),
        `error_ratio` (mean absolute error ÷ that of repeating the last week on the same steps), `coverage80` and
        `coverage95` (share of steps inside the interval), `cases` (origins) and `beats_seasonal_naive` (`error_ratio`
        is below 1; None where repeating it was never off). All but `cases` are None where history is too short.
    """
    season, ahead = (7, 7) if freq == "D" else (24, 48)
    week = 7 if freq == "D" else 168
    values = filled(np.asarray(y, dtype=float), week)
    least = 2 * week
    last = len(values) - ahead
    origins: list[int] = np.unique(np.linspace(least, last, BACKTESTS).astype(int)).tolist() if last >= least else []
    errors, naive, in80, in95, scales = [], [], [], [], []
    for origin in origins:
        past, truth = values[:origin], values[origin : origin + ahead]
        found = forecast_days(past[-MOST_LEARNED:], freq, ahead, _days_at(days, len(values), origin, ahead))
        errors.append(np.abs(truth - found["mean"]))
        naive.append(np.abs(truth - past[-week:][np.arange(ahead) % week]))
        in80.append((truth >= found["lo80"] - 1e-9) & (truth <= found["hi80"] + 1e-9))
        in95.append((truth >= found["lo95"] - 1e-9) & (truth <= found["hi95"] + 1e-9))
        scales.append(float(np.abs(past[season:] - past[:-season]).mean()))
    if not errors:
        names = ("mase", "error_ratio", "coverage80", "coverage95", "beats_seasonal_naive")
        return {**dict.fromkeys(names), "cases": 0}
    error, repeated, scale = float(np.mean(errors)), float(np.mean(naive)), float(np.mean(scales))
    return {
        "mase": round(error / scale, 4) if scale > 0 else None,
        "error_ratio": round(error / repeated, 4) if repeated > 0 else None,
        "coverage80": round(float(np.mean(in80)), 4),
        "coverage95": round(float(np.mean(in95)), 4),
        "cases": len(errors),
        "beats_seasonal_naive": error < repeated if repeated > 0 else None,
    }


def _days_at(days: Days | None, count: int, origin: int, ahead: int) -> Days | None:
    """The days as they were seen at an origin among the last `count` of them."""
    if days is None or not days.past:
        return None
    kept = days.past[len(days.past) - count :]
    return Days(kept[:origin][-MOST_LEARNED:], kept[origin : origin + ahead], days.holidays)


def money(amount: float) -> Decimal:
    """A forecast amount as money: exact digits would be a lie, a millionth of a dollar is plenty."""
    return Decimal(f"{amount:.6f}")
