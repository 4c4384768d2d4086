"""Whether an answer about some hours still holds: a value that changes when calls of these hours do."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime

from outlay_collector.store import Store, load_sql


def hours_changed(store: Store, project: str, start: datetime, end: datetime) -> tuple[Hashable, ...]:
    """How many hours of [start, end) were ever written, and when one last changed, by cell."""
    params = {"project": project, "first": int(start.timestamp()), "last": int(end.timestamp())}
    row = store.query(load_sql("outlay_analytics.query.sql", "hours_changed"), params)[0]
    return row["hours"], tuple(row["changed_at"])
