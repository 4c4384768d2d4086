"""What rules watch: the value of a rule's kind in a window.

A round asks for the windows that end now, to the microsecond, each once for all rules that it serves (`Asked`). The
preview asks for all that end with each whole hour of the past, from one table of hours; of values of one dimension and
of latency from one query, by the day where a window is a day or longer. What is said of sums is one function.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.counted import MOST_NAMED, NO_ENDS, who_is_over
from outlay_analytics.alerting.price_changes import price_changes
from outlay_analytics.alerting.rule_value import RuleValue, span_of
from outlay_analytics.alerting.rules import AlertRule
from outlay_analytics.alerting.sums import SQL, ZERO, Asked, Hourly, Reader, Sums
from outlay_analytics.query.calendar import HOUR, period_window, spend_series, spent, start_of, ticks, with_window
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import usd
from outlay_analytics.query.window import Interval, Window
from outlay_analytics.questions.measured import VALUE_MS
from outlay_analytics.questions.spend import spend
from outlay_collector.store import Row, Store, load_sql

WEEKS = 3
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
BEFORE = timedelta(days=28)  # what a drift is measured against
LEAST_CALLS = 20  # of a window: fewer say nothing about a share
P95 = f"quantileExactWeightedInterpolatedIf(0.95)({VALUE_MS}, bucket_calls, bucket_calls > 0)"
# The ends of the windows that an interval of the source lies in whole.
ENDS = (
    "arrayFilter(e -> e - {length_s:UInt32} <= toUnixTimestamp(time), arrayMap(k -> toUInt32("
    "(intDiv(toUnixTimestamp(time) + {grain_s:UInt32} + {step_s:UInt32} - 1, {step_s:UInt32}) + k) * {step_s:UInt32}), "
    "range(intDiv({length_s:UInt32}, {step_s:UInt32}) + 1)))"
)


def measure(store: Store, rule: AlertRule, now: datetime, budget: Budget | None, asked: Asked) -> RuleValue:
    """A rule's value in the window that ends now."""
    window = Window(now - rule.length, now)
    if rule.kind == "entity_usd":
        source = spend_source(store, rule.question(window), (rule.per,))
        params = {**source.params, "limit_usd": rule.threshold, "most": MOST_NAMED}
        rows = store.query(load_sql(SQL, "entities", source=source.sql, ends=NO_ENDS), params)
        return _entity(rule, window, rows[0] if rows else None)
    if rule.kind == "latency_p95_ms":
        return _latency(rule, window, spend(store, rule.question(window))["total"])
    if rule.kind == "budget_share":
        if budget is None:
            return RuleValue(window, None, f"there is no budget {rule.budget!r}")
        if not budget.is_projected:
            return RuleValue(window, None, f"budget {rule.budget!r} has no period of all its spend to take a share of")
        period = Window(period_window(now, budget.period, budget.timezone).start, now)
        return _budget_share(budget, period, spent(store, budget.question(period)))
    if rule.kind == "price_change":
        return price_changes(store, rule, [now])[0]
    return _at(rule, now, asked.of(rule))


def measure_past(store: Store, rule: AlertRule, stretch: Window, budget: Budget | None) -> list[RuleValue]:
    """A rule's value in every window that ends at a whole hour (or day, see above) in a stretch, the oldest first."""
    if rule.kind == "entity_usd":
        return _entities(store, rule, stretch)
    if rule.kind == "latency_p95_ms":
        return _latencies(store, rule, stretch)
    if rule.kind == "budget_share":
        return [] if budget is None or not budget.is_projected else _budget_shares(store, budget, stretch)
    if rule.kind == "price_change":
        return price_changes(store, rule, _ends(stretch, "day"))
    read = Window(stretch.start - BEFORE - rule.length - WEEK - WEEKS * _stride(rule), stretch.end)
    hours = Hourly(store, rule, read)
    return [_at(rule, end, hours) for end in _ends(stretch, "hour")]


def fires(rule: AlertRule, found: RuleValue) -> bool:
    """Whether a rule fires at a value."""
    return found.value is not None and found.value > rule.threshold


