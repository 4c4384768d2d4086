"""One route per question: spend, explain, caching, cascades, forecast, anomalies, report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics import report
from outlay_analytics.explain import change
from outlay_analytics.explain.bases import usual_window
from outlay_analytics.explain.expected import Expected
from outlay_analytics.forecast import spend as forecast
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.window import Window, parse_timezone, parse_window
from outlay_analytics.questions import caching, cascades, spend
from outlay_analytics.questions.cache_thresholds import cache_thresholds
from outlay_analytics.questions.guaranteed import CONFIDENCE, ERROR
from outlay_analytics.questions.measured import Place
from outlay_web.api.paging import Key, read_page, tie, window_of
from outlay_web.api.schema.parameters import documented
from outlay_web.api.wire import answer, table
from outlay_web.http.context import Context
from outlay_web.http.encoding import columns
from outlay_web.http.errors import Problem
from outlay_web.http.parameters import Query, read_query
from outlay_web.services import explained
from outlay_web.services.anomalies import NotFound, find_anomalies, finder

MEASURES = columns(
    "cost_usd calls errors input_tokens cache_read_tokens cache_write_tokens output_tokens reasoning_tokens "
    "uncached_cost_usd p50_ms p95_ms priced_ratio"
)
CACHING_COLUMNS = [
    *(f"{kind}.{name}" for kind in ("exact", "semantic") for name in ("lookups", "hits", "hit_ratio", "avoided_usd")),
    *(
        f"provider.{name}"
        for name in columns(
            "input_tokens cache_read_tokens cache_write_tokens hit_ratio saving_usd write_premium_usd net_saving_usd"
        )
    ),
]
CASCADE_COLUMNS = columns(
    "name runs escalated_runs escalation_rate cost_usd wasted_usd cost_per_accepted_usd top_tier_only_usd "
    "saving_usd compared_runs break_even_escalation_rate tiers"
)
FORECAST_COLUMNS = columns("time mean_usd lo80_usd hi80_usd lo95_usd hi95_usd")
ANOMALY_COLUMNS = columns("id started_at ended_at scope channel actual expected impact_usd score explain")
PAGED = ("limit", "cursor", "format")
MAX_HORIZON_DAYS = 366
BASES = ("expected", "previous", "week_earlier")


def add_routes(routes: APIRouter, ctx: Context) -> None:
    own_of_spend = ("group_by", "interval", "compare", *PAGED)

    @routes.get("/spend", openapi_extra=documented(*own_of_spend), tags=["answers"])
    def get_spend(request: Request) -> Response:
        """Who spent what: the largest groups, or with `limit` or `cursor` a page of all.

        What has no row of its own is in the one with `remainder` (of each step, or of the page): rows add up.
        """
        query = read_query(ctx, request, own_of_spend)
        group_by = query.names("group_by")
        interval = query.get("interval", "total")
        page = read_page(query, f"spend by {interval} {','.join(group_by)}", "nnnt", window_of(query.scope))
        asked = (ctx.store, page.window(query.scope), group_by, interval, query.get("compare") or None)
        if page.limit is None:
            found = spend.spend(*asked)
        else:
            found, last = spend.spend_page(*asked, limit=page.limit, after=_place(page.after))
            found["next_cursor"] = (
                None if last is None else page.cursor((last.at_s, last.cost_usd, last.calls, last.tie))
            )
        first = [] if interval == "total" else ["time"]
        return table(query, found, "rows", [*first, *group_by, *MEASURES])

    @routes.get(
        "/explain", openapi_extra=documented("base", "base_start", "base_end", "by", "format"), tags=["answers"]
    )
    def get_explain(request: Request) -> Response:
        """Why spend changed, as drivers that add up exactly."""
        query = read_query(ctx, request, ("base", "base_start", "base_end", "by", "format"), comparing=True)
        by = query.get("by", "feature")
        base = _base(ctx, query)
        if isinstance(base, str):
            found = change.unexplained(ctx.store, query.scope, f"What was expected cannot be said: {base}.")
        else:
            found = change.explain(ctx.store, query.scope, base=base, by=by)
        return table(query, found, "cells", [by, "driver", "usd"])

    @routes.get(
        "/caching/thresholds", openapi_extra=documented("error", "confidence", "score", "format"), tags=["answers"]
    )
    def get_caching_thresholds(request: Request) -> Response:
        """What each similarity as threshold of the semantic caches would mean, and the one with a guarantee."""
        query = read_query(ctx, request, ("error", "confidence", "score", "format"))
        error, confidence = query.number("error", ERROR), query.number("confidence", CONFIDENCE)
        found = cache_thresholds(ctx.store, query.scope, error, confidence, query.get("score"))
        return table(query, found, "rows", ["threshold", "hit_ratio", "avoided_usd", "scored", "wrong_ratio"])

    @routes.get("/caching", openapi_extra=documented("group_by", "interval", *PAGED), tags=["answers"])
    def get_caching(request: Request) -> Response:
        """Hit ratios of the application's and the providers' caches, and what they save."""
        query = read_query(ctx, request, ("group_by", "interval", *PAGED))
        group_by = query.names("group_by", ("feature",))
        interval = query.get("interval", "total")
        page = read_page(query, f"caching {interval} {','.join(group_by)}", "nnnnt", window_of(query.scope))
        asked = (ctx.store, page.window(query.scope), group_by, interval)
        if page.limit is None:
            found = caching.caching(*asked)
        else:

            def place(row: dict[str, Any]) -> Key:
                return (*caching.order(row), tie(*(caching.group_value(row, name) for name in group_by)))

            found = caching.caching(*asked, page=caching.Page(page.limit, page.after, place))
            last = found.pop("next")
            found["next_cursor"] = None if last is None else page.cursor(last)
        named = ["provider.name" if name == "provider" else name for name in group_by]
        first = [] if interval == "total" else ["time"]
        return table(query, found, "rows", [*first, *named, *CACHING_COLUMNS])

    @routes.get("/cascades", openapi_extra=documented("interval", *PAGED), tags=["answers"])
    def get_cascades(request: Request) -> Response:
        """How often cascades escalate, what they cost and what they save."""
        query = read_query(ctx, request, ("interval", *PAGED))
        interval = query.get("interval", "total")
        page = read_page(query, f"cascades {interval}", "nnt", window_of(query.scope))
        found = cascades.cascades(ctx.store, page.window(query.scope), interval=interval)
        found = page.cut(found, "cascades", lambda row: (*cascades.order(row), tie(row["name"])))
        return table(query, found, "cascades", [*([] if interval == "total" else ["time"]), *CASCADE_COLUMNS])

    @routes.get(
        "/cascades/{name:path}/thresholds", openapi_extra=documented("error", "confidence", "format"), tags=["answers"]
    )
    def get_thresholds(request: Request, name: str) -> Response:
        """What each confidence threshold would have cost, the recommended one, and the one with a guarantee."""
        query = read_query(ctx, request, ("error", "confidence", "format"))
        error, confidence = query.number("error", ERROR), query.number("confidence", CONFIDENCE)
        found = cascades.thresholds(ctx.store, query.scope, name, error, confidence)
        if found is None:
            raise Problem(404, f"no cascade {name[:80]!r} in this window")
        return table(query, found, "rows", ["threshold", "escalation_rate", "cost_per_run_usd", "quality"])

    own = ("horizon", "interval", "budget_usd", "overlay", "format")

    @routes.get("/forecast", openapi_extra=documented(*own, interval=tuple(forecast.MOST_STEPS)), tags=["answers"])
    def get_forecast(request: Request) -> Response:
        """Spend to come with prediction intervals, the month's end, and how good such forecasts have been."""
        query = read_query(ctx, request, own, comparing=True)
        found = forecast.spend_forecast(
            ctx.store,
            query.scope,
            horizon_days=_days(query.get("horizon", "30d")),
            interval=query.get("interval", "day"),
            budget_usd=_usd(query.get("budget_usd")),
            now=ctx.now(),
            overlays=query.names("overlay"),
        )
        return table(query, found, "forecast", FORECAST_COLUMNS)

    @routes.get("/anomalies", openapi_extra=documented(*PAGED), tags=["answers"])
    def get_anomalies(request: Request) -> Response:
        """Hours that cost more than expected, newest first: what, how much, since when and why."""
        query = read_query(ctx, request, PAGED, comparing=True)
        page = read_page(query, "anomalies", "nt", window_of(query.scope))
        try:
            found = find_anomalies(ctx, page.window(query.scope))
        except NotFound as exc:
            raise Problem(503, str(exc), {"Retry-After": str(max(exc.retry_s, 1))}) from exc
        if found is None:
            raise Problem(503, "anomalies are still being looked for", {"Retry-After": "10"})
        found = page.cut(found, "anomalies", _newest)
        return table(query, found, "anomalies", ANOMALY_COLUMNS)

    @routes.get("/report", openapi_extra=documented("day", window=False, filters=False), tags=["answers"])
    def get_report(request: Request) -> Response:
        """The cost report of one day."""
        query = read_query(ctx, request, ("day",), filters=False, window=False)
        now, zone = ctx.now(), query.scope.timezone
        found = report.daily_report(
            ctx.store,
            query.scope.project,
            _day(query.get("day"), now.astimezone(parse_timezone(zone))),
            now=now,
            timezone=zone,
            budgets=ctx.config.get("budgets", ()),
            finder=finder(ctx),
            holidays=ctx.holidays,
        )
        return answer(found)


