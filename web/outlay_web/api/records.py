"""What was recorded: calls, traces, and scores given later."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics.questions import calls, traces
from outlay_collector.load import scores
from outlay_web.api.schema.parameters import DEFAULT_LIMIT, MAX_LIMIT, documented
from outlay_web.api.wire import answer, table
from outlay_web.http.context import Context
from outlay_web.http.encoding import columns
from outlay_web.http.errors import Problem
from outlay_web.http.parameters import Query, read_query
from outlay_web.http.schemas import ScoreBody

CALL_COLUMNS = columns(
    "call_id trace_id span_id parent_span_id started_at duration_ms time_to_first_token_ms service environment "
    "feature team customer user session task prompt prompt_version provider request_model response_model "
    "response_id service_tier operation input_tokens cache_read_tokens cache_write_tokens cache_write_1h_tokens "
    "output_tokens reasoning_tokens cost_usd list_cost_usd cost_lines reported_cost_usd cost_state price_version "
    "matched_model match_kind streamed attempt status error_type dialect tags cascade cache experiment scores"
)
TRACE_COLUMNS = columns(
    "trace_id started_at duration_ms name service feature spans calls errors input_tokens output_tokens cost_usd"
)
PAGED = ("limit", "cursor", "sort", "order", "format")


def _page(query: Query) -> dict[str, Any]:
    return {
        "limit": query.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT),
        "cursor": query.get("cursor") or None,
        "sort": query.get("sort", "started_at"),
        "order": query.get("order", "desc"),
    }


def add_routes(routes: APIRouter, ctx: Context) -> None:
    @routes.get("/calls", openapi_extra=documented(*PAGED), tags=["records"])
    def get_calls(request: Request) -> Response:
        """Calls, newest first, or in the order of a measure: what is unknown comes last."""
        query = read_query(ctx, request, PAGED)
        found = calls.list_calls(ctx.store, query.scope, **_page(query))
        return table(query, found, "calls", CALL_COLUMNS)

    @routes.get("/traces", openapi_extra=documented(*PAGED), tags=["records"])
    def get_traces(request: Request) -> Response:
        """Traces that hold calls, newest first, or in the order of a measure."""
        query = read_query(ctx, request, PAGED)
        found = traces.list_traces(ctx.store, query.scope, **_page(query))
        return table(query, found, "traces", TRACE_COLUMNS)

    @routes.get("/traces/{trace_id}", openapi_extra=documented("format", window=False, filters=False), tags=["records"])
    def get_trace(request: Request, trace_id: str) -> Response:
        """Every span of a trace as a tree, what was counted and why."""
        query = read_query(ctx, request, ("format",), filters=False, window=False)
        found = traces.get_trace(ctx.store, query.scope.project, trace_id.lower(), ctx.handover.traces())
        if found is None:
            raise Problem(404, f"no trace {trace_id[:80]!r} in project {query.scope.project!r}")
        return table(query, found, "spans", ["span_id", "parent_span_id", "name", "counted", "reason"])

    @routes.post("/scores", status_code=201, openapi_extra=documented(window=False, filters=False), tags=["records"])
    def post_score(request: Request, body: ScoreBody) -> Response:
        """An evaluation of a trace, or of one of its spans."""
        query = read_query(ctx, request, filters=False, window=False)
        with ctx.writing() as writer:
            scores.add_score(
                writer,
                query.scope.project,
                body.trace_id,
                body.span_id or "",
                body.name,
                body.value,
                body.label or "",
                ctx.now(),
            )
        ctx.handover.look()
        ctx.workers.wake("settle")
        return answer(body.model_dump(), 201)
