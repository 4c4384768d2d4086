"""What rules watch, over time: the value of a rule's kind in the window that ends with each hour or day.

The same values decide whether a rule fires now and what it would have fired (`preview.py`), so that the two agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.alerting.budgets import Budget
from outlay_analytics.alerting.rules import AlertRule
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.calendar import HOUR, period_window, start_of, ticks
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import digits, usd
from outlay_analytics.query.window import Interval, Window
from outlay_analytics.questions.spend import spend
from outlay_collector.store import Store, load_sql

WEEKS = 3
BEFORE_H = 28 * 24  # what a drift is measured against
LEAST_CALLS = 20  # of a window: fewer say nothing about a share
MOST_NAMED = 10
NAMES = ("usd", "calls", "errors", "priced", "input", "cached", "retry_usd", "runs", "escalated")
SQL = "outlay_analytics.alerting.sql"


@dataclass(frozen=True)
class Measured:
    """A rule's value in the window that ends at `end`; None where it says nothing, and then `words` say why."""

    end: datetime
    value: float | None
    words: str


def measure(store: Store, rule: AlertRule, start: datetime, end: datetime, budget: Budget | None) -> list[Measured]:
    """A rule's value in every window that ends at a whole hour (of long windows: a whole day) in (start, end]."""
    if rule.kind == "entity_usd":
        return _entities(store, rule, start, end)
    if rule.kind == "latency_p95_ms":
        return _latencies(store, rule, start, end)
    back = BEFORE_H + rule.window_hours + WEEKS * 168
    if rule.kind == "budget_share" and budget is not None:
        back = 32 * 24
        rule = replace(rule, scope=budget.scope)
    first = start_of(start, "hour", "UTC") - back * HOUR
    times, hours = _hours(store, rule, first, start_of(end, "hour", "UTC"))
    offset = back
    if rule.kind == "budget_share":
        return _budget_shares(rule, budget, times, hours["usd"], offset)
    return [_at(rule, times[k - 1] + HOUR, hours, k) for k in range(offset + 1, len(times) + 1)]


def _hours(store: Store, rule: AlertRule, first: datetime, end: datetime) -> tuple[list[datetime], dict[str, Floats]]:
    times = ticks(Window(first, end), "hour", "UTC")
    source = spend_source(store, rule.question(Window(first, end)), ("repeated", "cascade", "cascade_tier"), "hour")
    hours = {name: np.zeros(len(times)) for name in NAMES}
    for row in store.query(load_sql(SQL, "measures", source=source.sql), source.params):
        k = round((row["time"] - first) / HOUR)
        if 0 <= k < len(times):
            for name in NAMES:
                hours[name][k] += float(row[name])
    return times, hours


def _at(rule: AlertRule, end: datetime, hours: dict[str, Floats], k: int) -> Measured:
    """The value in the hours [k − window, k)."""
    w = rule.window_hours

    def held(name: str, ago: int = 0, length: int = w) -> float:
        return float(hours[name][max(k - ago - length, 0) : max(k - ago, 0)].sum())

    calls, spent = held("calls"), held("usd")
    span = _span(w)
    if rule.kind == "spend_usd":
        return Measured(end, spent, f"{_usd(spent)} in {span}")
    if rule.kind == "retry_usd":
        return Measured(end, held("retry_usd"), f"{_usd(held('retry_usd'))} for repeated calls in {span}")
    if rule.kind in ("above_usual", "no_data"):
        name = "usd" if rule.kind == "above_usual" else "calls"
        weeks = [held(name, 168 * n) for n in range(1, WEEKS + 1) if held("calls", 168 * n) > 0]
        if not weeks or sum(weeks) <= 0:
            return Measured(end, None, "no calls in the same hours of the weeks before")
        usual = sum(weeks) / len(weeks)
        if rule.kind == "above_usual":
            words = f"{_usd(spent)} in {span}, {spent / usual:.1f} times the usual {_usd(usual)}"
            return Measured(end, spent / usual, words)
        lowest = min(weeks)  # what arrived in the poorest of these weeks
        share = max(1 - calls / lowest, 0.0) if lowest else None
        return Measured(end, share, f"{calls:,.0f} calls in {span}, at least {lowest:,.0f} in the weeks before")
    if rule.kind in ("error_share", "unpriced_share"):
        if calls < LEAST_CALLS:
            return Measured(end, None, f"only {calls:,.0f} calls in {span}")
        number = held("errors") if rule.kind == "error_share" else calls - held("priced")
        what = "failed" if rule.kind == "error_share" else "have no known cost"
        return Measured(
            end, number / calls, f"{number:,.0f} of {calls:,.0f} calls {what} in {span} ({number / calls:.1%})"
        )
    top, bottom = ("cached", "input") if rule.kind == "cache_hit_ratio_fall" else ("escalated", "runs")
    base = held(bottom, w, BEFORE_H)
    if held("calls") < LEAST_CALLS or not held(bottom) or not base:
        return Measured(end, None, f"too little to compare in {span}")
    now, before = held(top) / held(bottom), held(top, w, BEFORE_H) / base
    moved = before - now if rule.kind == "cache_hit_ratio_fall" else now - before
    what = "of input came from the cache" if rule.kind == "cache_hit_ratio_fall" else "of runs went on to a later tier"
    return Measured(end, max(moved, 0.0), f"{now:.1%} {what} in {span}, {before:.1%} in the four weeks before")


