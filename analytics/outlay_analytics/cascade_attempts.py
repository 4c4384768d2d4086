"""The attempts of cascades as a relation, for the questions about cascades."""

from __future__ import annotations

from typing import Any

from outlay_analytics.spend_source import instant_text
from outlay_analytics.window import Interval, Scope, bucket_sql, filter_sql
from outlay_collector.store import load_sql

MAX_ROWS = 20_000


LINES = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
SPANS = "arrayDistinct(arrayConcat(groupUniqArray(50)(c.span_id), groupUniqArray(50)(c.parent_span_id)))"


def attempts_sql(
    scope: Scope, step: Interval = "total", name: str = "", *, scored: bool = False
) -> tuple[str, dict[str, Any]]:
    """The relation of cascade_attempts.sql over a scope, and its parameters.

    Args:
        scope: Window, filters, project.
        step: What `time` is the start of.
        name: One cascade, or all.
        scored: Whether `trace` and `spans` are filled, to join scores to; otherwise `lines` are.
    """
    params: dict[str, Any] = {"project": scope.project, "timezone": scope.timezone, "name": name, "max_rows": MAX_ROWS}
    params |= {"start": instant_text(scope.window.start), "end": instant_text(scope.window.end)}
    lines = ", ".join(
        f"sum(c.cost_lines['{line}']" + (" + c.cost_lines['reasoning'])" if line == "output" else ")") for line in LINES
    )
    sql = load_sql(
        "outlay_analytics.sql",
        "cascade_attempts",
        time=bucket_sql(step, "run_started"),
        filters=filter_sql(scope, "calls", params) or "1",
        lines="0" if scored else f"({lines})",
        trace="any(c.trace_id)" if scored else "''",
        spans=SPANS if scored else "0",
    )
    return sql, params
