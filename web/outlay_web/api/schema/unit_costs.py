"""Answers of the routes in `api/unit_costs.py`: unit costs and showback."""

from __future__ import annotations

from outlay_analytics.questions.showback import KEYS
from outlay_analytics.questions.unit_costs import PER
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.parts import REMAINDER, VALUES
from outlay_web.api.schema.quality import SCORED
from outlay_web.api.schema.shapes import (
    COUNT,
    INSTANT,
    NUMBER,
    RATIO,
    TEXT,
    TRACE_ID,
    USD,
    each,
    listed,
    maybe,
    one_of,
    part,
    record,
)

ASKED = {"window": part("Window"), "currency": one_of(("USD",))}
TOTAL = {
    "units": COUNT,
    **each("unit_cost_usd cost_usd allocated_usd unallocated_usd", maybe(USD)),
    **each("calls unallocated_calls", COUNT),
    "errors": maybe(COUNT),
    "priced_ratio": maybe(RATIO),
}
MARGIN = {
    "revenue_usd": USD,
    **each("cost_usd margin_usd", maybe(USD)),
    "margin_ratio": maybe(NUMBER),
}
UNALLOCATED = {"const": True, "description": "What no call says a value of."}
UNIT_COSTS = record(
    {
        **ASKED,
        **SCORED,
        "per": one_of(PER),
        "total": record(TOTAL),
        "distribution": record({"units": COUNT, **each("mean_usd p50_usd p90_usd p99_usd max_usd", maybe(USD))}),
        "rows": listed(
            record(
                {
                    "unit": maybe(TEXT),
                    "trace_id": maybe(TRACE_ID),
                    "cost_usd": maybe(USD),
                    "share": maybe(RATIO),
                    "calls": COUNT,
                    "errors": maybe(COUNT),
                    "priced_ratio": maybe(RATIO),
                },
                {"remainder": REMAINDER, "unallocated": UNALLOCATED},
            )
        ),
        "history": listed(record({"time": INSTANT, **TOTAL})),
        "movers": listed(record({"unit": TEXT, **each("cost_usd previous_usd change_usd", USD)})),
        "margins": listed(record({"customer": TEXT, **MARGIN, "calls": COUNT, "priced_ratio": maybe(RATIO)})),
        "margin": maybe(record({"customers": COUNT, **MARGIN})),
    }
)
SHOWBACK = record(
    {
        **ASKED,
        "by": TEXT,
        "split": maybe(one_of(KEYS)),
        "total_usd": maybe(USD),
        **each("shared_usd unallocated_usd", USD),
        "coverage": part("Coverage"),
        "rows": listed(
            record(
                {
                    "direct_usd": maybe(USD),
                    "shared_usd": USD,
                    "total_usd": maybe(USD),
                    "share": maybe(NUMBER),
                    "calls": COUNT,
                    "priced_ratio": maybe(RATIO),
                },
                {**VALUES, "unallocated": UNALLOCATED, "shared": {"const": True, "description": "Named as shared."}},
                tags=maybe(TEXT),
            )
        ),
    }
)
REVENUE = record(
    {
        "currency": one_of(("USD",)),
        "revenue": listed(
            record(
                {
                    "customer": TEXT,
                    "usd_per_month": USD,
                    "valid_from": {"type": "string", "format": "date"},
                    "source": one_of(("outlay.toml", "api")),
                }
            )
        ),
    }
)
ANSWERS: Answers = {
    "GET /unit-costs": Answer(UNIT_COSTS),
    "GET /showback": Answer(SHOWBACK),
    "GET /revenue": Answer(REVENUE),
    "PUT /revenue": Answer(REVENUE),
    "DELETE /revenue/{customer}": Answer(None, (404,)),
}
