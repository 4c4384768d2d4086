"""What recorded incidents added to a series of spend, so that forecasts do not learn it.

An incident that goes on may be the new level, and one of more than a week has been: both are learned. Of one that is
over, its dollars above what was expected are spread evenly over its hours and taken out of what is learned, where it
lies in the part of spend that the series is of. A wider one is left in: how much of it the series holds is not known.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.query.calendar import HOUR, Series, spend_series
from outlay_analytics.query.looks import once
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Interval, Window
from outlay_collector.store import Row, Store, load_sql

LONGEST = timedelta(days=7)


@dataclass(frozen=True)
class Added:
    """Dollars above what was expected of a part of spend in some hours."""

    scope: Mapping[str, str]
    window: Window
    usd: Decimal


def learned_series(store: Store, scope: Scope, interval: Interval) -> Series:
    """As `spend_series`, with what incidents added to each interval as its `excess`."""
    series = spend_series(store, scope, interval)
    excess = excess_in(series.times, [one for one in added(store, scope) if _inside(one.scope, scope)])
    return replace(series, excess=excess)


def added(store: Store, scope: Scope) -> list[Added]:
    """What incidents that are over added in the scope's window, in every part of the project's spend."""
    params = {
        "project": scope.project,
        "start": sql_instant(scope.window.start),
        "end": sql_instant(scope.window.end),
        "most_h": LONGEST // HOUR,
    }
    sql = load_sql("outlay_analytics.query.sql", "incident_excess")
    rows: list[Row] = once((store, "incident_excess", repr(params)), lambda: store.query(sql, params))
    return [one for row in rows for one in _parts(row)]


def excess_in(times: Sequence[datetime], found: Sequence[Added]) -> dict[datetime, Decimal]:
    """By the starts of a series' intervals: each hour of an incident holds the same part of its dollars."""
    excess: dict[datetime, Decimal] = {}
    for one in found:
        hours = max(round(one.window.length / HOUR), 1)
        for hour in range(hours):
            k = bisect_right(times, one.window.start + hour * HOUR) - 1
            if k >= 0:
                excess[times[k]] = excess.get(times[k], Decimal(0)) + one.usd / hours
    return excess


def _parts(row: Row) -> Iterator[Added]:
    parts: list[dict[str, Any]] = json.loads(row["parts"] or "[]")
    for part in parts:
        window = Window(*(datetime.fromisoformat(part[name]) for name in ("started_at", "ended_at")))
        scope = {name: str(value or "") for name, value in part["scope"].items()}
        yield Added(scope, window, Decimal(part["impact_usd"]))
    if not parts:
        yield Added(row["scope"], Window(row["started_at"], row["ended_at"]), row["usd"])


def _inside(part: Mapping[str, str], scope: Scope) -> bool:
    return all(name in part and part[name] in values for name, values in scope.filters.items())
