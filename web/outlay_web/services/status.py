"""What the server says about itself: the ledger that must add up, what waits, and all-time totals."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay.errors import StoreError
from outlay_analytics.alerting.listing import not_evaluated, undelivered
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import EVERYTHING
from outlay_analytics.questions import spend
from outlay_collector.prices.lists import catalogue_warning
from outlay_collector.store import load_sql
from outlay_web.http.context import Context

SQL = "outlay_web.services.sql"
TOTALS_S = 30.0
WAIT_S = 10.0
METRIC_GROUPS = 500
SET_ASIDE_SHOWN = 20
SPEND = ("spend by model",)
GAPS = "gaps in the figures"
GAPS_S = 5.0
ByModel = tuple[dict[str, str], dict[str, Any]]  # labels, measures


@dataclass(frozen=True)
class Gaps:
    """What the figures of a project may lack: parts of tables that are broken, and traces that cannot be settled."""

    broken_parts: int = 0
    set_aside: Sequence[Mapping[str, Any]] = ()


def status(ctx: Context, project: str | None = None) -> dict[str, Any]:
    """`/api/v1/status`: received = stored + rejected + quarantined + duplicate + pending, counted in spans, exactly.

    Args:
        project: Whose key asks, which is told nothing of others': only its own calls and traces, and of jobs that
            failed the kind of error. None for an administrator. Spans are those of the whole server.
    """
    found: dict[str, Any] = {"version": ctx.version, "ready": ctx.ready, **ctx.ledger()}
    found["lag_seconds"] = round(ctx.spool.lag_s, 3) if ctx.spool is not None else None
    handed = len(ctx.handover.traces())  # first: from there traces go into the table, not the other way
    found["unsettled_traces"] = handed + ctx.store.query(load_sql(SQL, "waiting"))[0]["unsettled_traces"]
    aside = set_aside(ctx, project)
    found["set_aside_traces"] = aside[0].pop("traces") if aside else 0
    found["set_aside"] = [{name: row[name] for name in ("project", "trace_id", "reason", "at")} for row in aside]
    found["broken_parts"] = broken_parts(ctx)
    found["not_evaluated"] = not_evaluated(ctx.store, project or "")
    found["undelivered"] = undelivered(ctx.store, project or "")
    found["calls"] = sum(_total(ctx, one)["calls"] for one in ([project] if project else projects(ctx)))
    found["price_version"] = ctx.prices.version or None
    found["catalogue_warning"] = catalogue_warning(ctx.store, ctx.now())
    found["jobs"] = jobs(ctx) if project is None else [_without_words(job) for job in jobs(ctx)]
    return found


def _without_words(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job whose error is only its type: its words may name what is of other projects."""
    error = job["last_error"]
    return {**job, "last_error": error and error.partition(":")[0]}


def gaps(ctx: Context, project: str) -> Gaps:
    """For every page: at most seconds old, and nothing where it could not be found, which `jobs` tells."""

    def find() -> Gaps:
        return Gaps(broken_parts(ctx), set_aside(ctx, project))

    found: Gaps | None = ctx.cache.get((GAPS, project), int(time.monotonic() // GAPS_S), find, WAIT_S)
    return found or Gaps()


def jobs(ctx: Context) -> list[dict[str, Any]]:
    """Background jobs, and answers that are found in the background, with their failures."""
    return [*ctx.workers.jobs(), *ctx.cache.jobs()]


def broken_parts(ctx: Context) -> int:
    """Parts of tables that ClickHouse set aside as broken: their rows are in no figure."""
    return int(ctx.store.query(load_sql(SQL, "broken"))[0]["broken_parts"])


def set_aside(ctx: Context, project: str | None = None) -> list[dict[str, Any]]:
    """Some traces that cannot be settled, of one project or of all: each says how many."""
    params: dict[str, Any] = {"max_rows": SET_ASIDE_SHOWN}
    only = "1"
    if project is not None:
        params["project"] = project
        only = "project = {project:String}"
    return ctx.store.query(load_sql(SQL, "set_aside", only=only), params)


def projects(ctx: Context) -> list[str]:
    """Projects that have calls."""
    return [row["project"] for row in ctx.store.query(load_sql(SQL, "projects"))]


def spend_by_model(ctx: Context) -> Iterable[ByModel]:
    """All-time measures by project, provider, model and team, half a minute old unless they take long: for /metrics.

    However many there are, at most about 500 groups have series of their own; the others of a project are one, with the
    label `remainder`.

    Raises:
        StoreError: If they could not be summed up.
    """
    half_minute = int(time.monotonic() // TOTALS_S)
    found: list[ByModel] | None = ctx.cache.get(SPEND, half_minute, lambda: list(_by_model(ctx)), WAIT_S)
    if found is None:
        failure = ctx.cache.failure(SPEND)
        why = f"failed ({failure.kind}); the server's log says more" if failure is not None else "takes long"
        raise StoreError(f"summing up what was spent by model {why}; try again", retryable=True)
    return found


def _total(ctx: Context, project: str) -> dict[str, Any]:
    total: dict[str, Any] = spend.spend(ctx.store, Scope(EVERYTHING, project=project))["total"]
    return total


def _by_model(ctx: Context) -> Iterable[ByModel]:
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
