"""The calls themselves, all of a window: hour by hour, in each hour by trace and span."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outlay_analytics.export.rows import Export, Kind, columns
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_analytics.questions.call_rows import HOUR, NS, read_calls
from outlay_collector.store import Store, load_sql

AT_ONCE = 2000
COLUMNS: dict[str, Kind] = {
    **columns("call_id trace_id span_id parent_span_id", "text"),
    "started_at": "instant",
    **columns("duration_ms time_to_first_token_ms", "number"),
    **columns(
        "service environment feature team customer user session task prompt prompt_version provider request_model "
        "response_model response_id service_tier region operation",
        "text",
    ),
    **columns(
        "input_tokens cache_read_tokens cache_write_tokens cache_write_1h_tokens output_tokens reasoning_tokens",
        "count",
    ),
    **columns("cost_usd list_cost_usd uncached_cost_usd", "decimal"),
    "cost_lines": "json",
    "reported_cost_usd": "decimal",
    **columns("cost_state price_version matched_model match_kind", "text"),
    "streamed": "yes_no",
    "attempt": "count",
    **columns("status error_type dialect", "text"),
    **columns("tags cascade cache experiment scores", "json"),
}


def exported_calls(store: Store, scope: Scope) -> Export:
    """Every call of a scope with the interface's names."""
    params: dict[str, Any] = {"project": scope.project, "limit": AT_ONCE}
    params |= {"start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
    sql = load_sql("outlay_analytics.export.sql", "calls_after", filters=filter_sql(scope, "calls", params) or "1")
    count = load_sql("outlay_analytics.export.sql", "calls_count", filters=filter_sql(scope, "calls", params) or "1")
    counted = store.query(count, params)[0]

    def rows() -> Iterator[dict[str, Any]]:
        after: dict[str, Any] = {
            "after_hour": int(scope.window.start.timestamp()) // HOUR * HOUR,
            "after_trace": "",
            "after_span": "",
            "after_n": 0,
        }
        while True:
            found = store.query(sql, {**params, **after})
            keys = [(row["started_ns"], row["trace_id"], row["span_id"], row["n"]) for row in found]
            yield from read_calls(store, scope.project, keys)
            if len(keys) < AT_ONCE:
                return
            last = keys[-1]
            after = {"after_hour": last[0] // NS // HOUR * HOUR, "after_trace": last[1]}
            after |= {"after_span": last[2], "after_n": last[3]}

    return Export("calls", COLUMNS, rows(), counted["calls"], counted["priced_calls"])
