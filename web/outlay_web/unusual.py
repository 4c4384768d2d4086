"""Anomalies for the API, the pages and the alerts: looked for once per closed hour, remembered for every window."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay.errors import StoreError
from outlay_analytics import anomalies
from outlay_analytics.anomalies import Finder
from outlay_analytics.window import Scope, Window
from outlay_collector.store import Store
from outlay_web.context import Context
from outlay_web.recall import Recall

WAIT_S = 25.0


def find_anomalies(
    ctx: Context,
    scope: Scope,
    *,
    now: datetime | None = None,
    floor_usd: Decimal = anomalies.FLOOR_USD,
    wait_s: float = WAIT_S,
    old: bool = False,
) -> dict[str, Any] | None:
    """As `anomalies.find`, from memory while no hour that it reads has changed.

    Returns None when the first answer takes longer than `wait_s`; with `old` an earlier one is given meanwhile.
    """
    recall: Recall = ctx.shared.setdefault("recall", Recall())
    seen = anomalies.sight(scope, now or ctx.now())
    start, end = seen.window.start, seen.window.end
    if start >= end:
        return {"anomalies": [], "notes": []}
    floor = min(floor_usd, anomalies.FLOOR_USD)
    length = end - start
    key = (scope.project, tuple(sorted(scope.filters.items())), floor, length, None if end >= _closed(ctx) else end)
    found = recall.get(
        ("anomalies", *key),
        anomalies.as_of(ctx.store, seen),
        lambda: anomalies.find(ctx.store, replace(seen, window=Window(start, end)), floor_usd=floor),
        wait_s,
        old=old,
    )
    if found is None:
        return None
    shown = [
        one
        for one in found["anomalies"]
        if one["impact_usd"] >= floor_usd
        and one["ended_at"] > scope.window.start
        and one["started_at"] < scope.window.end
    ]
    return {**found, "anomalies": shown}


def finder(ctx: Context, wait_s: float = WAIT_S) -> Finder:
    """`find_anomalies` in the form of `anomalies.find`, for alerts and reports.

    The function raises StoreError when the answer takes longer than `wait_s`.
    """

    def find(store: Store, scope: Scope, *, now: datetime, floor_usd: Decimal = anomalies.FLOOR_USD) -> dict[str, Any]:
        found = find_anomalies(ctx, scope, now=now, floor_usd=floor_usd, wait_s=wait_s)
        if found is None:
            raise StoreError("anomalies take too long to find", retryable=True)
        return found

    return find


def _closed(ctx: Context) -> datetime:
    """The end of the last whole hour."""
    return ctx.now().replace(minute=0, second=0, microsecond=0)
