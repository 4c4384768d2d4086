"""Spend over time as a gapless series, and the calendar of days, weeks and months in a time zone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np

from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import usd as in_words
from outlay_analytics.query.together import rows_together
from outlay_analytics.query.window import Interval, Window, parse_timezone
from outlay_collector.store import Row, Store, load_sql

HOUR = timedelta(hours=1)
ZERO = Decimal(0)
PERIODS = ("day", "week", "month")
WEEK_STEPS = {"hour": 168, "day": 7}
GAP_HOURS = 3
GAP_WEEKS = (-2, -1, 1, 2)
MOST_NAMED = 4


@dataclass(frozen=True)
class Series:
    """Spend per interval, none missing: intervals without calls hold zero.

    Attributes:
        times: Their starts.
        usd: What was spent in each.
        excess: What recorded incidents added, by start (see incident_excess.py).
        gaps: Those in which nothing arrived from the whole project though something usually does.
    """

    times: list[datetime]
    usd: list[Decimal]
    gaps: frozenset[datetime] = frozenset()
    excess: Mapping[datetime, Decimal] = field(default_factory=dict)

    @property
    def values(self) -> Floats:
        return np.array([float(amount) for amount in self.usd])

    @property
    def learned(self) -> Floats:
        """As `values` without what incidents added, and unknown (NaN) in gaps: what did not arrive was not free."""
        return np.array(
            [
                np.nan if at in self.gaps else float(max(usd - self.excess.get(at, ZERO), ZERO))
                for at, usd in zip(self.times, self.usd, strict=True)
            ]
        )

    def since_first(self) -> Series:
        """Without the intervals before anything was spent."""
        first = next((k for k, amount in enumerate(self.usd) if amount), len(self.usd))
        return replace(self, times=self.times[first:], usd=self.usd[first:])

    def until(self, end: datetime) -> Series:
        """The intervals that begin before `end`."""
        count = bisect_left(self.times, end)
        return replace(self, times=self.times[:count], usd=self.usd[:count])

    def excess_note(self) -> str:
        """How much of incidents is not learned from, empty if there is none."""
        held = [self.excess[at] for at in self.times if at in self.excess]
        if not held:
            return ""
        return f"{in_words(sum(held, ZERO))} that incidents added are not learned from"

    def gap_note(self, timezone: str) -> str:
        """Which days with gaps are not learned from, empty if there are none."""
        zone = parse_timezone(timezone)
        days = sorted({at.astimezone(zone).date() for at in self.times if at in self.gaps})
        if not days:
            return ""
        named = ", ".join(f"{day.day} {day:%B}" for day in days[:MOST_NAMED])
        more = f" and {len(days) - MOST_NAMED} more days" if len(days) > MOST_NAMED else ""
        return f"nothing arrived on {named}{more}: such gaps are not learned from"


def spend_series(store: Store, scope: Scope, interval: Interval) -> Series:
    """What was spent in every hour, day or week of the scope's window, by the calendar of its time zone."""
    times = ticks(scope.window, interval, scope.timezone)
    usd, calls = _sums(store, scope, interval, times)
    if interval in WEEK_STEPS and _gaps(calls, interval) and scope.filters:  # other calls say that it was no gap
        calls = _sums(store, replace(scope, filters={}), interval, times)[1]
    gaps = [times[k] for k in _gaps(calls, interval)]
    if scope.holidays:  # nothing may come on one
        days = zip(gaps, scope.holidays.days_of(gaps, scope.timezone), strict=True)
        gaps = [at for at, day in days if scope.holidays.on(day) is None]
    return Series(times, usd, frozenset(gaps))


def _sums(store: Store, scope: Scope, interval: Interval, times: list[datetime]) -> tuple[list[Decimal], list[int]]:
    """USD and calls of each interval."""
    usd, calls = [ZERO] * len(times), [0] * len(times)
    for row in _rows(store, scope, interval):
        # The store's time zone data may be of another year than Python's: nothing is lost by that.
        k = max(bisect_right(times, row["time"]) - 1, 0)
        usd[k] += row["usd"]
        calls[k] += row["calls"]
    return usd, calls


def _rows(store: Store, scope: Scope, interval: Interval) -> list[Row]:
    """`time`, `usd` and `calls` of the intervals with calls; one interval may have several rows."""
    found = rows_together(store, scope, interval)
    if found is not None:
        return found
    source = spend_source(store, scope, (), interval)
    return store.query(load_sql("outlay_analytics.query.sql", "history", source=source.sql), source.params)


def _gaps(calls: list[int], interval: str) -> list[int]:
    """Intervals without calls, between some with, in whose place every week around had calls.

    Of hours only runs of `GAP_HOURS` count, since single hours are empty by chance. Silence that lasts is no gap: it
    may be all there is.
    """
    if interval not in WEEK_STEPS:
        return []
    week, least = WEEK_STEPS[interval], GAP_HOURS if interval == "hour" else 1
    called = [k for k, count in enumerate(calls) if count]
    found: list[int] = []
    for before, after in pairwise(called):
        if after - before <= least:
            continue
        for k in range(before + 1, after):
            around = [k + week * n for n in GAP_WEEKS if called[0] <= k + week * n <= called[-1]]
            outside = [calls[other] for other in around if not before < other < after]
            if outside and all(outside):
                found.append(k)
    return found


def spent(store: Store, scope: Scope) -> Decimal:
    """What was spent in the scope's window, exact."""
    return sum((row["usd"] for row in _rows(store, scope, "total")), ZERO)


def ticks(window: Window, interval: Interval, timezone: str) -> list[datetime]:
    """Starts of the intervals that the window touches, as UTC instants."""
    out = []
    at = start_of(window.start, interval, timezone)
    while at < window.end:
        out.append(at)
        at = next_start(at, interval, timezone)
    return out


def start_of(at: datetime, interval: str, timezone: str) -> datetime:
    """Start of the hour, day, ISO week or month that `at` lies in. Hours are counted from local midnight."""
    if interval == "hour":
        midnight = start_of(at, "day", timezone)
        return midnight + (at - midnight) // HOUR * HOUR
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
        start, midnight = start_of(at, "hour", timezone), next_start(at, "day", timezone)
        # Where clocks move by half an hour, the day's last hour is half a one.
        return midnight if start < midnight < start + HOUR else start + HOUR
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
