"""The attempts of cascades as a relation, for the questions about cascades."""

from __future__ import annotations

from typing import Any

from outlay_analytics.spend_source import instant_text
from outlay_analytics.window import Interval, Scope, bucket_sql, filter_sql
from outlay_collector.store import load_sql

MAX_ROWS = 20_000

TRACE_AND_SPANS = (
    "(any(c.trace_id), arrayDistinct(arrayConcat(groupUniqArray(50)(c.span_id), groupUniqArray(50)(c.parent_span_id))))"
)


def base_params(scope: Scope, name: str = "") -> tuple[str, dict[str, Any]]:
    """The filters on `c` and the parameters that every question about cascades has in common."""
    params: dict[str, Any] = {"project": scope.project, "timezone": scope.timezone, "name": name, "max_rows": MAX_ROWS}
    params |= {"start": instant_text(scope.window.start), "end": instant_text(scope.window.end)}
    return filter_sql(scope, "calls", params) or "1", params


def attempts_sql(filters: str, step: Interval = "total", *, scored: bool = False) -> str:
    """The relation of cascade_attempts.sql.

    Args:
        filters: Conditions on `c`, as from `base_params`.
        step: What `time` is the start of.
        scored: Whether `own` holds trace and spans, to join scores to; otherwise it is 0.
    """
    return load_sql(
        "outlay_analytics.sql",
        "cascade_attempts",
        time=bucket_sql(step, "run_started"),
        filters=filters,
        own=TRACE_AND_SPANS if scored else "0",
    )
