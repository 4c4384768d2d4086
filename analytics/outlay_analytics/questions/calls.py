"""The calls themselves: one billable request each, or one answer from the application's cache; in any order.

Pages are cut by key, not by offset, so that calls arriving meanwhile neither repeat nor hide a row.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.scope import ID_FILTERS, Scope, filter_sql
from outlay_analytics.query.sorting import Sort, check_sort
from outlay_analytics.query.window import Window
from outlay_analytics.questions.call_rows import HOUR, NS, Key, key_of, read_calls
from outlay_collector.store import Store, load_sql

MAX_LIMIT = 1000
FIRST_STEP_H = 2
STEP_GROWTH = 6
KEY_NAMES = ("started_ns", "trace_id", "span_id", "n")
KEY_KINDS = ("Int64", "String", "String", "UInt16")
SORT_VALUES = {
    "started_at": "toUnixTimestamp64Nano(c.started_at)",
    "cost_usd": "c.cost_usd",
    "duration_ms": "toInt64(c.duration_ns)",
    "input_tokens": "toInt64(c.input_tokens)",
    "output_tokens": "toInt64(c.output_tokens)",
}


def list_calls(
    store: Store,
    scope: Scope,
    limit: int = 100,
    cursor: str | None = None,
    trace_id: str | None = None,
    call_id: str | None = None,
    response_id: str | None = None,
    sort: str = "started_at",
    order: str = "desc",
) -> dict[str, Any]:
    """Calls of a scope, newest first, or in the order of a measure.

    Args:
        store: The store.
        scope: Window, filters, project.
        limit: 1 to 1000.
        cursor: `next_cursor` of the page before.
        trace_id: Only the calls of this trace; likewise `call_id` and `response_id`.
        sort: `started_at`, `cost_usd`, `duration_ms`, `input_tokens` or `output_tokens`; what is unknown comes last.
        order: `asc` or `desc`.

    Returns:
        `calls`, with the interface's fields, and `next_cursor`, None on the last page.

    Raises:
        BadRequest: For a limit out of range, an order there is none of, or a cursor that is none of this list's.
    """
    check_limit(limit)
    scope = _with_ids(scope, trace_id, call_id, response_id)
    by = check_sort(sort, order)
    if not by.newest_first:
        return _sorted(store, scope, limit, cursor, by)
    after = read_cursor(cursor, 4) if cursor else None
    versions = _keys(store, scope, limit + 1, after)
    keys = list(versions)
    page = keys[:limit]
    return {
        "calls": read_calls(store, scope.project, page, {key: versions[key] for key in page}),
        "next_cursor": write_cursor(page[-1]) if len(keys) > limit else None,
    }


def _sorted(store: Store, scope: Scope, limit: int, cursor: str | None, by: Sort) -> dict[str, Any]:
    """A page of the calls in the order of a measure: every call of the window is looked at, few columns of each."""
    place = by.place(cursor, (int, str, str, int)) if cursor else None
    window = id_window(store, scope)
    if window is None:
        return {"calls": [], "next_cursor": None}
    params: dict[str, Any] = {"project": scope.project, "limit": limit + 1}
    params |= {"start_ns": nanoseconds(window.start), "end_ns": nanoseconds(window.end)}
    sql = load_sql(
        "outlay_analytics.questions.sql",
        "calls_sorted",
        value=SORT_VALUES[by.name],
        filters=filter_sql(scope, "calls", params) or "1",
        after=by.after(place, KEY_NAMES, KEY_KINDS, params),
        direction=by.direction,
    )
    rows = store.query(sql, params)
    keys = [key_of(row) for row in rows[:limit]]
    return {
        "calls": read_calls(store, scope.project, keys),
        "next_cursor": by.cursor(rows[limit - 1]["sort_value"], keys[-1]) if len(rows) > limit else None,
    }


def check_limit(limit: int) -> None:
    """Refuse a page size out of range.

    Raises:
        BadRequest: Below 1 or above 1000.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"limit must be 1 to {MAX_LIMIT}, not {limit}")


