"""The attempts of cascades as relations: from rollups where those answer, else from calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from outlay_analytics.query.rolled_hours import DAY, HOUR, Parts, calls_hours_sql, hours_sql, parts_of
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Interval, bucket_sql
from outlay_collector.store import Store, load_sql

SQL = "outlay_collector.store.sql"
MAX_ROWS = 20_000
ROLLED = {"cascade", "service", "environment", "feature", "team"}
BITS = {"service": 1, "environment": 2, "feature": 4, "team": 8}  # of `differs`, in cascade_hourly
ONE_WHOLE = {"keys": "", "sets": ""}  # fragments of relations that are not kept apart by anything further
WINDOW = """c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')"""
NO_HOUR = "toDateTime(0, 'UTC')"
TRACE_AND_SPANS = ", (any(c.trace_id), groupUniqArray(50)(c.span_id), groupUniqArray(50)(c.parent_span_id)) AS own"


def base_params(scope: Scope, name: str = "") -> tuple[str, dict[str, Any]]:
    """The filters on `c` and the parameters that every question about cascades has in common."""
    params: dict[str, Any] = {"project": scope.project, "timezone": scope.timezone, "name": name, "max_rows": MAX_ROWS}
    params |= {"start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
    return filter_sql(scope, "calls", params) or "1", params


def scored_attempts_sql(filters: str) -> str:
    """The relation of cascade_attempts.sql of cascade {name:String}; `own` holds the trace, the calls'
    spans and those right above them, to join scores to.

    Args:
        filters: Conditions on `c`, as from `base_params`.
    """
    parts = load_sql(
        SQL,
        "cascade_parts",
        hour=NO_HOUR,
        hours=WINDOW,
        filters=f"c.cascade_name = {{name:String}} AND {filters}",
        own=TRACE_AND_SPANS,
        **ONE_WHOLE,
    )
    return load_sql(SQL, "cascade_attempts", time=NO_HOUR, parts=parts)


@dataclass(frozen=True)
class Rolled:
    """What the rollups of cascades answer of a scope.

    Attributes:
        hours: How its window is read.
        sums: The condition on `h`, cascade_hourly or cascade_confidences: hours, filters, and which sums.
        sums_of_hours: The same of cascade_confidences, for the hours that are no part of whole clean days.
        sums_of_days: The same of cascade_confidence_days, for these days.
        parts: The runs that are in none of these sums: relations of cascade_parts.sql.
    """

    hours: Parts
    sums: str
    sums_of_hours: str
    sums_of_days: str
    parts: str


def rolled(store: Store, scope: Scope, step: Interval, params: dict[str, Any]) -> Rolled:
    """What the rollups of cascades answer of a scope; values of the conditions go into `params`.

    A filter parts runs, whose sums are then of their own. By what the rollups keep apart they answer it: of a run whose
    calls differ in it they have the sums of each value; where a filter names several such values, its parts are put
    together. Any other filter is read from calls.
    """
    filters = filter_sql(scope, "rollup", {}) if scope.filters.keys() <= ROLLED else None
    hours = Parts() if filters is None else _believed(store, scope, parts_of(store, scope, step))
    if not hours.latency:
        return Rolled(hours, "0", "0", "0", _stored("cascade_parts", "0"))
    bits = {name: BITS.get(name, 0) for name in scope.filters}
    params["named"] = sum(bits.values())
    params["several"] = sum(bit for name, bit in bits.items() if len(set(scope.filters[name])) > 1)
    clean = hours_sql("clean", hours.latency, hours.open, params)
    sums = "h.narrowed = bitAnd(h.differs, {named:UInt8}) AND bitAnd(h.differs, {several:UInt8}) = 0"
    sums = f"({filters}) AND {sums}"
    of_hours, of_days = (
        f"{hours_sql(name, some, None, params)} AND {sums}" if some else "0"
        for name, some in (("hours", hours.hours), ("days", hours.days))
    )
    parts = _stored("cascade_parts", f"{clean} AND ({filters})")
    if params["several"]:
        mixed = _stored("cascade_mixed", f"bitAnd(h.differs, {{several:UInt8}}) != 0 AND {clean} AND ({filters})")
        parts = f"{parts}\nUNION ALL\n{mixed}"
    return Rolled(hours, f"{sums} AND {clean}", of_hours, of_days, parts)


def _stored(table: str, condition: str) -> str:
    return load_sql("outlay_analytics.questions.sql", "cascade_source_parts", table=table, stored=condition)


def sums_sql(store: Store, scope: Scope, step: Interval) -> tuple[str, dict[str, Any]]:
    """Relations of cascade_sums.sql of every cascade of a scope, and their parameters."""
    filters, params = base_params(scope)
    known = rolled(store, scope, step, params)
    hours = calls_hours_sql(scope.window, known.hours, params)
    attempts = load_sql(SQL, "cascade_parts", hour=NO_HOUR, hours=hours, filters=filters, own="", **ONE_WHOLE)
    if not known.hours.latency:
        return _sums(attempts, step), params
    merged = load_sql(SQL, "cascade_merged", parts=f"{attempts}\nUNION ALL\n{known.parts}", own="")
    time = bucket_sql(step, "h.hour")
    whole = load_sql("outlay_analytics.questions.sql", "cascade_source_hours", time=time, stored=known.sums)
    return f"{_sums(merged, step)}\nUNION ALL\n{whole}", params


def _sums(parts: str, step: Interval) -> str:
    own = f"SELECT *, 0 AS own FROM ({parts})"
    attempts = load_sql(SQL, "cascade_attempts", time=bucket_sql(step, "run_started"), parts=own)
    return load_sql(SQL, "cascade_sums", attempts=attempts, **ONE_WHOLE)


def _believed(store: Store, scope: Scope, parts: Parts) -> Parts:
    """`parts` without the clean hours that took a run for their own which an open hour continues."""
    if not parts.latency:
        return parts
    params: dict[str, Any] = {"project": scope.project, "first": parts.latency[0], "last": parts.latency[-1] + HOUR}
    hours = calls_hours_sql(scope.window, parts, params)
    rows = store.query(load_sql("outlay_analytics.questions.sql", "cascade_source_spoiled", hours=hours), params)
    spoiled = {row["unix"] for row in rows}
    clean = [hour for hour in parts.latency if hour not in spoiled]
    inside = [hour for hour in {*parts.open, *spoiled} if clean and clean[0] < hour < clean[-1]]
    days = set(parts.days) - {hour - hour % DAY for hour in spoiled}
    others = [hour for hour in clean if hour - hour % DAY not in days]
    return replace(parts, days=sorted(days), hours=others, latency=clean, open=sorted(inside))
