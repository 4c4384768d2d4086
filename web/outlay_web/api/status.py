"""How the server is: the ledger that must add up, and what waits."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_web.api.schema.parameters import documented
from outlay_web.api.wire import answer
from outlay_web.http.context import Context
from outlay_web.http.parameters import read_query
from outlay_web.services.status import status


def add_routes(routes: APIRouter, ctx: Context) -> None:
    @routes.get("/status", openapi_extra=documented(window=False, filters=False), tags=["server"])
    def get_status(request: Request) -> Response:
        """Received = stored + rejected + quarantined + duplicate + pending, counted in spans, exactly."""
        read_query(ctx, request, filters=False, window=False)
        asker = request.state.principal
        return answer(status(ctx, None if asker.role == "admin" else asker.project))
