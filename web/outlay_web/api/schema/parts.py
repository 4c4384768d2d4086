"""Parts that several answers share, with the names they have under `components/schemas`."""

from __future__ import annotations

from outlay_analytics.anomalies.incidents import CHANNELS
from outlay_analytics.explain.contributions import NAMES as DRIVERS
from outlay_analytics.query.calendar import PERIODS
from outlay_analytics.query.dimensions import DIMENSIONS
from outlay_web.api.schema.shapes import (
    COUNT,
    DAY,
    INSTANT,
    NUMBER,
    RATIO,
    SPAN_ID,
    TEXT,
    TRACE_ID,
    USD,
    YES_NO,
    Schema,
    by_key,
    each,
    listed,
    maybe,
    one_of,
    part,
    record,
)
from outlay_web.http.errors import CODES

COST_STATES = ("computed", "estimated", "unpriced", "no_usage", "not_billed", "cached")
STATUSES = ("ok", "error")

# A dimension's value in a row: null where the calls do not say, and in a remainder.
VALUES: dict[str, Schema] = {
    name: maybe(COUNT if dimension.number else TEXT) for name, dimension in DIMENSIONS.items()
} | {"cost_state": maybe(one_of(COST_STATES)), "status": maybe(one_of(STATUSES))}
REMAINDER: Schema = {"const": True, "description": "The sum of all that has no row of its own."}
NEXT_CURSOR = maybe(TEXT | {"description": "`cursor` of the next page; null on the last."})

MEASURES: dict[str, Schema] = {
    "cost_usd": maybe(USD),
    "calls": COUNT,
    "errors": COUNT,
    **each(
        "input_tokens cache_read_tokens cache_write_tokens output_tokens reasoning_tokens",
        maybe(COUNT),
    ),
    "uncached_cost_usd": maybe(USD),
    **each("p50_ms p95_ms", maybe(NUMBER)),
    "priced_ratio": maybe(RATIO),
}

CALL: dict[str, Schema] = {
    "call_id": TEXT,
    "trace_id": TRACE_ID,
    "span_id": SPAN_ID,
    "parent_span_id": maybe(SPAN_ID),
    "started_at": INSTANT,
    "duration_ms": NUMBER,
    "time_to_first_token_ms": maybe(NUMBER),
    **each(
        "service environment feature team customer user session task prompt prompt_version provider request_model "
        "response_model model response_id service_tier region operation price_version matched_model match_kind "
        "error_type dialect route_tier route_reason request_id",
        maybe(TEXT),
    ),
    **each(
        "input_tokens cache_read_tokens cache_write_tokens cache_write_1h_tokens output_tokens reasoning_tokens",
        maybe(COUNT),
    ),
    **each("cost_usd list_cost_usd uncached_cost_usd reported_cost_usd", maybe(USD)),
    "cost_lines": by_key(USD),
    "cost_state": one_of(COST_STATES),
    "streamed": maybe(YES_NO),
    "attempt": COUNT,
    "status": one_of(STATUSES),
    "tags": by_key(TEXT),
    "other_usage": by_key(COUNT),
    "flags": listed(TEXT),
    "cascade": maybe(
        record(
            {
                "name": TEXT,
                "run_id": maybe(TEXT),
                "tier": maybe(COUNT),
                "outcome": maybe(TEXT | {"description": "accepted, escalated or failed, as it was sent."}),
                **each("confidence threshold", maybe(NUMBER)),
                "forced": YES_NO | {"description": "The run ended here with an answer that nothing accepted."},
                "judge": YES_NO | {"description": "The call judged an answer of the attempt, and is none itself."},
            }
        )
    ),
    "cache": maybe(
        record(
            {
                "kind": TEXT | {"description": "exact or semantic, as it was sent."},
                "hit": maybe(YES_NO),
                "similarity": maybe(NUMBER),
                **each("avoided_input_tokens avoided_output_tokens", maybe(COUNT)),
                "avoided_usd": maybe(USD),
            }
        )
    ),
    "route_propensity": maybe(RATIO),
    "experiment": maybe(record({"name": TEXT, "arm": maybe(TEXT), "propensity": maybe(RATIO)})),
    "scores": listed(record({"name": TEXT, "value": maybe(NUMBER), "label": maybe(TEXT)})),
}

ANOMALY: dict[str, Schema] = {
    "id": TEXT,
    **each("started_at ended_at", INSTANT),
    "ongoing": YES_NO,
    "scope": record({}, VALUES, tags=maybe(TEXT)),
    "channel": one_of(CHANNELS),
    **each("actual expected actual_usd expected_usd impact_usd impact_lo_usd impact_hi_usd", USD),
    "score": RATIO,
    **each("cause summary", TEXT),
    "explain": record({"drivers": listed(part("Driver")), "sentences": listed(TEXT)}),
    "parts": listed(
        record(
            {
                "scope": record({}, VALUES, tags=maybe(TEXT)),
                **each("started_at ended_at", INSTANT),
                **each("actual_usd expected_usd impact_usd", USD),
            }
        )
    ),
}

BUDGET: dict[str, Schema] = {
    "name": TEXT,
    "amount_usd": USD,
    "period": one_of(PERIODS),
    **each("per rolling_window", maybe(TEXT)),
    "scope": by_key(listed(TEXT)),
    "timezone": TEXT,
    "notify": listed({"type": ["string", "object"], "description": "A channel; its credentials as `***`."}),
    "configured": YES_NO | {"description": "Whether it is from outlay.toml, and so only changed there."},
    "window": part("Window"),
    **each("spent_usd remaining_usd", USD),
    **each("used_ratio elapsed_ratio", NUMBER),
    "projected_usd": maybe(USD),
    "probability_over": maybe(RATIO),
    "note": TEXT,
}

RULE: dict[str, Schema] = {
    **each("name kind watches window", TEXT),
    "threshold": USD | {"description": "In the unit of its kind."},
    "unit": one_of(("usd", "ratio", "times", "ms")),
    **each("per budget", maybe(TEXT)),
    "severity": one_of(("warning", "critical")),
    "scope": by_key(listed(TEXT)),
    "notify": listed({"type": ["string", "object"], "description": "A channel; its credentials as `***`."}),
    "configured": YES_NO,
    "error": maybe(TEXT) | {"description": "Why it cannot be evaluated at present."},
}

HEALS: dict[str, Schema] = {
    "calls": COUNT,
    "usd": maybe(USD),
    "models": maybe(listed(TEXT)),
    **each("first_day last_day", maybe(DAY)),
    "command": maybe(TEXT),
}

PARTS: dict[str, Schema] = {
    "Error": record({"error": record({"code": one_of(CODES.values()), "message": TEXT})}),
    "Window": record({"start": INSTANT, "end": INSTANT}) | {"description": "[start, end)"},
    "Measures": record(MEASURES),
    "Coverage": record(
        {"calls": COUNT, "priced_calls": COUNT, "priced_ratio": maybe(RATIO)},
        {
            "estimated_calls": COUNT | {"description": "Of those with a cost: their tokens are an estimate."},
            "assumed_calls": COUNT | {"description": "A price or a split stands in for one that is not known."},
            "cached_input_unknown_calls": COUNT
            | {"description": "The cost leaves cached input out: nobody tells of it."},
        },
    ),
    "Driver": record({"driver": one_of(DRIVERS), "usd": USD}),
    "Call": record(CALL),
    "Anomaly": record(ANOMALY),
    "Budget": record(BUDGET),
    "Rule": record(RULE),
    "Heals": record(HEALS) | {"description": "Calls without a price that the newest list has a price for."},
}
