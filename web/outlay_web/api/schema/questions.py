"""Answers of the routes in `api/answers.py`: spend, explain, caching, cascades, forecast, anomalies, report."""

from __future__ import annotations

from outlay_analytics.explain.contributions import NAMES as DRIVERS
from outlay_analytics.forecast.projection import NAMES as BOUNDS
from outlay_analytics.report import GROUPS
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.parts import MEASURES, NEXT_CURSOR, REMAINDER, VALUES
from outlay_web.api.schema.shapes import (
    COUNT,
    DAY,
    INSTANT,
    NUMBER,
    RATIO,
    TEXT,
    TRACE_ID,
    USD,
    YES_NO,
    each,
    listed,
    maybe,
    one_of,
    part,
    record,
)

PREVIOUS = {"previous": part("Measures")}
PAGED = {"next_cursor": NEXT_CURSOR}
ASKED = {"window": part("Window"), "currency": one_of(("USD",))}
BOUNDS_USD = {f"{name}_usd": maybe(USD) for name in BOUNDS}

SPEND = record(
    {
        **ASKED,
        "total": record(MEASURES, PREVIOUS),
        "coverage": part("Coverage"),
        "rows": listed(
            record(
                {"time": maybe(INSTANT), **MEASURES}, {**VALUES, **PREVIOUS, "remainder": REMAINDER}, tags=maybe(TEXT)
            )
        ),
    },
    {**PAGED, "rows_left_out": YES_NO, "groups_left_out": COUNT},
)

EXPLAIN = record(
    {
        **each("base current", part("Measures")),
        "change_usd": maybe(USD),
        "drivers": listed(part("Driver")),
        "cells": listed(record({"driver": one_of(DRIVERS), "usd": USD}, VALUES, tags=maybe(TEXT))),
        "slices": listed(
            record({"where": record({}, VALUES, tags=maybe(TEXT)), "change_usd": USD, "share": NUMBER}),
        ),
        "sentences": listed(TEXT),
        "examples": listed(TRACE_ID),
    }
)

LOOKUPS = record({**each("lookups hits", maybe(COUNT)), "hit_ratio": maybe(RATIO), "avoided_usd": maybe(USD)})
PROVIDER = {
    **each("input_tokens cache_read_tokens cache_write_tokens", maybe(COUNT)),
    "hit_ratio": maybe(NUMBER),
    **each("saving_usd write_premium_usd net_saving_usd", maybe(USD)),
}
CACHES = each("exact semantic", LOOKUPS)
CACHING = record(
    {
        **ASKED,
        "total": record({**CACHES, "provider": record(PROVIDER)}),
        "rows": listed(
            record(
                {"time": maybe(INSTANT), **CACHES, "provider": record(PROVIDER, {"name": maybe(TEXT)})},
                {
                    **{name: value for name, value in VALUES.items() if name != "provider"},
                    "remainder": REMAINDER,
                },
                tags=maybe(TEXT),
            )
        ),
        "opportunities": listed(
            record(
                {
                    "kind": one_of(("prompt", "prefix")),
                    **each("feature provider model prompt", maybe(TEXT)),
                    **each("calls repeats", COUNT),
                    "cost_usd": maybe(USD),
                    "saving_usd": USD,
                    "read_price_ratio": maybe(RATIO),
                    "trace_id": TRACE_ID,
                }
            )
        ),
    },
    PAGED,
)

TIER = record(
    {
        "tier": COUNT,
        "model": maybe(TEXT),
        **each("attempts accepted", COUNT),
        "acceptance_rate": RATIO,
        "cost_usd": maybe(USD),
        "p95_ms": maybe(NUMBER),
    }
)
CASCADE = record(
    {
        "time": INSTANT,
        "name": TEXT,
        **each("runs escalated_runs accepted_runs forced_runs compared_runs", COUNT),
        **each("escalation_rate priced_ratio", RATIO),
        **each("cost_usd wasted_usd cost_per_accepted_usd top_tier_only_usd saving_usd", maybe(USD)),
        "break_even_escalation_rate": maybe(NUMBER),
        "tiers": listed(TIER),
    }
)

