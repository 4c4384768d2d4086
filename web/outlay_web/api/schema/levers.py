"""Answers of the routes in `api/levers.py`: quality, experiments, the trade-off, prompts."""

from __future__ import annotations

from outlay_analytics.questions.decide import CHOICES
from outlay_analytics.questions.decide import MEASURES as CHOSEN_BY
from outlay_analytics.questions.experiments import MEASURES, UNITS, VERDICTS
from outlay_analytics.questions.prompt_savings import KINDS as SAVINGS
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.parts import REMAINDER, VALUES
from outlay_web.api.schema.questions import ASKED
from outlay_web.api.schema.shapes import (
    COUNT,
    INSTANT,
    NUMBER,
    RATIO,
    TEXT,
    USD,
    YES_NO,
    by_key,
    each,
    either,
    listed,
    maybe,
    one_of,
    record,
)

SCORED = {
    "score": maybe(TEXT),
    "success": either(NUMBER, TEXT, {"type": "null"}),
    "scores": listed(record({"name": TEXT, "n": COUNT, "kind": one_of(("share", "number", "label"))})),
}
MEAN = {"n": COUNT, **each("mean ci_low ci_high", maybe(NUMBER))}
FIGURES = {
    **MEAN,
    **each("success_ratio success_ci_low success_ci_high", maybe(RATIO)),
    **each("cost_per_success_usd cost_per_call_usd cost_usd", maybe(USD)),
    **each("error_rate scored_ratio priced_ratio", maybe(RATIO)),
    **each("calls errors", COUNT),
    **each("p50_ms p95_ms", maybe(NUMBER)),
    **each("p95_ci_low_ms p95_ci_high_ms", maybe(NUMBER)),
    "labels": listed(record({"label": maybe(TEXT), "n": COUNT}, {"remainder": REMAINDER})),
}
QUALITY = record(
    {
        **ASKED,
        **SCORED,
        "total": maybe(record(FIGURES)),
        "rows": listed(
            record({"time": maybe(INSTANT), **FIGURES}, {**VALUES, "remainder": REMAINDER}, tags=maybe(TEXT))
        ),
    }
)
EXPERIMENTS = record(
    {
        **{name: schema for name, schema in ASKED.items() if name == "window"},
        "experiments": listed(
            record(
                {
                    "name": TEXT,
                    "arms": listed(TEXT),
                    "calls": COUNT,
                    "cost_usd": maybe(USD),
                    **each("first_at last_at", INSTANT),
                }
            )
        ),
    }
)
EXPERIMENT = record(
    {
        **ASKED,
        "name": TEXT,
        **SCORED,
        "unit": one_of(UNITS),
        "control": TEXT,
        "margin": NUMBER,
        "method": TEXT,
        "arms": listed(record({"arm": TEXT, "units": COUNT, **FIGURES})),
        "differences": listed(
            record(
                {
                    **each("arm control", TEXT),
                    "measure": one_of(MEASURES),
                    **each("difference ci_low ci_high", either(NUMBER, USD, {"type": "null"})),
                    "verdict": one_of(VERDICTS),
                    "why": maybe(TEXT),
                    "more_units": maybe(COUNT),
                }
            )
        ),
        "sample_ratio": record(
            {"asked": maybe(by_key(RATIO)), "p_value": maybe(RATIO), "mismatch": maybe(YES_NO)},
        ),
        "warnings": listed(TEXT),
    }
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

PROMPTS = record(
    {
        **ASKED,
        "rows": listed(
            record(
                {
                    "prompt": TEXT,
                    "prompt_version": maybe(TEXT),
                    "calls": COUNT,
                    **each("cost_usd cost_per_call_usd", maybe(USD)),
                    "priced_ratio": RATIO,
                    **each("input_tokens_per_call output_tokens_per_call", maybe(NUMBER)),
                    "cache_read_ratio": maybe(RATIO),
                    **each("first_at last_at", INSTANT),
                    "parts": listed(
                        record({"part": TEXT, "tokens_per_call": NUMBER, "share": RATIO, "usd": maybe(USD)})
                    ),
                    "change": maybe(
                        record(
                            {
                                "from_version": maybe(TEXT),
                                **each("input_tokens_per_call output_tokens_per_call", maybe(NUMBER)),
                                **each("cost_per_call_usd monthly_usd", maybe(USD)),
                                "parts": listed(record({"part": TEXT, "tokens_per_call": NUMBER})),
                            }
                        )
                    ),
                }
            )
        ),
        "rows_left_out": YES_NO,
        "savings": listed(
            record(
                {
                    "prompt": TEXT,
                    "kind": one_of(SAVINGS),
                    "part": TEXT,
                    "tokens_per_call": NUMBER,
                    "share": RATIO,
                    **each("monthly_usd saving_monthly_usd each_monthly_usd", maybe(USD)),
                    "per_call": maybe(NUMBER) | {"description": "Documents that a call asks for: its tag top_k."},
                    "reason": TEXT,
                }
            )
        ),
        "cache_breaks": listed(
            record(
                {
                    **each("prompt provider model", TEXT),
                    "began_at": INSTANT,
                    "ended_at": maybe(INSTANT),
                    **each("hit_ratio_before hit_ratio_after", RATIO),
                    **each("usd_per_day lost_usd", USD),
                }
            )
        ),
    }
)

SIDE = record(
    {
        "value": TEXT,
        "units": COUNT,
        **FIGURES,
        "n": COUNT,
        "errors": maybe(COUNT),
        **each("cost_ci_low_usd cost_ci_high_usd monthly_usd", maybe(USD)),
    },
    {"escalation_rate": RATIO},
)
DECIDE = record(
    {
        **ASKED,
        "by": TEXT,
        **SCORED,
        "margin": NUMBER,
        "unit": one_of((*UNITS, "run")),
        "method": TEXT,
        "sides": listed(SIDE),
        "differences": listed(
            record(
                {
                    "measure": one_of(CHOSEN_BY),
                    **each("difference ci_low ci_high", either(NUMBER, USD, {"type": "null"})),
                    "verdict": one_of(VERDICTS),
                    "why": maybe(TEXT),
                }
            )
        ),
        "monthly": record({"calls": COUNT, **each("change_usd change_lo_usd change_hi_usd", maybe(USD))}),
        "verdict": one_of(CHOICES),
        "reason": TEXT,
        "warnings": listed(TEXT),
    }
)

ANSWERS: Answers = {
    "GET /decide": Answer(DECIDE),
    "GET /quality": Answer(QUALITY),
    "GET /experiments": Answer(EXPERIMENTS),
    "GET /experiments/{name}": Answer(EXPERIMENT, (404,)),
    "GET /tradeoff": Answer(TRADEOFF),
    "GET /routing": Answer(ROUTING),
    "GET /prompts": Answer(PROMPTS),
}
