"""Traces: the newest ones with calls in them, and one in full, with what was counted and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.sorting import Sort, check_sort
from outlay_analytics.questions.call_rows import HOUR, NS
from outlay_analytics.questions.calls import (
    check_limit,
    id_window,
    nanoseconds,
    read_cursor,
    steps_back,
    write_cursor,
)
from outlay_analytics.questions.trace import get_trace
from outlay_collector.store import Store, load_sql

__all__ = ["get_trace", "list_traces"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Key = tuple[int, str]
SORT_VALUES = {
    "started_at": "t.started_ns",
    "cost_usd": "t.cost_usd",
    "duration_ms": "if(shapes.trace_id = '', t.ended_ns - t.started_ns, shapes.duration_ns)",
    "input_tokens": "toInt64(t.input_tokens)",
    "output_tokens": "toInt64(t.output_tokens)",
}


def list_traces(
    store: Store,
    scope: Scope,
    limit: int = 100,
    cursor: str | None = None,
    sort: str = "started_at",
    order: str = "desc",
) -> dict[str, Any]:
    """Traces with matching calls, those whose first such call is newest first, or in the order of a measure.

    Args:
        sort: `started_at`, `cost_usd`, `duration_ms`, `input_tokens` or `output_tokens`; what is unknown comes last.
        order: `asc` or `desc`.

    Returns:
        `traces` and `next_cursor`. A trace's `calls`, `errors`, `cost_usd`, tokens and `started_at` are of its matching
        calls; `duration_ms`, `spans`, `name` and `service` of the whole trace.

    Raises:
        BadRequest: For a limit out of range, an order there is none of, or a cursor that is none of this list's.
    """
    check_limit(limit)
    by = check_sort(sort, order)
    if not by.newest_first:
        return _sorted(store, scope, limit, cursor, by)
    after: Key | None = read_cursor(cursor, 2) if cursor else None
    keys = _keys(store, scope, limit + 1, after)
    page = keys[:limit]
    return {
        "traces": _summaries(store, scope, page),
        "next_cursor": write_cursor(page[-1]) if len(keys) > limit else None,
    }


def _sorted(store: Store, scope: Scope, limit: int, cursor: str | None, by: Sort) -> dict[str, Any]:
    place = by.place(cursor, (int, str)) if cursor else None
    window = id_window(store, scope)
    if window is None:
        return {"traces": [], "next_cursor": None}
    params: dict[str, Any] = {"project": scope.project, "limit": limit + 1}
    params |= {"start_ns": nanoseconds(window.start), "end_ns": nanoseconds(window.end)}
    filters = filter_sql(scope, "calls", params) or "1"
    durations = load_sql("outlay_analytics.questions.sql", "traces_durations", filters=filters)
    sql = load_sql(
        "outlay_analytics.questions.sql",
        "traces_sorted",
        value=SORT_VALUES[by.name],
        shapes=durations if by.name == "duration_ms" else "",
        filters=filters,
        after=by.after(place, ("started_ns", "trace_id"), ("Int64", "String"), params),
        direction=by.direction,
    )
    rows = store.query(sql, params)
    page: list[Key] = [(row["started_ns"], row["trace_id"]) for row in rows[:limit]]
    return {
        "traces": _summaries(store, scope, page),
        "next_cursor": by.cursor(rows[limit - 1]["sort_value"], page[-1]) if len(rows) > limit else None,
    }


def _keys(store: Store, scope: Scope, limit: int, after: Key | None) -> list[Key]:
    """The first (start, trace) after a key, walking back from the window's end in pieces that grow.

    A trace that also has a call before the piece belongs to a later one, so it is looked up and left out here.
    """
    window = id_window(store, scope)
    if window is None:
        return []
    params: dict[str, Any] = {"project": scope.project}
    filters = filter_sql(scope, "calls", params) or "1"
    start, end = nanoseconds(window.start), nanoseconds(window.end)
    if after is not None:
        end = min(end, after[0] + 1)
    earlier_sql = load_sql("outlay_analytics.questions.sql", "traces_earlier", filters=filters)
    found: list[Key] = []
    for low, high in steps_back(start, end):
        last = after
        while len(found) < limit:
            asked = limit - len(found) + 10
            bounds: dict[str, Any] = {"start_ns": low, "end_ns": high, "limit": asked}
            if last is not None:
                bounds |= {"cursor_ns": last[0], "cursor_trace": last[1]}
            condition = "(started_ns, trace_id) < ({cursor_ns:Int64}, {cursor_trace:String})" if last else "1"
            sql = load_sql("outlay_analytics.questions.sql", "traces_keys", filters=filters, after=condition)
            rows = [(row["started_ns"], row["trace_id"]) for row in store.query(sql, {**params, **bounds})]
            if not rows:
                break
            last = rows[-1]
            earlier: set[str] = set()
            if low > start:
                bounds = {"traces": [key[1] for key in rows], "from_ns": start, "start_ns": low}
                earlier = {row["trace_id"] for row in store.query(earlier_sql, {**params, **bounds})}
            found += [key for key in rows if key[1] not in earlier]
            if len(rows) < asked:
                break
        if len(found) >= limit:
            break
    return found[:limit]


def _summaries(store: Store, scope: Scope, keys: Sequence[Key]) -> list[dict[str, Any]]:
    if not keys:
        return []
    traces = [key[1] for key in keys]
    narrowed = id_window(store, replace(scope, filters={"trace_id": tuple(traces)})) or scope.window
    params: dict[str, Any] = {"project": scope.project}
    filters = filter_sql(scope, "calls", params) or "1"
    start, end = nanoseconds(narrowed.start), nanoseconds(narrowed.end)
    bounds = {"traces": traces, "start_ns": start, "end_ns": end}
    sql = load_sql("outlay_analytics.questions.sql", "traces_totals", filters=filters)
    totals = {row["trace_id"]: row for row in store.query(sql, {**params, **bounds})}
    hours = store.query(load_sql("outlay_analytics.questions.sql", "calls_trace_hours"), {**params, "traces": traces})[
        0
    ]
    shapes = {}
    if hours["found"]:
        bounds = {"traces": traces, "from": hours["first"], "until": hours["last"] + HOUR}
        rows = store.query(load_sql("outlay_analytics.questions.sql", "traces_shapes"), {**params, **bounds})
        shapes = {row["trace_id"]: row for row in rows}
    out = []
    for started_ns, trace_id in keys:
        total, shape = totals.get(trace_id), shapes.get(trace_id)
        if total is None:
            continue
        name, service, feature = total["first"]
        first, last = started_ns, total["ended_ns"]
        if shape is not None:
            (name, service), first, last = shape["root"], shape["started_ns"], shape["ended_ns"]
        out.append(
            {
                "trace_id": trace_id,
                "started_at": at_nanoseconds(started_ns),
                "duration_ms": (last - first) / 1e6,
                "name": name or None,
                "service": service or None,
                "feature": feature or None,
                "spans": shape["spans"] if shape else None,
                "calls": total["calls"],
                "errors": total["errors"],
                "input_tokens": total["input_tokens"],
                "output_tokens": total["output_tokens"],
                "cost_usd": Decimal(total["cost_usd"]) if total["priced_calls"] else None,
                "priced_ratio": total["priced_calls"] / total["calls"],
            }
        )
    return out


def at_nanoseconds(unix_ns: int) -> datetime:
    """An instant from Unix nanoseconds, to the microsecond."""
    return EPOCH.fromtimestamp(unix_ns // NS, UTC).replace(microsecond=unix_ns % NS // 1000)
