"""How good answers were, which arm is better, what a model costs in quality and latency, what prompts use."""

from __future__ import annotations

from enum import Enum

from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics.questions import decide, experiments, prompts, quality, routing, tradeoff
from outlay_analytics.questions.decide_thresholds import decide_thresholds
from outlay_analytics.questions.experiment_checks import parse_split
from outlay_web.api.schema.parameters import documented
from outlay_web.api.wire import table
from outlay_web.http.context import Context
from outlay_web.http.encoding import columns
from outlay_web.http.errors import Problem
from outlay_web.http.parameters import read_query

FIGURES = columns(
    "n mean ci_low ci_high success_ratio cost_per_success_usd cost_per_call_usd error_rate p95_ms p95_ci_low_ms "
    "p95_ci_high_ms calls cost_usd "
    "scored_ratio priced_ratio"
)
TRADEOFF = columns(
    "task model model_tier calls cost_per_call_usd cost_ci_low_usd cost_ci_high_usd score n mean ci_low ci_high "
    "cost_per_success_usd error_rate p95_ms p95_ci_low_ms p95_ci_high_ms on_frontier dominated_by "
    "monthly_excess_usd"
)
PROMPTS = columns(
    "prompt prompt_version calls cost_usd cost_per_call_usd input_tokens_per_call output_tokens_per_call "
    "cache_read_ratio first_at last_at parts change.from_version change.monthly_usd"
)
ROUTING = columns(
    "task tier requests share score n mean ci_low ci_high difference difference_ci_low difference_ci_high "
    "cost_per_request_usd cost_ci_low_usd cost_ci_high_usd cost_difference_usd cost_difference_ci_low_usd "
    "cost_difference_ci_high_usd monthly_saving_usd monthly_saving_lo_usd monthly_saving_hi_usd effective_scores "
    "effective_requests reach_ratio ips snips verdict reason"
)
SCORE = ("score", "success")
TAGS: list[str | Enum] = ["answers"]


def add_routes(routes: APIRouter, ctx: Context) -> None:
    @routes.get("/quality", openapi_extra=documented("group_by", "interval", *SCORE, "format"), tags=TAGS)
    def get_quality(request: Request) -> Response:
        """How good the answers were: a score by any dimensions, with what a success costs."""
        query = read_query(ctx, request, ("group_by", "interval", *SCORE, "format"))
        group_by, interval = query.names("group_by", ("model",)), query.get("interval", "total")
        found = quality.quality(
            ctx.store, query.scope, group_by, interval, score=query.get("score"), success=query.get("success")
        )
        first = [] if interval == "total" else ["time"]
        return table(query, found, "rows", [*first, *group_by, *FIGURES])

    @routes.get("/experiments", openapi_extra=documented("format"), tags=TAGS)
    def get_experiments(request: Request) -> Response:
        """Every experiment of the window and its arms, the newest first."""
        query = read_query(ctx, request, ("format",))
        found = experiments.list_experiments(ctx.store, query.scope)
        return table(query, found, "experiments", columns("name arms calls cost_usd first_at last_at"))

    own = (*SCORE, "margin", "control", "unit", "split", "format")

    @routes.get("/experiments/{name:path}", openapi_extra=documented(*own), tags=TAGS)
    def get_experiment(request: Request, name: str) -> Response:
        """An experiment: its arms, how they differ from the control, and a verdict that holds at every look."""
        query = read_query(ctx, request, own)
        found = experiments.experiment(
            ctx.store,
            query.scope,
            name,
            score=query.get("score"),
            success=query.get("success"),
            margin=query.number("margin", experiments.MARGIN),
            control=query.get("control"),
            unit=query.get("unit"),
            split=parse_split(query.get("split")),
        )
        if found is None:
            raise Problem(404, f"no experiment {name[:80]!r} in this window")
        return table(query, found, "arms", ["arm", "units", *FIGURES])

    @routes.get("/tradeoff", openapi_extra=documented(*SCORE, "margin", "format"), tags=TAGS)
    def get_tradeoff(request: Request) -> Response:
        """Cost, quality and latency per task and model, what is dominated, and which model would do."""
        query = read_query(ctx, request, (*SCORE, "margin", "format"))
        found = tradeoff.tradeoff(
            ctx.store, query.scope, query.get("score"), query.get("success"), query.number("margin", experiments.MARGIN)
        )
        return table(query, found, "rows", TRADEOFF)

    @routes.get("/routing", openapi_extra=documented(*SCORE, "margin", "format"), tags=TAGS)
    def get_routing(request: Request) -> Response:
        """What sending a task to another tier would cost and be worth, from requests that were routed by chance."""
        query = read_query(ctx, request, (*SCORE, "margin", "format"))
        found = routing.routing(
            ctx.store, query.scope, query.get("score"), query.get("success"), query.number("margin", experiments.MARGIN)
        )
        return table(query, found, "rows", ROUTING)

    @routes.get("/decide", openapi_extra=documented("by", "first", "second", *SCORE, "margin", "format"), tags=TAGS)
    def get_decide(request: Request) -> Response:
        """Two models, prompt versions, arms or thresholds side by side, and which to take."""
        query = read_query(ctx, request, ("by", "first", "second", *SCORE, "margin", "format"))
        by, margin = query.get("by", "model"), query.number("margin", experiments.MARGIN)
        first, second = query.get("first"), query.get("second")
        if by == decide.THRESHOLD:
            found = decide_thresholds(ctx.store, query.scope, first, second, margin)
        else:
            score, success = query.get("score"), query.get("success")
            found = decide.decide(
                ctx.store, query.scope, by, first, second, score=score, success=success, margin=margin
            )
        return table(query, found, "sides", ["value", "units", *FIGURES, "monthly_usd"])

    @routes.get("/prompts", openapi_extra=documented("format"), tags=TAGS)
    def get_prompts(request: Request) -> Response:
        """Tokens and cost by prompt, version and part, and what changed from version to version."""
        query = read_query(ctx, request, ("format",))
        return table(query, prompts.prompts(ctx.store, query.scope), "rows", PROMPTS)
