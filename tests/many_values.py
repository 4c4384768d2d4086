"""Worlds with very many distinct values: one call each, made by ClickHouse, for tests and benchmarks."""

from __future__ import annotations

from datetime import datetime, timedelta

from outlay_collector.store import Store

DIMENSIONS = (
    "feature", "team", "customer", "user", "session", "environment", "service", "provider", "model", "request_model",
    "service_tier", "operation", "task", "prompt", "prompt_version", "cascade", "route_tier", "experiment", "arm",
    "dialect", "tag.plan",
)  # fmt: skip
COLUMNS = {"cascade": "cascade_name"}
FILL = """
INSERT INTO calls ({column}project, trace_id, span_id, n, started_at, duration_ns, name, input_tokens,
    cache_read_tokens, output_tokens, cost_usd, list_cost_usd, uncached_cost_usd, cost_lines, cost_state, attempt,
    status, version, is_deleted)
SELECT {value}{{project:String}}, lower(hex(sipHash128(number))), lower(hex(sipHash64(number))), 0,
    addSeconds({{start:DateTime64(3, 'UTC')}}, number * 7919 % {{seconds:UInt64}}),
    toUInt64(1000000 * (1 + number % 5000)), 'chat', 1000 + number % 97, number % 500, 50 + number % 31,
    toDecimal128(number % 1000 + 1, 12) / 1000000 AS usd, usd, usd, map('input', usd), 'computed', 1,
    if(number % 50 = 0, 'error', 'ok'), 1, 0
FROM numbers({{count:UInt64}})
"""
DIRTY_HOURS = "INSERT INTO dirty_hours SELECT DISTINCT project, toStartOfHour(started_at), now64(3) FROM calls"


def fill(store: Store, dimension: str, count: int, now: datetime, *, days: int = 29, project: str = "default") -> None:
    """Put `count` calls of as many values of a dimension into the days before `now`."""
    if dimension.startswith("tag."):
        column, value = "tags, ", f"map('{dimension[4:]}', concat('value-', toString(number))), "
    else:
        column, value = f"{COLUMNS.get(dimension, dimension)}, ", "concat('value-', toString(number)), "
    start = now - timedelta(days=days)
    writer = store.writer()
    params = {"project": project, "start": start, "seconds": days * 86400, "count": count}
    writer.run(FILL.format(column=column, value=value), params)
    writer.run(DIRTY_HOURS)
    writer.close()
