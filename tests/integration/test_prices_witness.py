"""What spans report that they cost is a witness of what was computed: where the two differ is said, and why."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.settle_world import NOON, World, usage

from outlay_collector.prices.reprice import reprice
from outlay_collector.prices.witness import POLICIES, REASONS, differing, disagreements
from outlay_collector.settle import pricing

WINDOW = (NOON - timedelta(days=1), NOON + timedelta(days=1))
GPT = usage(1000, 100) | {"gen_ai.request.model": "gpt-4o"}  # 0.0035 USD
ROUTED = GPT | {"gen_ai.provider.name": "openrouter", "gen_ai.request.model": "openai/gpt-4o"}
SONAR = GPT | {"gen_ai.provider.name": "perplexity", "gen_ai.request.model": "sonar"}  # 0.0061 USD
UNKNOWN_CACHE = GPT | {"gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "anthropic.claude-opus-4-8"}


def test_calls_that_report_another_cost_are_flagged_and_listed_with_the_reason(world: World) -> None:
    spans = {
        "agrees": GPT | {"outlay.cost.usd": "0.0035"},
        "rounded": GPT | {"gen_ai.usage.cost": "0.0035009"},
        "says nothing": GPT,
        "dearer": GPT | {"gen_ai.usage.cost": "0.01"},
        "dearer again": GPT | {"gen_ai.usage.cost": "0.02"},
        "cheaper": GPT | {"gen_ai.usage.cost": "0.001"},
        "free": GPT | {"outlay.cost.usd": "0"},
        "a tenth more": GPT | {"outlay.cost.usd": "0.00385"},
        "with a fee": SONAR | {"outlay.cost.usd": "0.0261"},
        "another tier": GPT | {"outlay.cost.usd": "0.005", "openai.response.service_tier": "ultrafast"},
        "no price here": GPT | {"gen_ai.request.model": "gpt-99", "outlay.cost.usd": "0.5"},
    }
    for n, (name, attributes) in enumerate(spans.items()):
        world.span(name, attributes, trace=name, at_ms=n)
    botocore: dict[str, Any] = {"scope": "opentelemetry.instrumentation.botocore", "at_ms": 99}
    world.span("cached unknown", UNKNOWN_CACHE | {"gen_ai.usage.cost": "0.05"}, trace="botocore", **botocore)
    world.span("unknown, too", UNKNOWN_CACHE, trace="botocore 2", **botocore)
    flagged = {row["name"] for row in world.calls() if "reported_cost_differs" in row["flags"]}
    assert flagged == set(spans) - {"agrees", "rounded", "says nothing", "no price here"} | {"cached unknown"}
    rows = disagreements(world.store, *WINDOW, project=world.project)
    assert {(row["model"], row["reason"]): (row["calls"], row["difference_usd"]) for row in rows} == {
        ("gpt-99", "only_reported"): (1, Decimal("0.5")),
        ("gpt-4o", "reported_more"): (2, Decimal("0.023")),
        ("sonar", "fee"): (1, Decimal("0.02")),
        ("gpt-4o", "reported_nothing"): (1, Decimal("-0.0035")),
        ("gpt-4o", "reported_less"): (1, Decimal("-0.0025")),
        ("gpt-4o", "assumed_price"): (1, Decimal("0.0015")),
        ("gpt-4o", "region"): (1, Decimal("0.00035")),
        ("anthropic.claude-opus-4-8", "cached_input_unknown"): (1, Decimal("0.04175")),
    }
    assert {row["reason"] for row in rows} <= set(REASONS)
    assert rows[0]["computed_usd"] is None
    counted = differing(world.store, *WINDOW, project=world.project)
    assert counted == {"reported": len(spans), "differing": 9, "cached_input_unknown": 2}


@pytest.mark.parametrize("few", [0, 3, 1000], ids=["in statements", "both ways", "one by one"])
def test_what_a_router_charges_beyond_the_tokens_is_a_line_of_its_own(
    world: World, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing, "FEW_CALLS", few)
    spans = {
        "plain": ROUTED | {"outlay.cost.usd": "0.0035"},
        "with a plugin": ROUTED | {"outlay.cost.usd": "0.0235", "outlay.usage.images": "1"},
        "less": ROUTED | {"outlay.cost.usd": "0"},
        "somebody else's": GPT | {"outlay.cost.usd": "0.0235"},
    }
    for n, (name, attributes) in enumerate(spans.items()):
        world.span(name, attributes, trace=name, at_ms=n)
    rows = {row["name"]: row for row in world.calls()}
    costs = {name: row["cost_usd"] for name, row in rows.items()}
    assert costs == dict.fromkeys(spans, Decimal("0.0035")) | {"with a plugin": Decimal("0.0235")}
    charged = rows["with a plugin"]
    assert charged["cost_lines"]["provider_fee"] == Decimal("0.02")
    assert charged["other_usage"] == {"images": 1, "provider_fee": 20_000_000}
    assert "reported_cost_differs" not in charged["flags"]


def test_what_a_router_charges_is_charged_at_any_price_and_discount(world: World) -> None:
    book, writer = world.settler.prices, world.store.writer()
    own = {"provider": "openrouter", "model": "acme/own", "valid_from": "2020-01-01", "source": "contract"}
    world.span("free", ROUTED | {"gen_ai.request.model": "qwen/qwen3-coder:free", "outlay.cost.usd": "0.02"}, trace="a")
    mini = ROUTED | {"gen_ai.request.model": "openai/gpt-4o-mini"}
    world.span("plain", mini | {"outlay.cost.usd": "0.0235"}, trace="b", at_ms=1)
    world.span("own", ROUTED | {"gen_ai.request.model": "acme/own", "outlay.cost.usd": "0.0215"}, trace="c", at_ms=2)
    before = {row["name"]: row["cost_usd"] for row in world.calls()}
    assert before == {"free": Decimal("0.02"), "plain": Decimal("0.0235"), "own": None}
    gpt = {**own, "model": "openai/gpt-4o-mini", "input_usd_per_mtok": "5", "output_usd_per_mtok": "20"}
    book.put(writer, [{**own, "input_usd_per_mtok": "1", "output_usd_per_mtok": "5"}, gpt])
    assert reprice(book, writer, *WINDOW, project=world.project, dry_run=False)["calls"] == 2
    names = (
        "name",
        "cost_usd",
        "list_cost_usd",
        "uncached_cost_usd",
        "cost_lines",
        "cost_state",
        "other_usage",
        "flags",
    )
    repriced = [{name: row[name] for name in names} for row in world.calls()]
    fees = {row["name"]: (row["cost_usd"], row["cost_lines"]["provider_fee"]) for row in repriced}
    assert fees == {
        "free": (Decimal("0.02"), Decimal("0.02")),
        "plain": (Decimal("0.0235"), Decimal("0.0165")),
        "own": (Decimal("0.0215"), Decimal("0.02")),
    }
    assert reprice(book, writer, *WINDOW, project=world.project)["calls"] == 0
    world.settler.resettle(world.project, *WINDOW)
    assert [{name: row[name] for name in names} for row in world.calls()] == repriced


def test_what_a_library_reckons_is_no_fee_of_a_router(world: World) -> None:
    for n, key in enumerate(("operation.cost", "gen_ai.cost.total_cost", "llm.cost.total", "outlay.cost.usd")):
        world.span(key, ROUTED | {key: "0.0235"}, trace=key, at_ms=n)
    priced_by_openlit = ROUTED | {"gen_ai.usage.cost": "0.0235"}
    world.span("openlit", priced_by_openlit, trace="e", at_ms=9, scope="openlit.instrumentation.openai")
    rows = {row["name"]: row for row in world.calls()}
    assert rows["outlay.cost.usd"]["cost_usd"] == Decimal("0.0235")
    assert "reported_cost_by_library" not in rows.pop("outlay.cost.usd")["flags"]
    for row in rows.values():
        assert (row["cost_usd"], row["reported_cost_usd"]) == (Decimal("0.0035"), Decimal("0.0235"))
        assert set(row["flags"]) >= {"reported_cost_differs", "reported_cost_by_library"}
        assert "provider_fee" not in row["other_usage"]


def test_answers_of_the_application_s_cache_report_no_other_cost(world: World) -> None:
    cached = {"outlay.cache.kind": "exact", "outlay.cache.hit": "true", "outlay.cost.usd": "0.0035"}
    world.span("hit", GPT | cached)
    assert "reported_cost_differs" not in world.call()["flags"]


def test_a_currency_is_that_of_its_own_amount(world: World) -> None:
    world.span("other", GPT | {"outlay.cost.usd": "0.0035", "gen_ai.usage.cost.currency": "EUR"}, trace="a")
    world.span(
        "own", GPT | {"gen_ai.usage.cost.amount": "0.0035", "gen_ai.usage.cost.currency": "EUR"}, trace="b", at_ms=1
    )
    assert [row["reported_cost_usd"] for row in world.calls()] == [Decimal("0.0035"), None]


def test_every_policy_is_on_the_page_about_prices() -> None:
    page = (Path(__file__).parents[2] / "docs" / "prices.md").read_text(encoding="utf-8")
    assert all(meaning in page for meaning in (*POLICIES.values(), *REASONS.values()))
