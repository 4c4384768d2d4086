"""Bills: import one, list them, compare one with the calls of its days, take one away."""

from __future__ import annotations

from enum import Enum

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.reconcile.bills import drop_bill, list_bills
from outlay_web.api.schema.parameters import documented
from outlay_web.api.wire import answer, table
from outlay_web.http.context import Context
from outlay_web.http.encoding import columns
from outlay_web.http.parameters import read_query
from outlay_web.services.bills import compare_pulled, whole_days
from outlay_web.services.reconcile import compare_bill, take_bill

BILL_COLUMNS = columns("bill name format first_day last_day billed_usd lines imported_at")
ROW_COLUMNS = columns("day provider model billed_usd computed_usd residual_usd")
FILE = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}
TAGS: list[str | Enum] = ["reconcile"]


def add_routes(routes: APIRouter, ctx: Context) -> None:
    @routes.post(
        "/reconcile", openapi_extra=documented("name", "format", window=False, filters=False) | FILE, tags=TAGS
    )
    async def post_bill(request: Request) -> Response:
        """Import a bill (the file is the body, however it is called) and compare it with what the calls cost."""
        query = read_query(ctx, request, ("name", "format"), filters=False, window=False)
        body = await request.body()
        project = query.scope.project

        def run() -> Response:
            found = compare_bill(ctx, project, take_bill(ctx, project, query.get("name"), body))
            return table(query, found, "rows", ROW_COLUMNS)

        return await anyio.to_thread.run_sync(run)

    @routes.get("/reconcile", openapi_extra=documented("bill", "format", filters=False), tags=TAGS)
    def get_bills(request: Request) -> Response:
        """The bills that were imported; with `bill=` that one compared with the calls as they are priced today, with
        `start` and `end` the bills that were pulled of these days."""
        query = read_query(ctx, request, ("bill", "format"), filters=False)
        if query.windowed:
            if query.get("bill"):
                raise BadRequest("bill names an imported bill, start and end days of pulled bills: give one")
            first, last = whole_days(query.scope.window)
            return table(query, compare_pulled(ctx, query.scope.project, first, last), "rows", ROW_COLUMNS)
        if query.get("bill"):
            return table(query, compare_bill(ctx, query.scope.project, query.get("bill")), "rows", ROW_COLUMNS)
        return table(query, {"bills": list_bills(ctx.store, query.scope.project)}, "bills", BILL_COLUMNS)

    @routes.delete("/reconcile/{bill}", openapi_extra=documented(window=False, filters=False), tags=TAGS)
    def delete_bill(request: Request, bill: str) -> Response:
        """Take a bill away."""
        query = read_query(ctx, request, filters=False, window=False)
        with ctx.writing() as writer:
            drop_bill(writer, ctx.store, query.scope.project, bill, ctx.now())
        return answer({"deleted": bill})
