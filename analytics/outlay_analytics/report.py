"""The cost report of a day or a week: by model, feature and team, against the one before, forecast and budgets."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from outlay.errors import OutlayError
from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.budgets import list_budgets
from outlay_analytics.anomalies.incidents import Finder, find
from outlay_analytics.explain.change import outline
from outlay_analytics.forecast.holidays import forecast_of
from outlay_analytics.forecast.projection import LEARN, LEAST
from outlay_analytics.forecast.spend import money
from outlay_analytics.query.calendar import with_window
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.holidays import NO_HOLIDAYS, Holidays
from outlay_analytics.query.incident_excess import learned_series
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import usd
from outlay_analytics.query.window import Window, parse_timezone
from outlay_analytics.questions.spend import spend
from outlay_collector.store import Store

logger = logging.getLogger(__name__)

GROUPS = ("model", "feature", "team")
MOST_ROWS = 10


def daily_report(
    store: Store,
    project: str,
    day: date,
    *,
    now: datetime | None = None,
    timezone: str = "UTC",
    budgets: Sequence[Budget] = (),
    finder: Finder = find,
    holidays: Holidays = NO_HOLIDAYS,
) -> dict[str, Any]:
    """The report of one day (in `timezone`).

    Returns:
        `day`, `window`, `total` and `yesterday` (measures), `change_usd`, `drivers`, `sentences` (as in `explain`),
        `forecast` (what was expected of the day, None without history), `groups` (`model`, `feature`, `team`: largest
        rows with the day before, all others in one with `remainder`), `budgets`, `anomalies` (None where they could
        not be looked for), `notes` (what of them could not be judged, and why), `text` (the same to read).
    """
    return period_report(
        store, project, day, 1, now=now, timezone=timezone, budgets=budgets, finder=finder, holidays=holidays
    )


def period_report(
    store: Store,
    project: str,
    day: date,
    days: int,
    *,
    now: datetime | None = None,
    timezone: str = "UTC",
    budgets: Sequence[Budget] = (),
    finder: Finder = find,
    holidays: Holidays = NO_HOLIDAYS,
) -> dict[str, Any]:
    """As `daily_report`, of so many days until `day`; `yesterday` is then as many days before."""
    window = _days_window(day, days, timezone)
    before = _days_window(day - timedelta(days=days), days, timezone)
    as_of = min(now or datetime.now(UTC), window.end)
    if as_of <= window.start:
        raise BadRequest(f"day {day.isoformat()} has not begun")
    scope = Scope(window, {}, project, timezone, holidays=holidays)
    total = spend(store, scope)["total"]
    yesterday = spend(store, with_window(scope, before.start, before.end))["total"]
    moved = outline(store, scope, before)
    anomalies, notes = _unusual(store, scope, as_of, finder)
    report: dict[str, Any] = {
        "day": day,
        "window": {"start": window.start, "end": window.end},
        "complete": as_of >= window.end,
        "total": total,
        "yesterday": yesterday,
        **{name: moved[name] for name in ("change_usd", "drivers", "sentences")},
        "forecast": _expected(store, scope, window) if days == 1 else None,
        "groups": {name: _rows(store, scope, before, name) for name in GROUPS},
        "budgets": list_budgets(store, project, as_of - timedelta(microseconds=1), budgets, holidays),
        "anomalies": anomalies,
        "notes": notes,
    }
    return report | {"text": report_text(report, days)}


def _days_window(last: date, days: int, timezone: str) -> Window:
    zone = parse_timezone(timezone)
    ends = (last - timedelta(days=days - 1), last + timedelta(days=1))
    start, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in ends)
    return Window(start, end)


def _unusual(
    store: Store, scope: Scope, as_of: datetime, finder: Finder
) -> tuple[list[dict[str, Any]] | None, list[str]]:
    """The day's anomalies and what could not be judged; None and why when the search failed: the rest is still told."""
    try:
        found = finder(store, scope, now=as_of)
    except OutlayError as exc:
        logger.warning("a report goes without anomalies: %s", exc)
        return None, [str(exc)]
    except Exception as exc:
        logger.warning("a report goes without anomalies", exc_info=exc)
        return None, [f"anomalies could not be looked for ({type(exc).__name__}); the server's log says more"]
    return found["anomalies"], list(found["notes"])