def _place(key: Key | None) -> Place | None:
    """The place in a list of spend that a cursor stands for.

    Raises:
        BadRequest: If it is none that a list can give.
    """
    if key is None:
        return None
    at_s, cost_usd, calls, last = key
    if isinstance(last, str) and all(
        isinstance(part, Decimal) and abs(part) < 10**18 for part in (at_s, cost_usd, calls)
    ):
        return Place(int(at_s), Decimal(cost_usd), int(calls), last)
    raise BadRequest("cursor is not one that this list gave")


def _newest(anomaly: Mapping[str, Any]) -> Key:
    return (-anomaly["started_at"].timestamp(), str(anomaly["id"]))


def _base(ctx: Context, query: Query) -> Window | Expected | str | None:
    """What to compare with, None for the window just before; why nothing can be said about what was expected.

    Raises:
        BadRequest: For a name that is none, and for half a window.
    """
    start, end, name = query.get("base_start"), query.get("base_end"), query.get("base")
    if name not in ("", *BASES):
        raise BadRequest(f"base must be one of {', '.join(BASES)}, not {name[:80]!r}")
    if name and (start or end):
        raise BadRequest("base names what base_start and base_end give; give one of both")
    if name == "expected":
        looked = explained.expected(ctx, query.scope)
        return looked.expected or looked.reason
    if name == "week_earlier":
        return usual_window(query.scope.window)
    if not start and not end:
        return None
    if not start or not end:
        raise BadRequest("base_start and base_end go together; give both or neither")
    return parse_window(start, end, ctx.now(), zone=query.scope.timezone)


def _days(text: str) -> int:
    match = re.fullmatch(r"(\d{1,4})(d|w)?", text)
    days = int(match[1]) * (7 if match[2] == "w" else 1) if match else 0
    if not 1 <= days <= MAX_HORIZON_DAYS:
        raise BadRequest(f"horizon must be 1d to {MAX_HORIZON_DAYS}d, not {text[:80]!r}")
    return days


def _usd(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation as exc:
        raise BadRequest(f"budget_usd must be an amount such as 1200.50, not {text[:80]!r}") from exc
    if not amount.is_finite() or not 0 <= amount <= Decimal(10) ** 15:
        raise BadRequest(f"budget_usd must be an amount from 0 up, not {text[:80]!r}")
    return amount


def _day(text: str, now: datetime) -> date:
    if not text:
        return now.date() - timedelta(days=1)
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise BadRequest(f"day must be YYYY-MM-DD, not {text[:80]!r}") from exc
