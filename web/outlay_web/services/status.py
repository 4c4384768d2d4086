"""What the server says about itself: the ledger that must add up, what waits, and all-time totals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from outlay_analytics.query.window import EVERYTHING, Scope
from outlay_analytics.questions import spend
from outlay_collector.prices.lists import catalogue_warning
from outlay_collector.store import load_sql
from outlay_collector.store.locks import holding
from outlay_web.http.context import Context
from outlay_web.services.cache import Recall

SQL = "outlay_web.services.sql"
TOTALS_S = 30.0
METRIC_GROUPS = 500


def status(ctx: Context) -> dict[str, Any]:
    """`/api/v1/status`: received = stored + rejected + quarantined + duplicate + pending, counted in spans, exactly."""
    found: dict[str, Any] = {"version": ctx.version, "ready": ctx.ready, **ctx.ledger()}
    found["lag_seconds"] = round(ctx.spool.lag_s, 3) if ctx.spool is not None else None
    found["unsettled_traces"] = ctx.store.query(load_sql(SQL, "waiting"))[0]["unsettled_traces"]
    found["broken_parts"] = broken_parts(ctx)
    found["calls"] = sum(_total(ctx, project)["calls"] for project in projects(ctx))
    found["price_version"] = ctx.prices.version or None
    found["catalogue_warning"] = catalogue_warning(ctx.store, ctx.now())
    found["jobs"] = jobs(ctx)
    return found


def jobs(ctx: Context) -> list[dict[str, Any]]:
    """Background jobs, and answers that are found in the background, with their failures."""
    recall: Recall | None = ctx.shared.get("recall")
    return [*ctx.jobs(), *(recall.jobs() if recall is not None else ())]


def broken_parts(ctx: Context) -> int:
    """Parts of tables that ClickHouse set aside as broken: their rows are in no figure."""
    return int(ctx.store.query(load_sql(SQL, "broken"))[0]["broken_parts"])


def projects(ctx: Context) -> list[str]:
    """Projects that have calls."""
    return [row["project"] for row in ctx.store.query(load_sql(SQL, "projects"))]


def spend_by_model(ctx: Context) -> Iterable[tuple[dict[str, str], dict[str, Any]]]:
    """All-time measures by project, provider, model and team, at most half a minute old: for /metrics.

    However many there are, at most about 500 groups have series of their own; the others of a project are one, with the
    label `remainder`.
    """
    cached: Kept = ctx.shared.setdefault("spend_by_model", Kept(TOTALS_S))
    found: Iterable[tuple[dict[str, str], dict[str, Any]]] = cached.get(lambda: list(_by_model(ctx)))
    return found


class Kept:
    """A value that is expensive to make, kept for a while."""

    def __init__(self, for_s: float) -> None:
        self._for_s = for_s
        self._made_at = float("-inf")
        self._value: Any = None
        self._lock = threading.Lock()

    def get(self, make: Callable[[], Any]) -> Any:
        with holding(self._lock):
            if time.monotonic() - self._made_at > self._for_s:
                self._value = make()
                self._made_at = time.monotonic()
            return self._value


def _total(ctx: Context, project: str) -> dict[str, Any]:
    total: dict[str, Any] = spend.spend(ctx.store, Scope(EVERYTHING, project=project))["total"]
    return total


def _by_model(ctx: Context) -> Iterable[tuple[dict[str, str], dict[str, Any]]]:
    by = ("provider", "model", "team")
    known = projects(ctx)
    most = max(1, METRIC_GROUPS // max(len(known), 1))
    for project in known:
        scope = Scope(EVERYTHING, project=project)
        found = spend.spend(ctx.store, scope, by, limit=most, percentiles=False, rank="calls")
        for row in found["rows"]:
            ratio = row["priced_ratio"]
            priced = 0 if ratio is None else round(ratio * row["calls"])
            labels = {"project": project, **{name: str(row[name] or "") for name in by}}
            if row.get("remainder"):
                labels["remainder"] = "true"
            yield labels, {**row, "priced_calls": priced}