def write_cursor(key: Sequence[int | str]) -> str:
    """A place in a list as a short opaque text."""
    return base64.urlsafe_b64encode(json.dumps(list(key), separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str, length: int) -> tuple[Any, ...]:
    """The place that a cursor stands for: an instant in Unix nanoseconds, then texts, then any counts.

    Raises:
        BadRequest: If it is no cursor of this list.
    """
    wrong = BadRequest(f"cursor {cursor[:SHOWN]!r} is not one that this list gave")
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as exc:
        raise wrong from exc
    kinds = (int, str, str, int)[:length]
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise wrong
    if not -(2**62) < key[0] < 2**62 or (length > 3 and not 0 <= key[3] < 2**16):
        raise wrong
    return tuple(key)


def id_window(store: Store, scope: Scope) -> Window | None:
    """The scope's window narrowed to the hours that its ids lie in; None when no such call can be there.

    An id the small tables do not know leaves the window as it is: the indexes of `calls` still bound the look-up.
    """
    traces = set(scope.filters.get("trace_id", ()))
    traces |= {call_id.partition(":")[0] for call_id in scope.filters.get("call_id", ())}
    responses = set(scope.filters.get("response_id", ()))
    window: Window | None = scope.window
    for file, name, ids in (
        ("calls_trace_hours", "traces", traces),
        ("calls_response_hours", "responses", responses),
    ):
        if not ids or window is None:
            continue
        row = store.query(
            load_sql("outlay_analytics.questions.sql", file), {"project": scope.project, name: sorted(ids)}
        )[0]
        if row["found"] == len(ids):
            first, last = (datetime.fromtimestamp(row[end], UTC) for end in ("first", "last"))
            start, end = max(window.start, first), min(window.end, last + timedelta(hours=1))
            window = Window(start, end) if start < end else None
    return window


def _with_ids(scope: Scope, trace_id: str | None, call_id: str | None, response_id: str | None) -> Scope:
    given = {"trace_id": trace_id, "call_id": call_id, "response_id": response_id}
    ids = {name: (value,) for name, value in given.items() if value is not None}
    filters = {**scope.filters, **ids}
    for name in ("trace_id", "call_id"):
        if name in filters:
            filters[name] = tuple(value.lower() for value in filters[name])
    return replace(scope, filters=filters)


def _keys(store: Store, scope: Scope, limit: int, after: Key | None) -> dict[Key, int]:
    """The first keys of the scope after a key, in order, and the version of each.

    Back from the end in growing steps, so that a page reads little.
    """
    window = id_window(store, scope)
    if window is None:
        return {}
    params: dict[str, Any] = {"project": scope.project}
    filters = filter_sql(scope, "calls", params)
    start, end = nanoseconds(window.start), nanoseconds(window.end)
    condition = "1"
    if after is not None:
        end = min(end, after[0] + 1)
        condition = (
            "(started_ns, c.trace_id, c.span_id, c.n) < "
            "({cursor_ns:Int64}, {cursor_trace:String}, {cursor_span:String}, {cursor_n:UInt16})"
        )
        names = ("cursor_ns", "cursor_trace", "cursor_span", "cursor_n")
        params |= dict(zip(names, after, strict=True))
    sql = load_sql("outlay_analytics.questions.sql", "calls_keys", filters=filters or "1", after=condition)
    found: dict[Key, int] = {}
    by_id = any(name in scope.filters for name in ID_FILTERS)
    for low, high in [(start, end)] if by_id else steps_back(start, end):
        rows = store.query(sql, {**params, "start_ns": low, "end_ns": high, "limit": limit - len(found)})
        found |= {key_of(row): row["version"] for row in rows}
        if len(found) >= limit:
            break
    return found


def steps_back(start: int, end: int) -> Iterator[tuple[int, int]]:
    """[start, end) in pieces, the latest first, each longer than the one before."""
    length = FIRST_STEP_H * HOUR * NS
    while end > start:
        low = max(start, end - length)
        yield low, end
        end, length = low, length * STEP_GROWTH


def nanoseconds(at: datetime) -> int:
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since // timedelta(microseconds=1)) * 1000
