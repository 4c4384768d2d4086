"""Bills that are pulled: how each account stands, and pulling now."""

from __future__ import annotations

from enum import Enum

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_web.api.schema.parameters import documented
from outlay_web.api.wire import answer, table
from outlay_web.http.context import Context
from outlay_web.http.encoding import columns
from outlay_web.http.parameters import read_query
from outlay_web.services.accept import accept
from outlay_web.services.bills import list_accounts, pull_now

COLUMNS = columns("name provider state done_at first_day last_day days lines billed_usd error")
TAGS: list[str | Enum] = ["bills"]


def add_routes(routes: APIRouter, ctx: Context) -> None:
    @routes.get("/bills", openapi_extra=documented("format", window=False, filters=False), tags=TAGS)
    def get_bills(request: Request) -> Response:
        """The accounts whose bills are pulled, how their last pull went, and which days are in force."""
        query = read_query(ctx, request, ("format",), filters=False, window=False)
        return table(query, {"bills": list_accounts(ctx, query.scope.project)}, "bills", COLUMNS)

    @routes.post("/bills/accept", openapi_extra=documented("bill", window=False, filters=False), tags=TAGS)
    def post_accept(request: Request) -> Response:
        """Put the discounts that the bills show in force as own prices, for calls from the bill's first day on."""
        query = read_query(ctx, request, ("bill",), filters=False, window=False)
        return answer(accept(ctx, query.scope.project, query.get("bill")))

    @routes.post("/bills/pull", openapi_extra=documented("account", window=False, filters=False), tags=TAGS)
    async def post_pull(request: Request) -> Response:
        """Pull the bills of all accounts, or of one, now; what fails is in `failed`, and tried again later."""
        query = read_query(ctx, request, ("account",), filters=False, window=False)
        project = query.scope.project

        def run() -> Response:
            failed = pull_now(ctx, project, query.get("account"))
            return answer({"bills": list_accounts(ctx, project), "failed": failed})

        return await anyio.to_thread.run_sync(run)
