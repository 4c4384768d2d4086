"""An estimate of a cascade: what it counts, and what it refuses."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import outlay
from outlay.errors import PriceNotFound

WHEN = datetime(2026, 6, 1, tzinfo=UTC)


def test_an_estimate_counts_the_cheap_attempt_of_escalated_requests() -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000}
    alone = outlay.estimate("openai", "gpt-4o", usage, at=WHEN)
    assert alone.cost_per_request_usd == Decimal("3.5")
    found = outlay.estimate(
        "openai",
        "gpt-4o-mini",
        usage,
        requests_per_month=1000,
        cascade={"model": "gpt-4o", "escalation_rate": 0.2},
        at=WHEN,
    )
    assert (found.cheap_usd, found.expensive_usd) == (Decimal("0.21"), Decimal("3.5"))
    assert found.cost_per_request_usd == Decimal("0.21") + Decimal("0.2") * Decimal("3.5")
    assert found.cost_per_month_usd == Decimal("910")
    assert found.break_even_escalation_rate == pytest.approx(0.94)
    cached = outlay.estimate("openai", "gpt-4o", usage, cache_hit_ratio=0.25, at=WHEN)
    assert cached.cost_per_request_usd == Decimal("2.625")
    batched = outlay.estimate("openai", "gpt-4o", usage, batch_share=1, at=WHEN)
    assert batched.cost_per_request_usd == Decimal("1.75")


def test_an_estimate_refuses_what_it_does_not_know() -> None:
    with pytest.raises(PriceNotFound, match="no-such"):
        outlay.estimate("openai", "no-such-model", {"input_tokens": 1})
    with pytest.raises(ValueError, match="cache_hit_ratio"):
        outlay.estimate("openai", "gpt-4o", {"input_tokens": 1}, cache_hit_ratio=2)


@pytest.mark.parametrize(
    ("usage", "more", "says"),
    [
        ({"input_tokens": 9, "output_tokens": 1, "cache_raed_tokens": 5}, {}, "did you mean 'cache_read_tokens'"),
        ({"input_tokens": 9, "output_tokens": -1}, {}, "whole number of at least 0, not -1"),
        ({"input_tokens": 9, "output_tokens": 1}, {"requests_per_month": -1}, "requests_per_month"),
        ({"input_tokens": 9, "output_tokens": 1}, {"cache_hit_ratio": float("nan")}, "between 0 and 1, not nan"),
        (
            {"input_tokens": 9, "output_tokens": 1},
            {"cascade": {"model": "gpt-4o", "escalation_rate": 0.1, "usages": {}}},
            "did you mean 'usage'",
        ),
    ],
)
def test_an_estimate_refuses_what_would_make_it_wrong(usage: dict[str, int], more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        outlay.estimate("openai", "gpt-4o-mini", usage, at=WHEN, **more)


def test_an_estimate_says_what_is_saved_against_standard_prices_of_the_top_tier() -> None:
    usage = {"input_tokens": 1200, "output_tokens": 300}  # mini 0.00036, gpt-4o 0.006
    cascade = {"model": "gpt-4o", "escalation_rate": 0.2}
    found = outlay.estimate("openai", "gpt-4o-mini", usage, cascade=cascade, cache_hit_ratio=0.5, at=WHEN)
    assert found.cost_per_request_usd == (Decimal("0.00036") + Decimal("0.0012")) / 2
    assert found.saving_usd == Decimal("0.006") - Decimal("0.00078")
    worse = outlay.estimate("openai", "gpt-4o-mini", usage, cascade={**cascade, "escalation_rate": 1}, at=WHEN)
    assert worse.saving_usd == -Decimal("0.00036")
    assert outlay.estimate("openai", "gpt-4o", usage, at=WHEN).saving_usd == 0
