"""Answers about scores: how good a group of calls was."""

from __future__ import annotations

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

ANSWERS: Answers = {"GET /quality": Answer(QUALITY)}
