"""Answers of experiments: arms beside their control, and two values compared for a decision."""

from __future__ import annotations

from outlay_analytics.questions.decide import CHOICES
from outlay_analytics.questions.decide import MEASURES as CHOSEN_BY
from outlay_analytics.questions.experiments import MEASURES, UNITS, VERDICTS
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.quality import FIGURES, SCORED
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
    "GET /experiments": Answer(EXPERIMENTS),
    "GET /experiments/{name}": Answer(EXPERIMENT, (404,)),
    "GET /decide": Answer(DECIDE),
}
