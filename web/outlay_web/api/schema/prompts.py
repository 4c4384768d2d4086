"""Answers about prompts: what versions cost, what could be sent less of, and where a cache broke."""

from __future__ import annotations

from outlay_analytics.questions.prompt_savings import KINDS as SAVINGS
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.questions import ASKED
from outlay_web.api.schema.shapes import (
    COUNT,
    INSTANT,
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

ANSWERS: Answers = {"GET /prompts": Answer(PROMPTS)}
