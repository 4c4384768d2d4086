"""A relation of the look-ups in the application's caches: clean hours from the rollup, others as they are.

The rollup knows what its key has; by anything else look-ups are read. The columns are the same, and so are the sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlay_analytics.query.rolled_hours import SQL, hours_sql, parts_of
from outlay_analytics.query.scope import Scope, expression, filter_sql
from outlay_analytics.query.spend_source import Source
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Interval, bucket_sql
from outlay_collector.store import Store, load_sql

ROLLED = {"service", "environment", "feature", "team", "provider", "model", "model_tier", "cache"}


def lookup_source(store: Store, scope: Scope, dimensions: Sequence[str], interval: Interval) -> Source | None:
    """The look-ups of a scope as a relation of sums; None where look-ups do not know a dimension or filter.

    Columns: `time`, `d0` `d1` … as in `spend_source`, `kind`, `lookups`, `hits`, `known_hits` (of which it is known
    what they avoided), `avoided_usd`.
    """
    params: dict[str, Any] = {"project": scope.project, "timezone": scope.timezone}
    columns = [expression(scope, name, "lookups", params) for name in dimensions]
    filters = filter_sql(scope, "lookups", params)
    if filters is None or None in columns:
        return None
    shared = {"dimensions": "".join(f"{column} AS d{number}, " for number, column in enumerate(columns))}
    shared["filters"] = filters
    params |= {"start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
    clean = parts_of(store, scope, interval).latency if {*dimensions, *scope.filters} <= ROLLED else []
    branches = []
    if clean:
        hours = hours_sql("clean", clean, None, params)
        branches.append(
            load_sql(SQL, "source_lookup_hours", time=bucket_sql(interval, "c.hour"), hours=hours, **shared)
        )
    # An hour whose look-ups nobody marked is in no list of hours: these are those of no clean one.
    others = "toStartOfHour(c.started_at) NOT IN {clean_in:Array(DateTime('UTC'))}" if clean else "1"
    time = bucket_sql(interval, "c.started_at")
    branches.append(load_sql(SQL, "source_lookups", time=time, others=others, **shared))
    keys = ("time", *(f"d{number}" for number in range(len(dimensions))))
    return Source("(\n" + "\nUNION ALL\n".join(branches) + ")", params, keys)
