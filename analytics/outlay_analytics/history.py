"""Spend over time as a gapless series, and the calendar of days, weeks and months in a time zone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import numpy as np

from outlay_analytics.shapley import Floats
from outlay_analytics.spend_source import spend_source
from outlay_analytics.window import Interval, Scope, Window, parse_timezone
from outlay_collector.store import Store, load_sql

HOUR = timedelta(hours=1)
ZERO = Decimal(0)
PERIODS = ("day", "week", "month")


@dataclass(frozen=True)
class Series:
    """Spend per interval, none missing: intervals without calls hold zero."""

    times: list[datetime]
    usd: list[Decimal]

    @property
    def values(self) -> Floats:
        return np.array([float(amount) for amount in self.usd])

    def since_first(self) -> Series:
        """Without the intervals before anything was spent."""
        first = next((k for k, amount in enumerate(self.usd) if amount), len(self.usd))
        return Series(self.times[first:], self.usd[first:])


def spend_series(store: Store, scope: Scope, interval: Interval) -> Series:
    """What was spent in every hour, day or week of the scope's window (hours of UTC, days of its time zone)."""
    source = spend_source(store, scope, (), interval)
    rows = store.query(load_sql("outlay_analytics.sql", "history", source=source.sql), source.params)
    found = {row["time"]: row["usd"] for row in rows}
    times = ticks(scope.window, interval, scope.timezone)
    return Series(times, [found.get(at, ZERO) for at in times])


def spent(store: Store, scope: Scope) -> Decimal:
    """What was spent in the scope's window, exact."""
    source = spend_source(store, scope, (), "total")
    rows = store.query(load_sql("outlay_analytics.sql", "history", source=source.sql), source.params)
    return sum((row["usd"] for row in rows), ZERO)


def ticks(window: Window, interval: Interval, timezone: str) -> list[datetime]:
    """Starts of the intervals that the window touches, as UTC instants."""
    out = []
    at = start_of(window.start, interval, timezone)
    while at < window.end:
        out.append(at)
        at = next_start(at, interval, timezone)
    return out


def start_of(at: datetime, interval: str, timezone: str) -> datetime:
    """Start of the hour, day, ISO week or month that `at` lies in."""
    if interval == "hour":
        return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    zone = parse_timezone(timezone)
    local = at.astimezone(zone)
    day = local.date()
    if interval == "week":
        day -= timedelta(days=day.weekday())
    elif interval == "month":
        day = day.replace(day=1)
    return datetime.combine(day, time(), zone).astimezone(UTC)


def next_start(at: datetime, interval: str, timezone: str) -> datetime:
    """Start of the interval after the one that `at` lies in."""
    if interval == "hour":
        return start_of(at, "hour", timezone) + HOUR
    zone = parse_timezone(timezone)
    day = start_of(at, interval, timezone).astimezone(zone).date()
    if interval == "month":
        day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    else:
        day += timedelta(days=7 if interval == "week" else 1)
    return datetime.combine(day, time(), zone).astimezone(UTC)


def period_window(at: datetime, period: str, timezone: str) -> Window:
    """The whole day, week or month that `at` lies in."""
    return Window(start_of(at, period, timezone), next_start(at, period, timezone))


def with_window(scope: Scope, start: datetime, end: datetime) -> Scope:
    """The same question about another window."""
    return replace(scope, window=Window(start, max(end, start)))