def _at(rule: AlertRule, end: datetime, reader: Reader) -> RuleValue:
    """The value in the window that ends there."""
    window = Window(end - rule.length, end)
    now, span = reader.sums(window), span_of(rule.window_hours)
    if rule.kind in ("spend_usd", "retry_usd"):
        amount = now.usd if rule.kind == "spend_usd" else now.retry_usd
        if now.calls and not now.priced:
            return RuleValue(window, None, f"no call has a known cost in {span}")
        what = " for repeated calls" if rule.kind == "retry_usd" else ""
        return RuleValue(window, amount, f"{usd(amount)}{what} in {span}{_unpriced(now)}")
    if rule.kind in ("above_usual", "no_data"):
        return _against_weeks(rule, window, now, reader)
    if rule.kind in ("error_share", "unpriced_share"):
        if now.calls < LEAST_CALLS:
            return RuleValue(window, None, f"only {now.calls:,} calls in {span}")
        number = now.errors if rule.kind == "error_share" else now.calls - now.priced
        what = "failed" if rule.kind == "error_share" else "have no known cost"
        share = Decimal(number) / now.calls
        return RuleValue(window, share, f"{number:,} of {now.calls:,} calls {what} in {span} ({share:.1%})")
    return _drift(rule, window, now, reader.sums(Window(window.start - BEFORE, window.start)))


def _against_weeks(rule: AlertRule, window: Window, now: Sums, reader: Reader) -> RuleValue:
    """Spend or calls against the same hours of earlier weeks that had calls, and began after the first one."""
    stride, span = _stride(rule), span_of(rule.window_hours)
    before = [Window(window.start - n * stride, window.end - n * stride) for n in range(1, WEEKS + 1)]
    first = reader.first(Window(before[-1].start - WEEK, window.end))
    weeks = [one for week in before if first and first <= week.start and (one := reader.sums(week)).calls]
    if rule.kind == "no_data":
        if not weeks:
            return RuleValue(window, None, "no calls in the same hours of the weeks before")
        lowest = min(week.calls for week in weeks)  # what arrived in the poorest of these weeks
        share = max(1 - Decimal(now.calls) / lowest, ZERO)
        return RuleValue(window, share, f"{now.calls:,} calls in {span}, at least {lowest:,} in the weeks before")
    usual = sum((week.usd for week in weeks), ZERO) / max(len(weeks), 1)
    if usual <= 0:
        return RuleValue(window, None, "no spend in the same hours of the weeks before")
    words = f"{usd(now.usd)} in {span}, {now.usd / usual:.1f} times the usual {usd(usual)}{_unpriced(now)}"
    return RuleValue(window, now.usd / usual, words)


def _drift(rule: AlertRule, window: Window, now: Sums, before: Sums) -> RuleValue:
    falls = rule.kind == "cache_hit_ratio_fall"
    top, bottom = ("cached", "input") if falls else ("escalated", "runs")
    if now.calls < LEAST_CALLS or not getattr(now, bottom) or not getattr(before, bottom):
        return RuleValue(window, None, f"too little to compare in {span_of(rule.window_hours)}")
    new, old = (Decimal(getattr(side, top)) / getattr(side, bottom) for side in (now, before))
    moved = old - new if falls else new - old
    what = "of input came from the cache" if falls else "of runs went on to a later tier"
    words = f"{new:.1%} {what} in {span_of(rule.window_hours)}, {old:.1%} in the four weeks before"
    return RuleValue(window, max(moved, ZERO), words)


def _budget_share(budget: Budget, period: Window, amount: Decimal) -> RuleValue:
    share = amount / budget.amount_usd
    return RuleValue(period, share, f"{usd(amount)} of {usd(budget.amount_usd)} spent ({share:.0%})")


