"""An amount that the provider charged is worth what it says, at any list, contract or discount."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from outlay.pricing import cost
from outlay.pricing.catalog import Catalog
from outlay_collector.prices.catalogue import compile_document
from outlay_collector.prices.contracts import apply
from outlay_collector.prices.overrides import parse_overrides

OWN = {
    "provider": "openrouter",
    "model": "me/own",
    "valid_from": "2026-01-01",
    "source": "contract",
    "input_usd_per_mtok": "1",
    "output_usd_per_mtok": "1",
}
DISCOUNT = {"provider": "openrouter", "discount": "0.10", "valid_from": "2026-01-01"}


@pytest.mark.parametrize(
    ("model", "tokens_usd"),
    [("openai/gpt-4o", "0.00315"), ("qwen/qwen3-coder:free", "0"), ("me/own", "0.0011")],
)
def test_a_fee_is_worth_what_it_says(model: str, tokens_usd: str) -> None:
    catalog = apply(parse_overrides({"prices": [OWN], "discounts": [DISCOUNT]}), Catalog(compile_document()))
    usage = {"input_tokens": 1000, "output_tokens": 100, "provider_fee": 20_000_000}
    found = cost(usage, "openrouter", model, datetime(2026, 11, 20, tzinfo=UTC), catalog=catalog)
    assert found is not None
    assert found.lines["provider_fee"] == Decimal("0.02")
    assert found.usd == Decimal(tokens_usd) + Decimal("0.02")
