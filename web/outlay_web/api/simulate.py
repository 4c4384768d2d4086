"""What if: changes on real traffic."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics.query.scope import Scope, check_filter
from outlay_analytics.query.window import parse_window
from outlay_analytics.questions.changes import parse_changes
from outlay_analytics.questions.simulate import simulate
from outlay_web.api.schema.parameters import documented
from outlay_web.api.wire import answer
from outlay_web.http.context import Context
from outlay_web.http.parameters import read_query
from outlay_web.http.schemas import SimulateBody


def add_routes(routes: APIRouter, ctx: Context) -> None:
    @routes.post("/simulate", openapi_extra=documented(window=False, filters=False), tags=["answers"])
    def post_simulate(request: Request, body: SimulateBody) -> Response:
        """What a window's calls would have cost with some changes, made one after the other.

        `replace_model {from, to}`, `price_discount`, `batch_share`, `cache_hit_ratio`, `cascade {cheap, expensive,
        escalation_rate}`, `shorter_prompt {share, part}`, `max_output_tokens`; none gives the actual cost. Models are
        names, or `{provider, model}`; shares lie between 0 and 1.
        """
        given = read_query(ctx, request, filters=False, window=False).scope
        window = parse_window(body.start, body.end, ctx.now(), zone=given.timezone)
        for name in body.filters:
            check_filter(name, where="filters")
        filters = {name: tuple(values) for name, values in body.filters.items()}
        scope = Scope(window, filters, given.project, given.timezone, given.model_tiers)
        changes = parse_changes(body.changes)
        with ctx.own_writer() as writer:
            return answer(simulate(ctx.store, ctx.prices, writer, scope, changes, now=ctx.now(), limit=body.limit))
