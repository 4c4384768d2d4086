"""The daily cost report: a day by model, feature and team, against yesterday, the forecast and the budgets."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from outlay.errors import OutlayError
from outlay_analytics.alerting.budgets import Budget, list_budgets
from outlay_analytics.anomalies.incidents import Finder, find
from outlay_analytics.explain.change import changes
from outlay_analytics.forecast.projection import LEARN, LEAST
from outlay_analytics.forecast.seasonal import forecast
from outlay_analytics.forecast.spend import money
from outlay_analytics.query.calendar import spend_series, with_window
from outlay_analytics.query.text import usd
from outlay_analytics.query.window import BadRequest, Scope, Window, parse_timezone
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
) -> dict[str, Any]:
    """The report of one day (in `timezone`).

    Returns:
        `day`, `window`, `total` and `yesterday` (measures), `change_usd`, `drivers`, `sentences`, `forecast` (what
        was expected of the day, None without history), `groups` (`model`, `feature`, `team`: largest rows with the
        day before, all others in one with `remainder`), `budgets`, `anomalies` (None where they could not be looked
        for), `notes` (what of them could not be judged, and why), `text` (the same to read).
    """
    window = _day_window(day, timezone)
    before = _day_window(day - timedelta(days=1), timezone)
    as_of = min(now or datetime.now(UTC), window.end)
    if as_of <= window.start:
        raise BadRequest(f"day {day.isoformat()} has not begun")
    scope = Scope(window, {}, project, timezone)
    total = spend(store, scope)["total"]
    yesterday = spend(store, with_window(scope, before.start, before.end))["total"]
    drivers, sentences = changes(store, scope, before)
    anomalies, notes = _unusual(store, scope, as_of, finder)
    report: dict[str, Any] = {
        "day": day,
        "window": {"start": window.start, "end": window.end},
        "complete": as_of >= window.end,
        "total": total,
        "yesterday": yesterday,
        "change_usd": sum((driver["usd"] for driver in drivers), Decimal(0)),
        "drivers": drivers,
        "sentences": sentences,
        "forecast": _expected(store, scope, window),
        "groups": {name: _rows(store, scope, before, name, total, yesterday) for name in GROUPS},
        "budgets": list_budgets(store, project, as_of - timedelta(microseconds=1), budgets),
        "anomalies": anomalies,
        "notes": notes,
    }
    return report | {"text": report_text(report)}


def _day_window(day: date, timezone: str) -> Window:
    zone = parse_timezone(timezone)
    start, end = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
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
    series = spend_series(store, with_window(scope, window.start - LEARN, window.start), "day").since_first()
    if len(series.usd) < LEAST:
        return None
    found = forecast(series.learned, None, "D", 1)
    return {f"{name}_usd": money(float(found[name][0])) for name in ("mean", "lo80", "hi80")}


def _rows(
    store: Store, scope: Scope, before: Window, name: str, total: Mapping[str, Any], yesterday: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The largest of both days, and what the others cost together."""
    days = (scope, with_window(scope, before.start, before.end))
    tops = [spend(store, one, (name,), limit=MOST_ROWS, percentiles=False)["rows"] for one in days]
    values = {row[name] for rows in tops for row in rows if not row.get("remainder")}
    only = {**scope.filters, name: tuple("" if value is None else str(value) for value in values)}
    found = [spend(store, replace(one, filters=only), (name,), percentiles=False)["rows"] for one in days]
    now, then = ({row[name]: row for row in rows} for rows in found)
    rows = []
    for value in {**now, **then}:
        costs = [table[value]["cost_usd"] if value in table else Decimal(0) for table in (now, then)]
        calls = now[value]["calls"] if value in now else 0
        rows.append({name: value, "cost_usd": costs[0], "yesterday_usd": costs[1], "calls": calls})
    rows.sort(key=lambda row: (-(row["cost_usd"] or 0), -(row["yesterday_usd"] or 0), str(row[name])))
    shown = rows[:MOST_ROWS]
    if len(rows) > MOST_ROWS or any(row.get("remainder") for top in tops for row in top):
        rest = {
            f"{day}_usd": None if whole["cost_usd"] is None else whole["cost_usd"] - sum_of(shown, f"{day}_usd")
            for day, whole in (("cost", total), ("yesterday", yesterday))
        }
        left = total["calls"] - sum(row["calls"] for row in shown)
        shown.append({name: None, **rest, "calls": left, "remainder": True})
    return shown


def sum_of(rows: Sequence[Mapping[str, Any]], name: str) -> Decimal:
    """What rows cost together; unknown adds nothing."""
    return sum((row[name] or Decimal(0) for row in rows), Decimal(0))


def report_text(report: dict[str, Any]) -> str:
    """The report as plain text, for the terminal and for e-mail."""
    day: date = report["day"]
    total = report["total"]
    lines = [f"Outlay, {day:%A} {day.day} {day:%B %Y}" + ("" if report["complete"] else " (so far)"), ""]
    lines.append(f"Spent {usd(total['cost_usd'])} in {total['calls']:,} calls, {total['errors']:,} of them failed.")
    if report["forecast"]:
        expected = report["forecast"]
        bounds = f"{usd(expected['lo80_usd'])} to {usd(expected['hi80_usd'])}"
        lines.append(f"Expected were {usd(expected['mean_usd'])} (80%: {bounds}).")
    lines += report["sentences"]
    for name in GROUPS:
        lines += ["", f"By {name}".ljust(34) + _short(day).rjust(14) + _short(day - timedelta(days=1)).rjust(14)]
        for row in report["groups"][name]:
            shown = "(all others)" if row.get("remainder") else str(row[name] or f"(no {name})")[:32]
            lines.append(f"  {shown}".ljust(34) + _cell(row["cost_usd"]) + _cell(row["yesterday_usd"]))
    if report["budgets"]:
        lines += ["", "Budgets"]
        lines += [f"  {_budget_line(budget)}" for budget in report["budgets"]]
    if report["anomalies"] or report["notes"]:
        lines += ["", "Unusual"]
        for anomaly in report["anomalies"] or ():
            where = ", ".join(f"{name} {value}" for name, value in anomaly["scope"].items()) or "all spend"
            began: datetime = anomaly["started_at"]
            lines.append(f"  since {_short(began)} {began:%H:%M} UTC in {where}: {anomaly['summary']}")
        lines += [f"  {note[:1].upper()}{note[1:]}." for note in report["notes"]]
    return "\n".join(lines) + "\n"


def _short(at: date) -> str:
    return f"{at.day} {at:%b}"


def _cell(amount: Decimal | None) -> str:
    return ("unpriced" if amount is None else usd(amount)).rjust(14)


def _budget_line(budget: dict[str, Any]) -> str:
    line = f"{budget['name']}: {usd(budget['spent_usd'])} of {usd(budget['amount_usd'])} per {budget['period']}"
    line += f" ({budget['used_ratio']:.0%})"
    if budget["projected_usd"] is not None:
        line += f", heading for {usd(budget['projected_usd'])}"
    return line
