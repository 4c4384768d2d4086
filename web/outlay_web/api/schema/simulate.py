"""The answer of the route in `api/simulate.py`."""

from __future__ import annotations

from outlay_analytics.questions.experiments import VERDICTS
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.parts import REMAINDER
from outlay_web.api.schema.shapes import COUNT, NUMBER, TEXT, USD, each, listed, maybe, one_of, part, record

FIGURES = {
    **each("actual_usd scenario_usd change_usd actual_per_month_usd scenario_per_month_usd", maybe(USD)),
    "change_ratio": maybe(NUMBER),
    "touched_calls": COUNT,
}
SIMULATED = record(
    {
        "window": part("Window"),
        "currency": one_of(("USD",)),
        **FIGURES,
        "coverage": part("Coverage"),
        "rows": listed(record({"feature": maybe(TEXT), "calls": COUNT, **FIGURES}, {"remainder": REMAINDER})),
        "quality": listed(
            record(
                {
                    "feature": maybe(TEXT),
                    "from_model": maybe(TEXT) | {"description": "null: every other model."},
                    "to_model": TEXT,
                    "score": TEXT,
                    **each("from_n to_n", COUNT),
                    **each("from_mean to_mean difference ci_low ci_high", maybe(NUMBER)),
                    "verdict": one_of(VERDICTS),
                }
            )
        ),
        "caveats": listed(TEXT),
    }
)
ANSWERS: Answers = {"POST /simulate": Answer(SIMULATED)}
