"""The attempts of cascades as a relation, for the questions about cascades."""

from __future__ import annotations

from typing import Any

from outlay_collector.store import load_sql

from outlay_analytics.spend_source import instant_text
from outlay_analytics.window import Interval, Scope, bucket_sql, filter_sql

MAX_ROWS = 20_000


def attempts_sql(scope: Scope, step: Interval = "total", name: str = "") -> tuple[str, dict[str, Any]]:
    """The relation of cascade_attempts.sql over a scope, of one cascade or of all, and its parameters."""
    params: dict[str, Any] = {"project": scope.project, "timezone": scope.timezone, "name": name, "max_rows": MAX_ROWS}
    params |= {"start": instant_text(scope.window.start), "end": instant_text(scope.window.end)}
    filters = filter_sql(scope, "calls", params) or "1"
    time = bucket_sql(step, "run_started")
    return load_sql("outlay_analytics.sql", "cascade_attempts", time=time, filters=filters), params
