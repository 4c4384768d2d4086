"""Prices of one's own: contracts, discounts, regions, self-hosted models."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from tests.pricing_world import NOW, call, own_price, priced_with

from outlay.pricing import cost
from outlay_collector.store import Store


def test_a_price_of_ones_own_may_be_for_a_region(store: Store) -> None:
    prices = [
        own_price("acme", "m", input_usd_per_mtok="1", output_usd_per_mtok="0"),
        own_price("acme", "m", input_usd_per_mtok="2", region="eu"),
        own_price("acme", "m", input_usd_per_mtok="3", region="eu-west-1"),
        own_price("acme", "m", input_usd_per_mtok="4", region="regional"),
        own_price("acme", "m", input_usd_per_mtok="5", output_usd_per_mtok="0", region="eu", service_tier="batch"),
    ]
    desk = priced_with(store, {"prices": prices})
    asked = {
        ("", ""): "0.001",
        ("", "eu"): "0.002",
        ("", "europe-west4"): "0.002",
        ("", "eu-west-1"): "0.003",
        ("", "us-east5"): "0.004",
        ("batch", "eu-central-1"): "0.005",
        ("batch", "us-east5"): "0.004",
    }
    rows = desk.price(*(call("m", "acme", service_tier=tier, region=region) for tier, region in asked))
    assert [row["cost_usd"] for row in rows] == [Decimal(usd) for usd in asked.values()]
    for row, (tier, region) in zip(rows, asked, strict=True):
        mine = cost(row, "acme", "m", NOW, tier, region=region, catalog=desk.book.catalog)
        assert mine is not None
        assert (mine.usd, mine.match_kind) == (row["cost_usd"], row["match_kind"])


def test_a_contract_changes_the_cost_and_leaves_the_list_price_beside_it(store: Store) -> None:
    toml = {
        "prices": [
            {
                "provider": "openai",
                "model": "gpt-4o",
                "valid_from": "2026-10-01",
                "source": "contract 17",
                "input_usd_per_mtok": "2.10",
                "output_usd_per_mtok": "8.40",
            }
        ]
    }
    desk = priced_with(store, toml)
    before, after, dated, batch = desk.price(
        call("gpt-4o", at=datetime(2026, 9, 30, 23, tzinfo=UTC)),
        call("gpt-4o", cache_read_tokens=500),
        call("gpt-4o-2024-08-06"),
        call("gpt-4o", service_tier="batch"),
    )
    assert before["cost_usd"] == before["list_cost_usd"] == Decimal("0.0035")
    assert after["cost_lines"] == {
        "input": Decimal("0.00105"),
        "cache_read": Decimal("0.000625"),
        "output": Decimal("0.00084"),
    }
    assert after["list_cost_usd"] == Decimal("0.002875")
    assert after["uncached_cost_usd"] == Decimal("0.00294")
    assert dated["cost_usd"] == Decimal("0.00294")
    assert batch["cost_usd"] == Decimal("0.00175")


def test_discounts_aliases_and_self_hosted_models(store: Store) -> None:
    toml = {
        "discounts": [
            {"provider": "anthropic", "discount": "0.15", "valid_from": "2026-10-01", "valid_to": "2026-12-01"}
        ],
        "aliases": [
            {"provider": "azure.ai.openai", "alias": "my-deployment", "model": "gpt-4o"},
            {"alias": "smart", "model": "claude-opus-4-5", "model_provider": "anthropic"},
        ],
        "prices": [
            {
                "provider": "ollama",
                "model": "llama3",
                "valid_from": "2026-01-01",
                "source": "our own machines",
                "input_usd_per_mtok": "0",
                "output_usd_per_mtok": "0",
            }
        ],
    }
    desk = priced_with(store, toml)
    discounted, ended, deployed, smart, own = desk.price(
        call("claude-haiku-4-5", "anthropic"),
        call("claude-haiku-4-5", "anthropic", datetime(2026, 12, 1, tzinfo=UTC)),
        call("my-deployment", "azure.ai.openai"),
        call("smart", "litellm"),
        call("llama3", "ollama"),
    )
    assert (discounted["cost_usd"], discounted["list_cost_usd"]) == (Decimal("0.001275"), Decimal("0.0015"))
    assert ended["cost_usd"] == Decimal("0.0015")
    assert (deployed["cost_usd"], deployed["match_kind"]) == (Decimal("0.0035"), "contract_alias")
    assert smart["cost_usd"] == Decimal("0.006375")
    assert (own["cost_usd"], own["cost_state"]) == (0, "computed")
    assert desk.one("llama3.1", "ollama")["cost_usd"] is None


def test_a_contract_with_steps_of_its_own(store: Store) -> None:
    row = {"provider": "vllm", "model": "big", "valid_from": "2026-01-01", "source": "s"}
    small = {**row, "input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}
    large = {**row, "input_usd_per_mtok": "3", "output_usd_per_mtok": "4", "min_input_tokens": 100_000}
    desk = priced_with(store, {"prices": [large, small]})
    at, above = desk.price(
        call("big", "vllm", input_tokens=100_000, output_tokens=0),
        call("big", "vllm", input_tokens=100_001, output_tokens=0),
    )
    assert (at["cost_usd"], above["cost_usd"]) == (Decimal("0.1"), Decimal("0.300003"))
