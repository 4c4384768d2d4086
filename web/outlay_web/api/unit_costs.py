"""What one of something costs, and whom the money was spent for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import rfc3339
from outlay_analytics.query.window import Window, parse_timezone
from outlay_analytics.questions import showback, unit_costs
from outlay_analytics.questions.revenue import Revenue
from outlay_analytics.questions.revenue_store import all_revenue, delete_revenue, list_revenue, put_revenue
from outlay_web import csv_text
from outlay_web.api.schema.parameters import DEFAULT_LIMIT, MAX_LIMIT, documented
from outlay_web.api.wire import answer, table, wants_csv
from outlay_web.http.context import Context
from outlay_web.http.encoding import columns, to_csv
from outlay_web.http.errors import Problem
from outlay_web.http.parameters import Query, read_query
from outlay_web.http.schemas import RevenueBody

UNIT_COLUMNS = columns("unit cost_usd share calls errors priced_ratio trace_id")
REVENUE_COLUMNS = columns("customer usd_per_month valid_from source")
SHOWBACK_COLUMNS = columns("direct_usd shared_usd total_usd share calls priced_ratio")
OF_UNITS = ("per", "interval", "limit", "score", "success", "format")
OF_SHOWBACK = ("by", "split", "shared", "month", "format")


def add_routes(routes: APIRouter, ctx: Context) -> None:
    configured: Sequence[Revenue] = ctx.config.get("revenue", ())

    @routes.get("/revenue", openapi_extra=documented("format", window=False, filters=False), tags=["answers"])
    def get_revenue(request: Request) -> Response:
        """What customers pay a month, from outlay.toml and as it was put."""
        query = read_query(ctx, request, ("format",), filters=False, window=False)
        rows = list_revenue(ctx.store, configured, query.scope.project)
        return table(query, {"currency": "USD", "revenue": rows}, "revenue", REVENUE_COLUMNS)

    @routes.put("/revenue", openapi_extra=documented(window=False, filters=False), tags=["answers"])
    def put_revenue_rows(request: Request, body: RevenueBody) -> Response:
        """Say what customers pay a month; a row of the same customer and day is replaced."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        with ctx.writing() as writer:
            put_revenue(writer, project, body.revenue, ctx.now(), configured)
        return answer({"currency": "USD", "revenue": list_revenue(ctx.store, configured, project)})

    @routes.delete(
        "/revenue/{customer:path}",
        status_code=204,
        openapi_extra=documented(window=False, filters=False),
        tags=["answers"],
    )
    def delete_revenue_rows(request: Request, customer: str) -> Response:
        """Forget what was put about a customer."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        with ctx.writing() as writer:
            if not delete_revenue(ctx.store, writer, project, customer, ctx.now(), configured):
                raise Problem(404, f"nothing was put about what {customer[:80]!r} pays")
        return Response(status_code=204)

    @routes.get("/unit-costs", openapi_extra=documented(*OF_UNITS), tags=["answers"])
    def get_unit_costs(request: Request) -> Response:
        """Cost per customer, user, session, request or success: distribution, largest, movers, margins."""
        query = read_query(ctx, request, OF_UNITS, comparing=True)
        found = unit_costs.unit_costs(
            ctx.store,
            query.scope,
            query.get("per", "customer"),
            query.get("interval", "total"),
            query.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT),
            all_revenue(ctx.store, configured, query.scope.project),
            query.get("score"),
            query.get("success"),
        )
        return table(query, found, "rows", UNIT_COLUMNS)

    @routes.get("/showback", openapi_extra=documented(*OF_SHOWBACK, split=showback.KEYS), tags=["answers"])
    def get_showback(request: Request) -> Response:
        """Cost by team, customer or another dimension, shared cost split by a key; as CSV a file that can be booked."""
        query = read_query(ctx, request, OF_SHOWBACK, comparing=True)
        query = of_month(query)
        by = query.get("by", "team")
        found = showback.showback(ctx.store, query.scope, by, query.get("split"), query.names("shared"))
        if not wants_csv(query):
            return answer(found)
        headers = {"Content-Disposition": f'attachment; filename="{file_name(found, query.scope)}"'}
        return Response(showback_csv(found, query.scope), 200, headers, csv_text.MEDIA_TYPE)


def of_month(query: Query) -> Query:
    """The query about the month that it names.

    Raises:
        BadRequest: If that is none, or a window is given as well.
    """
    text = query.get("month")
    if not text:
        return query
    if query.windowed:
        raise BadRequest("month and start or end say the same; give one of them")
    if not re.fullmatch(r"(19[7-9]\d|20\d\d)-(0[1-9]|1[0-2])", text, re.ASCII):
        raise BadRequest(f"month must be YYYY-MM, not {text[:80]!r}")
    zone = parse_timezone(query.scope.timezone)
    first = datetime(int(text[:4]), int(text[5:]), 1, tzinfo=zone)
    following = (first.date() + timedelta(days=32)).replace(day=1)
    last = datetime(following.year, following.month, 1, tzinfo=zone)
    utc = parse_timezone("UTC")
    return replace(query, scope=replace(query.scope, window=Window(first.astimezone(utc), last.astimezone(utc))))


def showback_csv(found: Mapping[str, Any], scope: Scope) -> bytes:
    """A showback as a table that can be booked: each row says its period, project, currency and coverage."""
    own = {"period": period_of(scope), "period_start": scope.window.start, "period_end": scope.window.end}
    own |= {"project": scope.project, "currency": found["currency"]}
    rows = [{**own, "kind": _kind(row), **row} for row in found["rows"]]
    for row in rows:
        row.pop("unallocated", None)
        row.pop("shared", None)
    return to_csv(rows, [*own, "kind", found["by"], *SHOWBACK_COLUMNS])


def file_name(found: Mapping[str, Any], scope: Scope) -> str:
    """`outlay-showback-team-2026-10-default-USD-98.2pct-priced.csv`."""
    ratio = found["coverage"]["priced_ratio"]
    # Rounded down: what is not whole never looks so.
    share = "none" if ratio is None else f"{(Decimal(str(ratio)) * 100).quantize(Decimal('0.1'), ROUND_DOWN)}pct"
    by = re.sub(r"[^A-Za-z0-9._-]", "_", found["by"])
    return f"outlay-showback-{by}-{period_of(scope)}-{scope.project}-{found['currency']}-{share}-priced.csv"


def period_of(scope: Scope) -> str:
    """The window in short: a month as `2026-10`, else its first and its last instant."""
    zone = parse_timezone(scope.timezone)
    first, last = scope.window.start.astimezone(zone), scope.window.end.astimezone(zone)
    following = (date(first.year, first.month, 1) + timedelta(days=32)).replace(day=1)
    if first.day == 1 and last.date() == following and not _time(first) and not _time(last):
        return f"{first:%Y-%m}"
    return "-to-".join(re.sub(r"[:.]", "", rfc3339(at)) for at in (scope.window.start, scope.window.end))


def _time(at: datetime) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def _kind(row: Mapping[str, Any]) -> str:
    return "unallocated" if row.get("unallocated") else "shared" if row.get("shared") else "direct"
