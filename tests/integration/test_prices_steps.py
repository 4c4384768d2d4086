"""Which price holds: for so much input, at this moment, of this service tier."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.pricing_world import NOW, USAGE, Desk, call

from outlay.pricing.catalog import Model


def test_a_context_tier_begins_strictly_above_its_threshold_and_counts_the_cache(desk: Desk) -> None:
    below, above, cached = desk.price(
        call("gemini-2.5-pro", "gcp.gemini", input_tokens=200_000, output_tokens=0),
        call("gemini-2.5-pro", "gcp.gemini", input_tokens=200_001, output_tokens=0),
        call("gemini-2.5-pro", "gcp.gemini", input_tokens=200_001, cache_read_tokens=200_000, output_tokens=1000),
    )
    assert below["cost_usd"] == Decimal("0.25")
    assert above["cost_usd"] == Decimal("0.5000025")
    assert cached["cost_lines"]["output"] == Decimal("0.015")


def test_within_a_tier_more_tokens_never_cost_less(desk: Desk) -> None:
    steps = [call("gpt-5.4", input_tokens=tokens, output_tokens=10) for tokens in range(0, 272_001, 16_000)]
    costs = [row["cost_usd"] for row in desk.price(*steps)]
    assert costs == sorted(costs)
    assert len(set(costs)) == len(costs)


def _input_line(rates: Mapping[str, Decimal], tokens: int) -> Decimal:
    return (tokens * rates["input"] / 1_000_000).quantize(Decimal("1e-12"), ROUND_HALF_UP)


def _own(desk: Desk) -> list[Model]:
    """Models that are found by their own name, and priced at every hour alike."""
    catalog = desk.book.catalog
    found = [(model, catalog.find(model.provider, model.id)) for model in catalog.models() if not model.windows]
    return [model for model, match in found if match is not None and match.model.key == model.key]


def test_every_threshold_of_every_model_is_a_cliff_of_one_token(desk: Desk) -> None:
    calls, lines = [], []
    for model in _own(desk):
        for threshold in model.thresholds:
            for tokens in (threshold, threshold + 1):
                row = model.at(model.slot("standard", tokens, NOW), NOW)
                if row is not None and row.rates.get("input"):
                    calls.append(call(model.id, model.provider, input_tokens=tokens, output_tokens=0))
                    lines.append(_input_line(row.rates, tokens))
    assert len(calls) > 100
    assert [row["cost_lines"]["input"] for row in desk.price(*calls)] == lines


def test_every_dated_price_holds_from_its_first_instant_and_not_before(desk: Desk) -> None:
    calls, lines = [], []
    for model in _own(desk):
        rows = sorted((row for row in model.rows if row.slot == 0), key=lambda row: row.valid_from)
        for before, after in pairwise(rows):
            for row, at in ((before, after.valid_from - timedelta(microseconds=1)), (after, after.valid_from)):
                if row.rates.get("input"):
                    calls.append(call(model.id, model.provider, at, output_tokens=0))
                    lines.append(_input_line(row.rates, 1000))
    assert len(calls) > 20
    assert [row["cost_lines"]["input"] for row in desk.price(*calls)] == lines


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_within_a_slot_another_token_never_makes_a_call_cheaper(desk: Desk, data: st.DataObject) -> None:
    # Of a model without a price for output (embeddings) the first token of output is one that is not priced.
    models = [model for model in _own(desk) if all({"input", "output"} <= row.rates.keys() for row in model.rows)]
    calls = []
    for _ in range(40):
        model = models[data.draw(st.integers(0, len(models) - 1))]  # sampled_from would hash every one
        usage: dict[str, Any] = dict(data.draw(USAGE))
        usage["cache_write_tokens"] += usage["cache_write_1h_tokens"]
        part = data.draw(st.sampled_from(["input_tokens", "output_tokens"]))
        more = {**usage, part: usage[part] + data.draw(st.integers(1, 5_000))}
        counts = usage["input_tokens"], more["input_tokens"]
        if all((counts[0] > threshold) == (counts[1] > threshold) for threshold in model.thresholds):
            calls += [call(model.id, model.provider, **usage), call(model.id, model.provider, **more)]
    costs = [row["cost_usd"] for row in desk.price(*calls)]
    pairs = list(zip(costs[::2], costs[1::2], strict=True))
    assert pairs
    for less, more_usd in pairs:
        assert (less is None) == (more_usd is None)
        assert less is None or less <= more_usd


def test_the_price_of_the_start_of_the_call_counts_to_the_microsecond(desk: Desk) -> None:
    change = datetime(2026, 7, 30, tzinfo=UTC)
    before, after = desk.price(
        call("gpt-5.6-luna", at=change - timedelta(microseconds=1)), call("gpt-5.6-luna", at=change)
    )
    assert before["cost_usd"] == Decimal("0.0016")
    assert after["cost_usd"] == Decimal("0.00032")


PEAK_HOURS = {
    "2026-06-15T02:00:00": "0.435",  # before peak hours existed
    "2026-08-18T00:59:59": "0.66",
    "2026-08-18T01:00:00": "1.32",
    "2026-08-18T03:59:59": "1.32",
    "2026-08-18T04:00:00": "0.66",
    "2026-08-22T02:00:00": "1.32",  # a Saturday, while every day had its peak
    "2026-08-29T02:00:00": "0.66",  # a Saturday, after weekends had become off-peak
    "2026-09-16T07:30:00": "1.32",
    "2026-10-01T07:30:00": "0.66",  # a public holiday in China
    "2026-10-08T07:30:00": "1.32",
}


def test_peak_hours_have_days_and_a_beginning(desk: Desk) -> None:
    calls = [
        call(
            "deepseek-v4-pro",
            "deepseek",
            datetime.fromisoformat(at).replace(tzinfo=UTC),
            input_tokens=1_000_000,
            output_tokens=0,
        )
        for at in PEAK_HOURS
    ]
    assert [row["cost_usd"] for row in desk.price(*calls)] == [Decimal(usd) for usd in PEAK_HOURS.values()]


def test_batch_prices_hold_since_the_service_began_not_since_they_were_listed(desk: Desk) -> None:
    row = desk.one("claude-haiku-4-5", "anthropic", datetime(2026, 1, 5, tzinfo=UTC), service_tier="batch")
    assert (row["cost_usd"], row["match_kind"]) == (Decimal("0.00075"), "exact")
    early = desk.one("gpt-4o-mini", "openai", datetime(2024, 1, 5, tzinfo=UTC), service_tier="batch")
    assert early["match_kind"] == "exact+standard_tier"


def test_an_unknown_service_tier_is_priced_as_standard_and_says_so(desk: Desk) -> None:
    plain, odd = desk.price(call("gpt-4o"), call("gpt-4o", service_tier="ultrafast"))
    assert odd["cost_usd"] == plain["cost_usd"]
    assert odd["match_kind"] == "exact+standard_tier"
