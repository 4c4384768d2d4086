"""Anomalies for the API, the pages and the alerts: looked for once per closed hour, remembered for every window."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay.errors import OutlayError, StoreError
from outlay_analytics.anomalies import incidents
from outlay_analytics.anomalies.incidents import Finder
from outlay_analytics.incidents.record import merged
from outlay_analytics.incidents.repository import read_incidents
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_collector.store import Store
from outlay_web.cache import Failure, Renewal
from outlay_web.http.context import Context

WAIT_S = 25.0
WHERE = frozenset(("feature", "model"))  # what an incident's scope names


class NotFound(OutlayError):
    """The search for anomalies failed, and no earlier answer is known.

    Attributes:
        retry_s: Seconds until somebody who asks starts another one.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"anomalies could not be looked for ({failure.kind}); {_again(failure)}")
        self.retry_s = math.ceil(failure.retry_s)


def _again(failure: Failure) -> str:
    minutes = math.ceil(failure.retry_s / 60)
    soon = f"in {minutes} minutes" if minutes > 1 else "within a minute"
    return f"the server's log says more, and it is tried again {soon}"


@dataclass(frozen=True)
class Looked:
    """What a search for anomalies found in a window.

    Attributes:
        anomalies: As in `incidents.find`.
        notes: What could not be judged, and why.
        judged: Whether any hour of the window had enough past to be judged.
        renewal: What becomes of it, if hours have changed since; None if none has.
    """

    anomalies: list[dict[str, Any]]
    notes: list[str]
    judged: bool
    renewal: Renewal | None = None


def find_anomalies(
    ctx: Context,
    scope: Scope,
    *,
    now: datetime | None = None,
    floor_usd: Decimal = incidents.FLOOR_USD,
    wait_s: float = WAIT_S,
    old: bool = False,
) -> dict[str, Any] | None:
    """`look` as the API's answer: `anomalies` and `notes`."""
    found = look(ctx, scope, now=now, floor_usd=floor_usd, wait_s=wait_s, old=old)
    return None if found is None else {"anomalies": found.anomalies, "notes": found.notes}


def look(
    ctx: Context,
    scope: Scope,
    *,
    now: datetime | None = None,
    floor_usd: Decimal = incidents.FLOOR_USD,
    wait_s: float = WAIT_S,
    old: bool = False,
) -> Looked | None:
    """As `incidents.find`, from memory while no hour that it reads has changed.

    Returns None when the first answer takes longer than `wait_s`; with `old` an earlier one is given meanwhile. An
    earlier one that could not be renewed says so in its notes.

    Raises:
        NotFound: If the search failed and there is no earlier answer.
    """
    seen = replace(incidents.lookback(scope, now or ctx.now()), holidays=ctx.holidays)
    start, end = seen.window.start, seen.window.end
    if start >= end:
        return Looked([], [], judged=False)
    floor = min(floor_usd, incidents.FLOOR_USD)
    length = end - start
    key = (
        "anomalies",
        scope.project,
        tuple(sorted(scope.filters.items())),
        floor,
        length,
        None if end >= _closed(ctx) else end,
    )
    version = incidents.as_of(ctx.store, seen)
    found = ctx.cache.get(
        key,
        version,
        lambda: incidents.find(ctx.store, replace(seen, window=Window(start, end)), floor_usd=floor),
        wait_s,
        old=old,
    )
    failure = ctx.cache.failure(key)
    if found is None:
        if failure is None:
            return None
        raise NotFound(failure)
    notes = list(found["notes"])
    judged_from: datetime | None = found["judged_from"]
    if judged_from is not None and scope.window.start < judged_from:
        notes.append(f"hours before {judged_from:%-d %B %H:%M} UTC have too little past to be judged")
    if failure is not None:
        notes.append(f"the newest hours could not be looked through ({failure.kind}); {_again(failure)}")
    shown = [
        one
        for one in found["anomalies"]
        if one["impact_usd"] >= floor_usd
        and one["ended_at"] > scope.window.start
        and one["started_at"] < scope.window.end
    ]
    judged = judged_from is not None and judged_from < end
    return Looked(_known(ctx.store, scope, shown), notes, judged, ctx.cache.renewal(key, version))


def _known(store: Store, scope: Scope, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was found under the ids by which it is remembered; with other filters it is something else."""
    if not found or not set(scope.filters) <= WHERE:
        return found
    window = Window(min(one["started_at"] for one in found), max(one["ended_at"] for one in found))
    known = read_incidents(store, scope.project, window)
    ids = {key: one.incident_id for one, key in merged(scope.project, found, known)}
    return [one | {"id": ids[one["id"]]} for one in found]


def finder(ctx: Context, wait_s: float = WAIT_S) -> Finder:
    """`find_anomalies` in the form of `incidents.find`, for alerts and reports.

    The function raises StoreError when the answer takes longer than `wait_s` or could not be found.
    """

    def find(store: Store, scope: Scope, *, now: datetime, floor_usd: Decimal = incidents.FLOOR_USD) -> dict[str, Any]:
        try:
            found = find_anomalies(ctx, scope, now=now, floor_usd=floor_usd, wait_s=wait_s)
        except NotFound as exc:
            raise StoreError(str(exc), retryable=True) from exc
        if found is None:
            raise StoreError("anomalies take too long to find", retryable=True)
        return found

    return find


def _closed(ctx: Context) -> datetime:
    """The end of the last whole hour."""
    return ctx.now().replace(minute=0, second=0, microsecond=0)
