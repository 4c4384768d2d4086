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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from outlay_analytics.query.dimensions import DIMENSIONS, Dimension, tag_key
from outlay_analytics.query.scope import NO_OTHERS, Scope, expression, filter_sql, is_of_records
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Interval, Window, bucket_sql, parse_timezone
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.query.sql"
HOUR = 3600
DAY = 24 * HOUR
# Names that are not for users: whether a call repeats a request, and the rollup's own hour.
INTERNAL = {"repeated": Dimension("if(c.attempt > 1, '1', '')", "if(h.repeated, '1', '')")}

Hours = tuple[list[int], ...]  # clean, open, …
_seen: ContextVar[dict[tuple[Store, str, str], Any] | None] = ContextVar("outlay_hours_seen", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Within the block and those in it a window's clean hours are looked up once: all figures speak of one state."""
    if _seen.get() is not None:
        yield
        return
    token = _seen.set({})
    try:
        yield
    finally:
        _seen.reset(token)


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


@dataclass(frozen=True)
class Parts:
    """How a window is read: Unix seconds of days and hours from the rollups, the rest from calls.

    Attributes:
        days: Clean UTC days.
        hours: Clean hours, those of `days` left out.
        latency: Clean hours, all of them.
        latency_days: Those of `days` that `latency_daily` knows.
        open: Hours between the first and the last clean one that must come from calls.
    """

    days: list[int] = field(default_factory=list)
    hours: list[int] = field(default_factory=list)
    latency: list[int] = field(default_factory=list)
    latency_days: list[int] = field(default_factory=list)
    open: list[int] = field(default_factory=list)


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
    """
    params: dict[str, Any] = {"project": scope.project, "timezone": scope.timezone}
    if interval != "total" and shift:
        params["shift_us"] = shift // timedelta(microseconds=1)
    keys = ("time", *(f"d{number}" for number in range(len(dimensions))))
    parts, reads = _reads(store, scope, dimensions, interval, shift, latency, params)
    time = bucket_sql(interval, _shifted("h.hour", interval, shift))
    final = " FINAL" if exact else ""
    branches = []
    for read in reads:
        fragments = {"table": read.table, "time": time, "dimensions": read.columns, "filters": read.filters}
        fragments["hours"] = hours_sql(read.name, read.hours, read.left_out, params)
        if not read.latency:
            branches.append(_shown(load_sql(SQL, "source_hours", **fragments, final=final), shown))
            continue
        rows = load_sql(SQL, "source_histograms", **fragments)
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
    """What one rollup table is asked for: `hours` (Unix seconds, see `hours_sql`) under a `name` of their own."""

    table: str
    name: str
    hours: list[int]
    left_out: list[int] | None
    columns: str
    filters: str
    latency: bool = False


def _reads(
    store: Store,
    scope: Scope,
    dimensions: Sequence[str],
    interval: Interval,
    shift: timedelta,
    latency: bool,
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
        if latency:
            reads += _latency_reads(parts, asked)
        return parts, [read for read in reads if read.hours]
    name = lacked_dimension((*dimensions, *scope.filters))
    if name is None or not _fits_days(scope, interval, shift):
        return Parts(), []
    kept, unsaid = dimension_days(store, scope, name, alone={*dimensions, *scope.filters} == {name})
    parts = _parts_of_days(sorted({*kept, *unsaid}))
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
        reads.append(_Read("latency_hourly", "unsaid_hours", hours, None, *silent, latency=True))
    return parts, [read for read in reads if read.hours]


def _latency_reads(parts: Parts, asked: tuple[str, str]) -> list[_Read]:
    """Durations of whole days where the rollup of days knows them, of the other clean hours from theirs."""
    if not parts.latency_days:
        return [_Read("latency_hourly", "latency", parts.latency, parts.open, *asked, latency=True)]
    known = set(parts.latency_days)
    hours = [hour for hour in parts.latency if hour - hour % DAY not in known]
    return [
        _Read("latency_daily", "latency_days", parts.latency_days, None, *asked, latency=True),
        _Read("latency_hourly", "latency", hours, None, *asked, latency=True),
    ]


def _parts_of_days(days: Sequence[int]) -> Parts:
    """Parts where these days, in order, are read from rollups and nothing else is."""
    if not days:
        return Parts()
    between = set(range(days[0], days[-1] + DAY, DAY)) - set(days)
    hours = [day + hour for day in days for hour in range(0, DAY, HOUR)]
    between_hours = [day + hour for day in sorted(between) for hour in range(0, DAY, HOUR)]
    return Parts(days=list(days), latency=hours, open=between_hours)


def lacked_dimension(names: Iterable[str]) -> str | None:
    """The one of a question's dimensions that spend_hourly lacks; None where it lacks several, or calls are named."""
    lacked = {name for name in names if name not in INTERNAL and not _is_rolled(name)}
    return lacked.pop() if len(lacked) == 1 and not any(map(is_of_records, lacked)) else None


def _is_rolled(name: str) -> bool:
    return name in DIMENSIONS and DIMENSIONS[name].rollup is not None


def dimension_days(store: Store, scope: Scope, name: str, *, alone: bool) -> Hours:
    """Days of the window that `dimension_daily` answers, and those none of whose calls says anything about `name`.

    Args:
        store: Where to look.
        scope: The window and the project.
        name: A dimension that spend_hourly lacks.
        alone: Whether the question is about this dimension and no other.
    """
    first = -(-_seconds_up(scope.window.start) // DAY) * DAY
    last = int(scope.window.end.timestamp()) // DAY * DAY
    if last <= first:
        return [], []
    params = {
        "project": scope.project,
        "dimension": name,
        "grains": ["full", "alone"] if alone else ["full"],
        "is_tag": tag_key(name) is not None,
        "first": first,
        "last": last,
    }
    return _looked_up(store, "source_dimension_days", params, ("kept", "unsaid"))


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


def calls_hours_sql(window: Window, parts: Parts, params: dict[str, Any]) -> str:
    """The condition on `c.started_at` for what is not read from rollups; its values go into `params`."""
    params["start"] = sql_instant(window.start)
    params["end"] = sql_instant(window.end)
    start, end = "toDateTime64({start:String}, 9, 'UTC')", "toDateTime64({end:String}, 9, 'UTC')"
    if not parts.latency:
        return f"c.started_at >= {start} AND c.started_at < {end}"
    params["first_clean"] = parts.latency[0]
    params["last_clean"] = parts.latency[-1] + HOUR
    ranges = [
        f"(c.started_at >= {start} AND c.started_at < toDateTime({{first_clean:UInt32}}, 'UTC'))",
        f"(c.started_at >= toDateTime({{last_clean:UInt32}}, 'UTC') AND c.started_at < {end})",
    ]
    if parts.open:
        params["open_hours"] = parts.open
        ranges.append("toStartOfHour(c.started_at) IN {open_hours:Array(DateTime('UTC'))}")
    return f"({' OR '.join(ranges)})"


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


def hours_sql(name: str, hours: list[int], left_out: list[int] | None, params: dict[str, Any]) -> str:
    """A condition on `h.hour` for these hours: from the first to the last without `left_out`, or one by one if None."""
    if left_out is None:
        params[f"{name}_in"] = hours
        return f"h.hour IN {{{name}_in:Array(DateTime('UTC'))}}"
    params[f"{name}_first"], params[f"{name}_last"], params[f"{name}_out"] = hours[0], hours[-1], left_out
    first, last = (f"toDateTime({{{name}_{end}:UInt32}}, 'UTC')" for end in ("first", "last"))
    return f"h.hour >= {first} AND h.hour <= {last} AND h.hour NOT IN {{{name}_out:Array(DateTime('UTC'))}}"


def parts_of(store: Store, scope: Scope, interval: Interval, shift: timedelta = timedelta(0)) -> Parts:
    """Which hours and days of the window the rollups may answer."""
    window = scope.window
    first = -(-_seconds_up(window.start) // HOUR) * HOUR
    last = int(window.end.timestamp()) // HOUR * HOUR
    if last <= first or not _fits_hours(scope, interval, shift):
        return Parts()
    clean, changed, latency_days = _clean_hours(store, scope.project, first, last)
    if not clean:
        return Parts()
    dirty = [hour for hour in changed if clean[0] < hour < clean[-1]]
    days = _whole_days(clean, changed, first, last) if _fits_days(scope, interval, shift) else set()
    hours = [hour for hour in clean if hour - hour % DAY not in days] if days else clean
    return Parts(sorted(days), hours, clean, sorted(days & set(latency_days)), dirty)


def _clean_hours(store: Store, project: str, first: int, last: int) -> Hours:
    """The clean and the open hours of [first, last), and days with latency; see source_clean_hours.sql."""
    params = {"project": project, "first": first, "last": last}
    return _looked_up(store, "source_clean_hours", params, ("clean", "open", "latency_days"))


def once(key: tuple[Store, str, str], look: Callable[[], Any]) -> Any:
    """What `look` answers; within `one_look` it is asked once for a key."""
    seen = _seen.get()
    if seen is None:
        return look()
    if key not in seen:
        seen[key] = look()
    return seen[key]


def _looked_up(store: Store, file: str, params: Mapping[str, Any], columns: tuple[str, ...]) -> Hours:
    """Lists of instants that a statement gives in one row; within `one_look` it is asked once."""

    def look() -> Hours:
        rows = store.query(load_sql(SQL, file), params)
        return tuple(list(rows[0][name]) if rows else [] for name in columns)

    found: Hours = once((store, file, repr(params)), look)
    return found


def _whole_days(clean: Sequence[int], dirty: Sequence[int], first: int, last: int) -> set[int]:
    """Days that lie in [first, last) and hold no hour that changed since."""
    spoiled = {hour - hour % DAY for hour in dirty}
    days = {hour - hour % DAY for hour in clean} - spoiled
    return {day for day in days if day >= first and day + DAY <= last}


def _seconds_up(at: datetime) -> int:
    whole = int(at.timestamp())
    return whole + 1 if at.microsecond else whole


def _fits_hours(scope: Scope, interval: Interval, shift: timedelta) -> bool:
    """Whether every UTC hour lies within one bucket."""
    if interval == "total":
        return True
    if shift % timedelta(hours=1):
        return False
    return _offsets(scope) <= {0}


def _fits_days(scope: Scope, interval: Interval, shift: timedelta) -> bool:
    """Whether every UTC day lies within one bucket."""
    if interval in ("total", "hour"):
        return interval == "total"
    return scope.timezone == "UTC" and not shift % timedelta(days=1)


def _offsets(scope: Scope) -> set[int]:
    """Seconds past the hour of the zone's offsets in the window (no zone changes them for less than two months)."""
    zone = parse_timezone(scope.timezone)
    offsets = set()
    at = scope.window.start - timedelta(days=366)
    while at < scope.window.end + timedelta(days=366):
        offset = at.astimezone(zone).utcoffset() or timedelta(0)
        offsets.add(int(offset.total_seconds()) % HOUR)
        at += timedelta(days=30)
    return offsets
