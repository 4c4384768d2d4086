"""A relation of the calls that name a prompt: clean hours from `prompt_hourly`, others as they are.

The rollup knows what its key has; by anything else calls are read. The columns are the same, and so are the sums.
"""

from __future__ import annotations

from typing import Any

from outlay_analytics.query.rolled_hours import Parts, calls_hours_sql, hours_sql, parts_of
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.questions.sql"
SHARED = "outlay_collector.store.sql"  # asked in the same words by the roll-up
OWN = {"prompt": "h.prompt", "prompt_version": "h.prompt_version"}
ROLLED = {"service", "environment", "feature", "team", "provider", "model", "model_tier", "operation", *OWN}


def prompt_source(store: Store, scope: Scope, params: dict[str, Any]) -> str:
    """The calls of a scope that name a prompt, as a relation of the columns of `prompt_hourly`."""
    params |= {"project": scope.project}
    known = filter_sql(scope, "rollup", params, OWN) if scope.filters.keys() <= ROLLED else None
    parts = Parts() if known is None else parts_of(store, scope, "total")
    filters = filter_sql(scope, "calls", params)
    assert filters is not None  # calls know every dimension
    calls = load_sql(SHARED, "prompt_calls", hours=calls_hours_sql(scope.window, parts, params), filters=filters)
    if known is None or not parts.latency:
        return f"({calls})"
    hours = hours_sql("clean", parts.latency, parts.open, params)
    rolled = load_sql(SQL, "prompt_source_hours", hours=hours, filters=known)
    return f"({rolled}\nUNION ALL\n{calls})"