GUARANTEED = {
    "guaranteed": maybe(
        record(
            {
                "threshold": NUMBER,
                **each("error_bound confidence", RATIO),
                **each("saving_usd saving_lo_usd saving_hi_usd", maybe(USD)),
                **each("runs runs_missing", COUNT),
            }
        )
    ),
    "guaranteed_reason": maybe(TEXT),
    "runs_missing": COUNT,
}
THRESHOLDS = record(
    {
        "rows": listed(
            record(
                {
                    "threshold": NUMBER,
                    "escalation_rate": RATIO,
                    "cost_per_run_usd": maybe(USD),
                    "quality": maybe(NUMBER),
                }
            )
        ),
        "recommended": maybe(NUMBER),
        "reason": maybe(one_of(("quality", "cost"))),
        "score": maybe(TEXT),
        "runs": COUNT,
        "in_use": listed(NUMBER),
        **GUARANTEED,
    }
)

FORECAST = record(
    {
        "as_of": INSTANT,
        "history": listed(record({"time": INSTANT, "cost_usd": maybe(USD)})),
        "forecast": listed(record({"time": INSTANT, **BOUNDS_USD})),
        "month_end": record(
            {
                "window": part("Window"),
                "spent_usd": USD,
                **BOUNDS_USD,
                **each("scenario_mean_usd budget_usd", maybe(USD)),
                "probability_over": maybe(RATIO),
            }
        ),
        "holidays": listed(record({"day": DAY, "name": TEXT, "calendars": listed(TEXT)})),
        "overlays": listed(
            record({"name": TEXT, "first": DAY, "last": maybe(DAY), "share": maybe(NUMBER), "usd_per_day": maybe(USD)})
        ),
        "scenario": listed(record({"time": INSTANT, **BOUNDS_USD})),
        "backtest": record(
            {
                "mase": maybe(NUMBER),
                "error_ratio": maybe(NUMBER),
                **each("coverage80 coverage95", maybe(RATIO)),
                "cases": COUNT,
                "beats_seasonal_naive": maybe(YES_NO),
            }
        ),
        "notes": listed(TEXT),
    }
)

ANOMALIES = record({"anomalies": listed(part("Anomaly")), "notes": listed(TEXT)}, PAGED)


REPORT = record(
    {
        "day": DAY,
        "window": part("Window"),
        "complete": YES_NO,
        **each("total yesterday", part("Measures")),
        "change_usd": maybe(USD),
        "drivers": listed(part("Driver")),
        "sentences": listed(TEXT),
        "forecast": maybe(record(each("mean_usd lo80_usd hi80_usd", USD))),
        "groups": record(
            {
                name: listed(
                    record(
                        {name: VALUES[name], **each("cost_usd yesterday_usd", maybe(USD)), "calls": COUNT},
                        {"remainder": REMAINDER},
                    )
                )
                for name in GROUPS
            }
        ),
        "budgets": listed(part("Budget")),
        "anomalies": maybe(listed(part("Anomaly"))),
        "notes": listed(TEXT),
        "text": TEXT,
    }
)

CACHE_THRESHOLDS = record(
    {
        **ASKED,
        "rows": listed(
            record(
                {
                    "threshold": NUMBER,
                    **each("hit_ratio wrong_ratio", maybe(RATIO)),
                    "avoided_usd": maybe(USD),
                    "scored": COUNT,
                }
            )
        ),
        "score": maybe(TEXT),
        **each("lookups hits", COUNT),
        "in_use": listed(NUMBER),
        **GUARANTEED,
    }
)
ANSWERS: Answers = {
    "GET /spend": Answer(SPEND),
    "GET /explain": Answer(EXPLAIN),
    "GET /caching": Answer(CACHING),
    "GET /cascades": Answer(record({**ASKED, "cascades": listed(CASCADE)}, PAGED)),
    "GET /caching/thresholds": Answer(CACHE_THRESHOLDS),
    "GET /cascades/{name}/thresholds": Answer(THRESHOLDS, (404,)),
    "GET /forecast": Answer(FORECAST),
    "GET /anomalies": Answer(ANOMALIES),
    "GET /report": Answer(REPORT),
}
