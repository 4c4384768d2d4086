"""When a round over the budgets is due: at once after something changed, from time to time where only the clock moves.

A round reads months of history for each budget. Where no call was settled and no budget put since the last one, only
the passing of time can change its findings: projections drift and burn rates fade over hours, not minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from outlay_analytics.query.text import sql_instant
from outlay_collector.store import Store, load_sql

QUIET = timedelta(minutes=5)
WAITS = timedelta(hours=1)  # longer than what joins a group waits to be told with it


class Rounds:
    """Remembers what the last round saw."""

    def __init__(self) -> None:
        self._seen: Any = None
        self._at: datetime | None = None

    def due(self, store: Store, now: datetime) -> bool:
        """Whether a round is worth making now; the answer True counts as one made."""
        sql = load_sql("outlay_analytics.alerting.sql", "alerts_as_of")
        row = store.query(sql, {"since": sql_instant(now - WAITS)})[0]
        seen = (row["calls_at"], row["budgets_at"])
        if self._at is not None and seen == self._seen and not row["waiting"] and now - self._at < QUIET:
            return False
        self._seen, self._at = seen, now
        return True

    def forget(self) -> None:
        """The last round failed: the next one is due at once."""
        self._seen = self._at = None