def _budget_shares(
    rule: AlertRule, budget: Budget | None, times: Sequence[datetime], spent: Floats, offset: int
) -> list[Measured]:
    if budget is None:
        return [Measured(times[-1] + HOUR, None, f"there is no budget {rule.budget!r}")]
    out = []
    sums = np.concatenate([[0.0], np.cumsum(spent)])
    for k in range(offset + 1, len(times) + 1):
        period = period_window(times[k - 1], budget.period, budget.timezone)
        begun = max(round((period.start - times[0]) / HOUR), 0)
        amount = float(sums[k] - sums[min(begun, k)])
        share = amount / float(budget.amount_usd)
        out.append(
            Measured(times[k - 1] + HOUR, share, f"{_usd(amount)} of {usd(budget.amount_usd)} spent ({share:.0%})")
        )
    return out


def _steps(rule: AlertRule) -> tuple[Interval, int, timedelta]:
    """The step that a rule is looked at by, how many its window has, and a step's length."""
    if rule.window_hours >= 24:
        return "day", max(rule.window_hours // 24, 1), timedelta(days=1)
    return "hour", rule.window_hours, HOUR


def _entities(store: Store, rule: AlertRule, start: datetime, end: datetime) -> list[Measured]:
    """How many times over the limit the largest value is; the step under way counts."""
    interval, steps, length = _steps(rule)
    first = start_of(start, interval, "UTC")
    source = spend_source(store, rule.question(Window(first - steps * length, end)), (rule.per,), interval)
    params = {
        **source.params,
        "step_s": round(length.total_seconds()),
        "steps": steps,
        "limit_usd": rule.threshold,
        "most": MOST_NAMED,
    }
    rows = {row["time"]: row for row in store.query(load_sql(SQL, "entities", source=source.sql), params)}
    out = []
    for at in ticks(Window(first, end), interval, "UTC"):
        row: dict[str, Any] | None = rows.get(at)
        until = min(at + length, end)
        if row is None:
            out.append(Measured(until, 0.0, f"no {rule.per} over {usd(rule.threshold)} in {_span(rule.window_hours)}"))
            continue
        named = ", ".join(f"{name} {usd(amount)}" for name, amount in zip(row["names"], row["amounts"], strict=True))
        more = f" and {row['over'] - len(row['names']):,} more" if row["over"] > len(row["names"]) else ""
        many = f"{row['over']:,} {rule.per}s" if row["over"] > 1 else f"1 {rule.per}"
        words = f"{many} over {usd(rule.threshold)} in {_span(rule.window_hours)}: {named}{more}"
        out.append(Measured(until, float(row["amounts"][0]), words))
    return out


def _latencies(store: Store, rule: AlertRule, start: datetime, end: datetime) -> list[Measured]:
    interval, _, length = _steps(rule)
    window = Window(start_of(start, interval, "UTC"), end)
    rows = spend(store, rule.question(window), interval=interval)["rows"]
    return [
        Measured(min(row["time"] + length, end), row["p95_ms"], f"95% of calls within {row['p95_ms']:,.0f} ms")
        for row in rows
        if row["p95_ms"] is not None and row["calls"] >= LEAST_CALLS
    ]


def fires(rule: AlertRule, found: Measured) -> bool:
    """Whether a rule fires at a value."""
    return found.value is not None and found.value > float(rule.threshold)


def _usd(amount: float) -> str:
    return f"${digits(Decimal(f'{amount:.6f}'))}"


def _span(hours: int) -> str:
    return "an hour" if hours == 1 else f"{hours} hours" if hours < 48 or hours % 24 else f"{hours // 24} days"