def _budget_shares(store: Store, budget: Budget, stretch: Window) -> list[RuleValue]:
    """What was spent of each period by the end of each hour, by the clocks of the budget's zone."""
    begin = period_window(stretch.start, budget.period, budget.timezone).start
    series = spend_series(store, with_window(budget.question(), begin, stretch.end), "hour")
    until = list(accumulate(series.usd, initial=ZERO))
    out = []
    for k, at in enumerate(series.times):
        end = series.times[k + 1] if k + 1 < len(series.times) else at + HOUR
        if stretch.start < end <= stretch.end:
            start = period_window(at, budget.period, budget.timezone).start
            amount = until[k + 1] - until[bisect_left(series.times, start)]
            out.append(_budget_share(budget, Window(start, end), amount))
    return out


def _entities(store: Store, rule: AlertRule, stretch: Window) -> list[RuleValue]:
    rows = _by_end(store, rule, stretch, "entities")
    return [_entity(rule, one, rows.get(one.end)) for one in _windows(rule, stretch)]


def _entity(rule: AlertRule, window: Window, row: Row | None) -> RuleValue:
    span = span_of(rule.window_hours)
    if row is None:
        return RuleValue(window, ZERO, f"no {rule.per} over {usd(rule.threshold)} in {span}")
    named = list(zip(row["names"], row["amounts"], strict=True))
    words = who_is_over(rule.per, row["over"], named, rule.threshold, f"in {span}")
    return RuleValue(window, row["amounts"][0], words)


def _latencies(store: Store, rule: AlertRule, stretch: Window) -> list[RuleValue]:
    rows = _by_end(store, rule, stretch, "latencies")
    return [_latency(rule, one, rows.get(one.end)) for one in _windows(rule, stretch)]


def _latency(rule: AlertRule, window: Window, row: Mapping[str, Any] | None) -> RuleValue:
    calls, p95_ms, span = row["calls"] if row else 0, row["p95_ms"] if row else None, span_of(rule.window_hours)
    if p95_ms is None or calls < LEAST_CALLS:
        return RuleValue(window, None, f"only {calls:,} calls in {span}")
    return RuleValue(window, Decimal(str(round(p95_ms, 3))), f"95% of calls within {p95_ms:,.0f} ms in {span}")


def _by_end(store: Store, rule: AlertRule, stretch: Window, file: str) -> dict[datetime, Row]:
    """What a statement says of each window of a stretch, by its end; windows are of whole hours or days."""
    windows = _windows(rule, stretch)
    if not windows:
        return {}
    grain: Interval = "hour" if rule.window_hours % 24 else "day"
    scope = rule.question(Window(windows[0].start, windows[-1].end))
    per = (rule.per,) if rule.per else ()
    source = spend_source(store, scope, per, grain, latency=file == "latencies")
    params = source.params | {
        "length_s": rule.window_hours * 3600,
        "step_s": round((DAY if _step(rule) == "day" else HOUR).total_seconds()),
        "grain_s": round((DAY if grain == "day" else HOUR).total_seconds()),
    }
    fragments = {"source": source.sql, "ends": ENDS}
    if file == "entities":
        params |= {"limit_usd": rule.threshold, "most": MOST_NAMED}
    else:
        fragments["p95"] = P95
    rows = store.query(load_sql(SQL, file, **fragments), params)
    epoch = datetime.fromtimestamp(0, windows[0].end.tzinfo)
    return {epoch + timedelta(seconds=row["end"]): row for row in rows}


def _windows(rule: AlertRule, stretch: Window) -> list[Window]:
    return [Window(end - rule.length, end) for end in _ends(stretch, _step(rule))]


def _step(rule: AlertRule) -> Interval:
    """How often the past is looked at."""
    return "day" if rule.window_hours >= 24 else "hour"


def _ends(stretch: Window, step: Interval) -> list[datetime]:
    """Whole hours or days in (start, end] of a stretch."""
    length = DAY if step == "day" else HOUR
    first, last = start_of(stretch.start, step, "UTC") + length, stretch.end + timedelta(microseconds=1)
    return ticks(Window(first, max(first, last)), step, "UTC")


def _stride(rule: AlertRule) -> timedelta:
    """How far one goes back to the same hours of another week, so that windows do not overlap."""
    return WEEK * -(-rule.window_hours // 168)


def _unpriced(now: Sums) -> str:
    return f" ({now.calls - now.priced:,} calls have no known cost)" if now.calls > now.priced else ""
