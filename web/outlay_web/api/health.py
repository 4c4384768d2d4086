"""/healthz (alive), /readyz (can answer) and /metrics (Prometheus)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from outlay_web.api.metrics import Metrics
from outlay_web.api.wire import answer
from outlay_web.http.context import Context

READY_S = 0.8


def add_routes(routes: APIRouter, ctx: Context) -> None:
    """Register the three."""
    exported = Metrics(ctx)

    @routes.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return answer({"status": "ok"})

    @routes.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """Waits for no thread and no connection that requests use, and for the store less than a second."""
        if not ctx.ready:
            return answer({"status": "starting or stopping"}, 503)
        asked = asyncio.wrap_future(ctx.store.heartbeat.ask())
        done, _ = await asyncio.wait((asked,), timeout=READY_S)
        if not done or asked.exception() is not None:
            return answer({"status": "the store does not answer"}, 503)
        return answer({"status": "ready"})

    @routes.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return exported.response()
