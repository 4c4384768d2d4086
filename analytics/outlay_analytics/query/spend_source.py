"""One relation for every question about spend: clean whole hours and days from the rollups, everything else from calls.

Freshness never waits for a rollup. An hour is clean when it was rolled up after its last change; the clean hours of a
window are read from `spend_hourly` (whole clean days from `spend_daily`), the open ones and the window's unaligned
edges from `calls`.

A question about exactly one dimension that `spend_hourly` lacks (grouped by, filtered, or both) reads its whole clean
UTC days from `dimension_daily`: a day that keeps that dimension `full`, whatever else is asked; one that keeps it
`alone`, only if nothing else is grouped by or filtered; and only if no interval of the question begins within a UTC
day. Everything else reads `calls`. The columns are the same, and so are the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from outlay_analytics.query.dimensions import DIMENSIONS, Dimension
from outlay_analytics.query.rolled_hours import (
    DAY,
    HOUR,
    SQL,
    Parts,
    calls_hours_sql,
    dimension_days,
    fits_days,
    hours_sql,
    moved_hours,
    parts_of,
    parts_of_days,
)
from outlay_analytics.query.scope import NO_OTHERS, Scope, expression, filter_sql, is_of_records
from outlay_analytics.query.window import Interval, bucket_sql
from outlay_collector.store import Store, load_sql

NOON = "toStartOfDay(h.hour, 'UTC') + INTERVAL 12 HOUR"
# Names that are not for users: whether a call repeats a request, and the rollup's own hour.
INTERNAL = {"repeated": Dimension("if(c.attempt > 1, '1', '')", "if(h.repeated, '1', '')")}


@dataclass(frozen=True)
class Source:
    """A relation to select from, `(SELECT …)`, and the values it reads.

    Columns: `time` (start of the interval, DateTime), `d0` `d1` … (the dimensions' values as text, empty = unknown),
    `calls errors priced_calls no_usage_calls estimated_calls assumed_calls cached_unknown_calls`, the six token counts,
    `cost_usd list_cost_usd uncached_cost_usd`,
    `line_input_usd line_cache_read_usd line_cache_write_usd line_cache_write_1h_usd line_output_usd line_other_usd`;
    with latency also `bucket` and `bucket_calls`. Sum whatever is needed; unused columns are not read.
    """

    sql: str
    params: dict[str, Any]
    keys: tuple[str, ...]


def spend_source(
    store: Store,
    scope: Scope,
    dimensions: Sequence[str] = (),
    interval: Interval = "total",
    *,
    shift: timedelta = timedelta(0),
    latency: bool = False,
    shown: Callable[[str], str] | None = None,
    exact: bool = True,
    zeros: bool = False,
) -> Source:
    """The calls of a scope as a relation of sums, from the cheapest tables that give the exact answer.

    Args:
        store: Where to look up which hours are clean.
        scope: Window, filters, project, time zone.
        dimensions: Names of the interface, or `repeated`; they become `d0`, `d1` …
        interval: What `time` is the start of.
        shift: Added to every instant before `time` is taken, to lay a window over a later one.
        latency: Whether `bucket` and `bucket_calls` are filled too.
        shown: Takes the groups that are not shown together in a relation of these columns (`Groups.shown`), and adds
            `group_id` and `is_rest`; here, so that histograms of many groups are not spread out one by one.
        exact: Without it rows that were replaced may be among the others, at a fraction of the work: for how many
            values there are at most.
        zeros: Whether who asks leaves out keys without calls: then days of another zone are read as days, and what
            lies in another interval than their noon is moved, which leaves such keys behind.
    """
    params: dict[str, Any] = {"project": scope.project, "timezone": scope.timezone}
    if interval != "total" and shift:
        params["shift_us"] = shift // timedelta(microseconds=1)
    keys = ("time", *(f"d{number}" for number in range(len(dimensions))))
    parts, reads = _reads(store, scope, dimensions, interval, shift, latency, zeros, params)
    time = bucket_sql(interval, _shifted("h.hour", interval, shift))
    noon = bucket_sql(interval, _shifted(NOON, interval, shift))
    final = " FINAL" if exact else ""
    branches = []
    for read in reads:
        fragments = {"table": read.table, "time": time, "dimensions": read.columns, "filters": read.filters}
        fragments["hours"] = hours_sql(read.name, read.hours, read.left_out, params)
        moved_in = hours_sql("moved", moved_hours(scope, read.hours, shift), None, params) if read.astride else "0"
        names = "".join(f", {name}" for name in keys[1:])
        if not read.latency:
            own = fragments | ({"time": noon} if read.astride else {})
            branches.append(_shown(load_sql(SQL, "source_hours", **own, final=final), shown))
            if read.astride:
                fragments |= {"table": "spend_hourly", "time": f"({time}, {noon})", "hours": moved_in}
                hours = load_sql(SQL, "source_hours", **fragments, final=final)
                branches.append(_shown(load_sql(SQL, "source_moved_hours", hours=hours, keys=names), shown))
            continue
        rows = load_sql(SQL, "source_histograms", **(fragments | ({"time": noon} if read.astride else {})))
        if read.astride:
            moved = load_sql(SQL, "source_moved_histograms", **(fragments | {"hours": moved_in}), noon=noon, keys=names)
            rows = f"({rows}\nUNION ALL\n{moved})"
        branches.append(
            load_sql(
                SQL,
                "source_latency",
                rows=shown(rows) if shown else rows,
                keys=", ".join(keys),
                shown="is_rest, " if shown else "",
                told=",\n    any(group_id) AS group_id,\n    is_rest" if shown else "",
            )
        )
    branches.append(_shown(_calls_sql(scope, dimensions, interval, shift, parts, final, params), shown))
    return Source("(\n" + "\nUNION ALL\n".join(branches) + ")", params, keys)


@dataclass(frozen=True)
class _Read:
    """What one rollup table is asked for: `hours` (Unix seconds, see `hours_sql`) under a `name` of their own.

    With `astride` they are days within which intervals begin: their rows are taken to be of the interval of their noon,
    and what the hours that lie in another one hold is moved there.
    """

    table: str
    name: str
    hours: list[int]
    left_out: list[int] | None
    columns: str
    filters: str
    latency: bool = False
    astride: bool = False


def _reads(
    store: Store,
    scope: Scope,
    dimensions: Sequence[str],
    interval: Interval,
    shift: timedelta,
    latency: bool,
    zeros: bool,
    params: dict[str, Any],
) -> tuple[Parts, list[_Read]]:
    """What the rollups answer, and how the window falls into it and the rest."""
    asked = _rollup_sql(scope, dimensions, params)
    if asked is not None:
        parts = parts_of(store, scope, interval, shift)
        reads = [
            _Read("spend_daily", "days", parts.days, None, *asked),
            _Read("spend_hourly", "hours", parts.hours, None if parts.days else parts.open, *asked),
        ]
        if zeros and parts.astride and parts.latency_days:
            known = set(parts.latency_days)
            others = [hour for hour in parts.hours if hour - hour % DAY not in known]
            reads = [
                _Read("spend_daily", "days", parts.latency_days, None, *asked, astride=True),
                _Read("spend_hourly", "hours", others, None, *asked),
            ]
        if latency:
            reads += _latency_reads(parts, asked)
        return parts, [read for read in reads if read.hours]
    name = lacked_dimension((*dimensions, *scope.filters))
    if name is None or not fits_days(scope, interval, shift):
        return Parts(), []
    kept, unsaid = dimension_days(store, scope, name, alone={*dimensions, *scope.filters} == {name})
    parts = parts_of_days(sorted({*kept, *unsaid}))
    own = _rollup_sql(scope, dimensions, params, {name: "h.value"})
    silent = _rollup_sql(scope, dimensions, params, {name: "''"})
    if own is None or silent is None:
        return Parts(), []
    params["rolled_dimension"] = name
    own = (own[0], f"h.dimension = {{rolled_dimension:String}} AND ({own[1]})")
    reads = [
        _Read("dimension_daily", "kept_days", kept, None, *own),
        _Read("spend_daily", "unsaid_days", unsaid, None, *silent),
    ]
    if latency:
        reads.append(_Read("dimension_daily", "kept_days", kept, None, *own, latency=True))
        hours = [day + hour for day in unsaid for hour in range(0, DAY, HOUR)]
        reads.append(_Read("latency_hours", "unsaid_hours", hours, None, *silent, latency=True))
    return parts, [read for read in reads if read.hours]


def _latency_reads(parts: Parts, asked: tuple[str, str]) -> list[_Read]:
    """Durations of whole days where the rollup of days knows them, of the other clean hours from theirs."""
    if not parts.latency_days:
        return [_Read("latency_hours", "latency", parts.latency, parts.open, *asked, latency=True)]
    known = set(parts.latency_days)
    hours = [hour for hour in parts.latency if hour - hour % DAY not in known]
    return [
        _Read("latency_daily", "latency_days", parts.latency_days, None, *asked, latency=True, astride=parts.astride),
        _Read("latency_hours", "latency", hours, None, *asked, latency=True),
    ]


def lacked_dimension(names: Iterable[str]) -> str | None:
    """The one of a question's dimensions that spend_hourly lacks; None where it lacks several, or calls are named."""
    lacked = {name for name in names if name not in INTERNAL and not _is_rolled(name)}
    return lacked.pop() if len(lacked) == 1 and not any(map(is_of_records, lacked)) else None


def _is_rolled(name: str) -> bool:
    return name in DIMENSIONS and DIMENSIONS[name].rollup is not None


def _shown(branch: str, shown: Callable[[str], str] | None) -> str:
    return f"SELECT * FROM {shown(f'({branch})')}" if shown else branch


def _calls_sql(
    scope: Scope,
    dimensions: Sequence[str],
    interval: Interval,
    shift: timedelta,
    parts: Parts,
    final: str,
    params: dict[str, Any],
) -> str:
    columns = _columns(scope, dimensions, "calls", params)
    filters = filter_sql(scope, "calls", params)
    assert columns is not None  # every dimension has an expression on calls
    assert filters is not None
    return load_sql(
        SQL,
        "source_calls",
        time=bucket_sql(interval, _shifted("c.started_at", interval, shift)),
        dimensions=columns,
        hours=calls_hours_sql(scope.window, parts, params),
        filters=filters,
        final=final,
    )


def _columns(
    scope: Scope, dimensions: Sequence[str], table: str, params: dict[str, Any], others: Mapping[str, str] = NO_OTHERS
) -> str | None:
    """`expression AS d0, …` with a trailing comma, None where the table does not know one of them."""
    found = []
    for name in dimensions:
        if name in INTERNAL:
            sql: str | None = getattr(INTERNAL[name], table)
        else:
            sql = expression(scope, name, "rollup" if table == "rollup" else "calls", params, others)
        if sql is None:
            return None
        found.append(sql)
    return "".join(f"{sql} AS d{number}, " for number, sql in enumerate(found))


def _rollup_sql(
    scope: Scope, dimensions: Sequence[str], params: dict[str, Any], others: Mapping[str, str] = NO_OTHERS
) -> tuple[str, str] | None:
    """Columns and filters on the rollups, None where they cannot answer; `others` as `own` of `expression`."""
    own: dict[str, Any] = {}
    columns = _columns(scope, dimensions, "rollup", own, others)
    filters = filter_sql(scope, "rollup", own, others)
    if columns is None or filters is None:
        return None
    params.update(own)
    return columns, filters


def _shifted(at: str, interval: Interval, shift: timedelta) -> str:
    return f"addMicroseconds({at}, {{shift_us:Int64}})" if shift and interval != "total" else at
