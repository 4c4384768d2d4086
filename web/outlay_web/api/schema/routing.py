"""Answers of which model a task should take: the trade-off of all models, and routes between tiers."""

from __future__ import annotations

from outlay_analytics.questions.experiments import VERDICTS
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.quality import MEAN, SCORED
from outlay_web.api.schema.questions import ASKED
from outlay_web.api.schema.shapes import (
    COUNT,
    NUMBER,
    RATIO,
    TEXT,
    USD,
    YES_NO,
    each,
    listed,
    maybe,
    one_of,
    record,
)

TRADEOFF = record(
    {
        **ASKED,
        **SCORED,
        "margin": NUMBER,
        "rows_left_out": YES_NO,
        "rows": listed(
            record(
                {
                    **each("task model model_tier score", maybe(TEXT)),
                    "calls": COUNT,
                    **each("cost_usd cost_per_call_usd cost_ci_low_usd cost_ci_high_usd", maybe(USD)),
                    "priced_ratio": RATIO,
                    **MEAN,
                    "success_ratio": maybe(RATIO),
                    "cost_per_success_usd": maybe(USD),
                    "error_rate": RATIO,
                    **each("p50_ms p95_ms", NUMBER),
                    **each("p95_ci_low_ms p95_ci_high_ms", maybe(NUMBER)),
                    "on_frontier": maybe(YES_NO),
                    "dominated_by": maybe(TEXT),
                    "monthly_excess_usd": maybe(USD),
                }
            )
        ),
        "tasks": listed(
            record(
                {
                    **each("task score", maybe(TEXT)),
                    "monthly_cost_usd": maybe(USD),
                    **each("best recommended recommended_tier", maybe(TEXT)),
                    "monthly_saving_usd": maybe(USD),
                    "reason": TEXT,
                    "assumption": maybe(TEXT),
                    "rule_of_thumb": maybe(record(each("task tier kept failure", TEXT))),
                }
            )
        ),
    }
)
ROUTING = record(
    {
        **ASKED,
        **SCORED,
        "margin": NUMBER,
        "rows_left_out": YES_NO,
        "rows": listed(
            record(
                {
                    "task": maybe(TEXT),
                    "said_as": one_of(("task", "feature")),
                    "tier": TEXT,
                    "models": listed(TEXT),
                    **each("calls requests", COUNT),
                    "share": maybe(RATIO),
                    "cost_usd": maybe(USD),
                    "score": maybe(TEXT),
                    **MEAN,
                    **each("difference difference_ci_low difference_ci_high ips snips", maybe(NUMBER)),
                    **each("effective_scores effective_requests", NUMBER),
                    **each("cost_per_request_usd cost_ci_low_usd cost_ci_high_usd", maybe(USD)),
                    **each("cost_difference_usd cost_difference_ci_low_usd cost_difference_ci_high_usd", maybe(USD)),
                    **each("monthly_saving_usd monthly_saving_lo_usd monthly_saving_hi_usd", maybe(USD)),
                    "reach_ratio": maybe(RATIO),
                    "verdict": one_of(VERDICTS),
                    "reason": TEXT,
                }
            )
        ),
        "tasks": listed(
            record(
                {
                    **each("task score", maybe(TEXT)),
                    "said_as": one_of(("task", "feature")),
                    "requests": COUNT,
                    **each("told_ratio explorable_ratio", maybe(RATIO)),
                    "mean": maybe(NUMBER),
                    "cost_per_request_usd": maybe(USD),
                    "recommended": maybe(TEXT),
                    "monthly_saving_usd": maybe(USD),
                    "reason": TEXT,
                    "assumption": maybe(TEXT),
                    "proposal": maybe(
                        record(
                            {
                                "tiers": listed(TEXT),
                                "explore": RATIO,
                                "answers": COUNT,
                                **each("requests days", maybe(COUNT)),
                                "code": TEXT,
                            }
                        )
                    ),
                }
            )
        ),
    }
)

ANSWERS: Answers = {
    "GET /tradeoff": Answer(TRADEOFF),
    "GET /routing": Answer(ROUTING),
}
