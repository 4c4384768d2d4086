"""Answers of the routes in `api/records.py`: calls, traces, scores."""

from __future__ import annotations

from outlay_analytics.questions.trace import LIGHT
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.parts import CALL, NEXT_CURSOR
from outlay_web.api.schema.shapes import (
    COUNT,
    INSTANT,
    NUMBER,
    RATIO,
    SPAN_ID,
    TEXT,
    TRACE_ID,
    USD,
    YES_NO,
    by_key,
    each,
    either,
    listed,
    maybe,
    part,
    record,
)

TRACE = record(
    {
        "trace_id": TRACE_ID,
        "started_at": INSTANT,
        "duration_ms": NUMBER,
        **each("name service feature", maybe(TEXT)),
        "spans": maybe(COUNT),
        **each("calls errors", COUNT),
        **each("input_tokens output_tokens", maybe(COUNT)),
        "cost_usd": maybe(USD),
        "priced_ratio": RATIO,
    }
)

DETAILS = {
    **each("attributes resource_attributes texts", by_key(TEXT)),
    "events": listed(record({"at": INSTANT, "name": TEXT, "attributes": by_key(TEXT)})),
}
ONLY_COUNTED = {
    "calls": listed(
        either(
            part("Call"),
            record({name: CALL[name] for name in LIGHT}) | {"description": "In a trace of more than 1,000 calls."},
        )
    ),
    "of": record({"trace_id": TRACE_ID, "span_id": SPAN_ID}) | {"description": "The call that this span repeats."},
    "lookup": record({"kind": TEXT, "hit": YES_NO, "similarity": maybe(NUMBER), "avoided_usd": maybe(USD)}),
}
SPAN = record(
    {
        "span_id": SPAN_ID,
        "parent_span_id": maybe(SPAN_ID),
        **each("name kind service environment scope_name status status_message", maybe(TEXT)),
        "started_at": INSTANT,
        "duration_ms": NUMBER,
        "flags": listed(TEXT),
        "depth": COUNT,
        "orphan": YES_NO,
        "counted": YES_NO,
        "reason": TEXT,
        **each("cost_usd subtree_cost_usd", maybe(USD)),
    },
    {**DETAILS, **ONLY_COUNTED},
)

WHOLE_TRACE = record(
    {
        "trace_id": TRACE_ID,
        "started_at": INSTANT,
        "duration_ms": NUMBER,
        **each("calls errors span_count", COUNT),
        "cost_usd": maybe(USD),
        "priced_ratio": maybe(RATIO),
        "truncated": YES_NO,
        "spans": listed(SPAN),
        "scores": listed(record({"span_id": maybe(TEXT), "name": TEXT, "value": maybe(NUMBER), "label": maybe(TEXT)})),
    }
)

SCORE = record(
    {
        "trace_id": TRACE_ID,
        "span_id": maybe(TEXT),
        "name": TEXT,
        "value": maybe(NUMBER),
        "label": maybe(TEXT),
    }
)

ANSWERS: Answers = {
    "GET /calls": Answer(record({"calls": listed(part("Call")), "next_cursor": NEXT_CURSOR})),
    "GET /traces": Answer(record({"traces": listed(TRACE), "next_cursor": NEXT_CURSOR})),
    "GET /traces/{trace_id}": Answer(WHOLE_TRACE, (404,)),
    "POST /scores": Answer(SCORE),
}