def _expected(store: Store, scope: Scope, window: Window) -> dict[str, Decimal] | None:
    """What the days before let one expect of this one."""
    series = learned_series(store, with_window(scope, window.start - LEARN, window.start), "day").since_first()
    if len(series.usd) < LEAST:
        return None
    found = forecast_of(series, scope, "day", 1)
    return {f"{name}_usd": money(float(found[name][0])) for name in ("mean", "lo80", "hi80")}


def _rows(store: Store, scope: Scope, before: Window, name: str) -> list[dict[str, Any]]:
    """The largest of the day with what they cost the day before, and what all others cost together."""
    found = spend(store, scope, (name,), base=before, limit=MOST_ROWS, percentiles=False)["rows"]
    return [
        {
            name: row[name],
            "cost_usd": row["cost_usd"],
            "yesterday_usd": row["previous"]["cost_usd"],
            "calls": row["calls"],
            **({"remainder": True} if row.get("remainder") else {}),
        }
        for row in found
    ]


def report_text(report: dict[str, Any], days: int = 1) -> str:
    """The report as plain text, for the terminal and for e-mail; of a day, or of so many until it."""
    day: date = report["day"]
    total = report["total"]
    first = day - timedelta(days=days - 1)
    whole = f"{day:%A} {day.day} {day:%B %Y}" if days == 1 else f"{_short(first)} to {day.day} {day:%B %Y}"
    heads = (_short(day), _short(day - timedelta(days=1))) if days == 1 else ("this week", "the week before")
    lines = [f"Outlay, {whole}" + ("" if report["complete"] else " (so far)"), ""]
    lines.append(f"Spent {usd(total['cost_usd'])} in {total['calls']:,} calls, {total['errors']:,} of them failed.")
    if report["forecast"]:
        expected = report["forecast"]
        bounds = f"{usd(expected['lo80_usd'])} to {usd(expected['hi80_usd'])}"
        lines.append(f"Expected were {usd(expected['mean_usd'])} (80%: {bounds}).")
    lines += report["sentences"]
    for name in GROUPS:
        lines += ["", f"By {name}".ljust(34) + "".join(head.rjust(16 if days > 1 else 14) for head in heads)]
        for row in report["groups"][name]:
            shown = "(all others)" if row.get("remainder") else str(row[name] or f"(no {name})")[:32]
            lines.append(f"  {shown}".ljust(34) + _cell(row["cost_usd"], days) + _cell(row["yesterday_usd"], days))
    if report["budgets"]:
        lines += ["", "Budgets"]
        lines += [f"  {_budget_line(budget)}" for budget in report["budgets"]]
    if report["anomalies"] or report["notes"]:
        lines += ["", "Unusual"]
        for anomaly in report["anomalies"] or ():
            where = ", ".join(f"{name} {value}" for name, value in anomaly["scope"].items()) or "all spend"
            lines.append(f"  {_when(anomaly)} in {where}: {anomaly['summary']}")
        lines += [f"  {note[:1].upper()}{note[1:]}." for note in report["notes"]]
    return "\n".join(lines) + "\n"


def _when(anomaly: Mapping[str, Any]) -> str:
    """When an incident went on: since when, or from when to when where it is over."""
    began: datetime = anomaly["started_at"]
    ended: datetime = anomaly["ended_at"]
    since = f"{_short(began)} {began:%H:%M}"
    if anomaly["ongoing"]:
        return f"since {since} UTC"
    return f"{since} to {'' if ended.date() == began.date() else _short(ended) + ' '}{ended:%H:%M} UTC"


def _short(at: date) -> str:
    return f"{at.day} {at:%b}"


def _cell(amount: Decimal | None, days: int) -> str:
    return ("unpriced" if amount is None else usd(amount)).rjust(14 if days == 1 else 16)


def _budget_line(budget: dict[str, Any]) -> str:
    each = f"in {budget['rolling_window']}" if budget["rolling_window"] else f"per {budget['period']}"
    each = f"for any one {budget['per']} {each}" if budget["per"] else each
    line = f"{budget['name']}: {usd(budget['spent_usd'])} of {usd(budget['amount_usd'])} {each}"
    line += f" ({budget['used_ratio']:.0%})"
    if budget["projected_usd"] is not None:
        line += f", heading for {usd(budget['projected_usd'])}"
    return line
