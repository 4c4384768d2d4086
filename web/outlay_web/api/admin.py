"""What the command line asks a running server to do: keys, recorded data, settling again, closing a month."""

from __future__ import annotations

from enum import Enum

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import parse_window
from outlay_analytics.questions import spend
from outlay_collector.otlp.decompress import TooLarge
from outlay_collector.prices.months import close_month, closed_months, reopen_month
from outlay_collector.spool.spool import SpoolFull
from outlay_web.api.schema.parameters import documented
from outlay_web.api.wire import answer
from outlay_web.http.context import Context
from outlay_web.http.errors import Problem
from outlay_web.http.keys import KeyRefused
from outlay_web.http.parameters import read_query
from outlay_web.http.schemas import CloseBody, KeyBody, RevokeBody, WindowBody
from outlay_web.services.recorded import kind_of

PLAIN = documented(window=False, filters=False)
TYPES = {"application/x-protobuf": "protobuf", "application/json": "json"}
REQUEST = {"requestBody": {"required": True, "content": {kind: {"schema": {}} for kind in TYPES}}}
TAGS: list[str | Enum] = ["admin"]


def add_routes(routes: APIRouter, ctx: Context) -> None:
    keys = ctx.authenticator.keys

    @routes.get("/admin/keys", openapi_extra=PLAIN, tags=TAGS)
    def get_keys(request: Request) -> Response:
        """Every key, without its secret."""
        read_query(ctx, request, filters=False, window=False)
        return answer({"keys": keys.list()})

    @routes.post("/admin/keys", status_code=201, openapi_extra=PLAIN, tags=TAGS)
    def post_key(request: Request, body: KeyBody) -> Response:
        """Make a key. The answer holds it; nothing else ever will."""
        read_query(ctx, request, filters=False, window=False)
        try:
            with ctx.writing() as writer:
                key, shown = keys.create(writer, body.project, body.role)
        except KeyRefused as exc:
            raise Problem(400, str(exc)) from exc
        return answer({"key": key, **shown}, 201)

    @routes.post("/admin/keys/revoke", openapi_extra=PLAIN, tags=TAGS)
    def revoke_key(request: Request, body: RevokeBody) -> Response:
        """End a key's life at once."""
        read_query(ctx, request, filters=False, window=False)
        try:
            with ctx.writing() as writer:
                return answer(keys.revoke(writer, body.prefix))
        except KeyRefused as exc:
            raise Problem(404, str(exc)) from exc

    @routes.post("/admin/resettle", openapi_extra=PLAIN, tags=TAGS)
    def resettle(request: Request, body: WindowBody) -> Response:
        """Read the spans of a window again, with today's dialects."""
        scope = read_query(ctx, request, filters=False, window=False).scope
        project, window = scope.project, parse_window(body.start, body.end, ctx.now(), zone=scope.timezone)
        before = spend.spend(ctx.store, Scope(window, project=project))["total"]
        if ctx.cell_tasks is not None:
            with ctx.own_writer() as writer:
                traces = ctx.cell_tasks.ask(writer, "resettle", project, window.start, window.end)
        elif ctx.run_task is not None:
            traces = ctx.run_task(lambda settler: settler.resettle(project, window.start, window.end))
        else:
            raise Problem(503, "this process does not settle; ask one with the role jobs")
        after = spend.spend(ctx.store, Scope(window, project=project))["total"]
        return answer({"traces": traces, "before": before, "after": after})

    @routes.post("/admin/close", openapi_extra=PLAIN, tags=TAGS)
    def close(request: Request, body: CloseBody) -> Response:
        """Close a month: its prices stay, and later changes show as an adjustment. Or reopen it."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        with ctx.own_writer() as writer:
            if body.reopen:
                reopen_month(writer, body.month, project=project, clock=ctx.now)
                return answer({"month": body.month, "reopened": True})
            return answer(close_month(ctx.prices, writer, body.month, project=project, clock=ctx.now))

    @routes.get("/admin/close", openapi_extra=PLAIN, tags=TAGS)
    def get_closed(request: Request) -> Response:
        """Closed months: what they said when they were closed, say now, and the adjustment between."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        return answer({"months": closed_months(ctx.store, project)})

    @routes.post("/admin/ingest", openapi_extra=PLAIN | REQUEST, tags=TAGS)
    async def ingest(request: Request) -> Response:
        """Take one recorded OTLP request, however old: protobuf or JSON, traces or logs."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        encoding = TYPES.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())
        if encoding is None:
            raise Problem(415, f"content type must be {' or '.join(TYPES)}")
        if ctx.intake is None:
            raise Problem(503, "this process does not receive; ask one with the role receive")
        body = await request.body()
        kind = await anyio.to_thread.run_sync(kind_of, body, encoding)
        try:
            taken = await ctx.intake.accept(body, encoding=encoding, project=project, max_age_days=None, kind=kind)
        except TooLarge as exc:
            raise Problem(413, str(exc)) from exc
        except SpoolFull as exc:
            raise Problem(503, str(exc), {"Retry-After": str(exc.retry_after_s)}) from exc
        return answer(
            {"kind": kind, "accepted": taken.spans, "rejected": taken.rejected, "message": taken.message or None}
        )
