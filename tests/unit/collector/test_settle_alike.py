"""Calls that are priced alike cost at once what each of them costs by itself, and nearly all are priced so."""

from __future__ import annotations

import random
from dataclasses import asdict
from datetime import timedelta
from typing import Any, cast

import pytest
from tests.pricing_world import NOW, asked, costs_of, priced_alike, requests_of

from outlay.pricing.catalog import EPOCH, Catalog
from outlay.pricing.price_file import price_document
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.periods import PricePeriod
from outlay_collector.prices.reckon import COUNTS, Asked, Priced, Reckoner
from outlay_collector.settle import alike
from outlay_collector.settle.pricing import MANY_CALLS, price

MODELS = (
    ("openai", "gpt-4o-2024-11-20"),
    ("openai", "gpt-5-mini"),
    ("openai", "o3-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"),  # dearer above 200,000 tokens
    ("deepseek", "deepseek-chat"),  # was cheaper at night
    ("openai", "no-such-model"),
    ("", ""),
)


@pytest.fixture(scope="module")
def reckoner() -> Reckoner:
    """One project; the list is only in the store for a month long ago."""
    document = price_document()
    lists = ((EPOCH, "v"), (NOW - timedelta(days=90), "elsewhere"), (NOW - timedelta(days=60), "v"))
    periods = tuple(PricePeriod(start, version) for start, version in lists)
    return Reckoner({"v": Catalog({**document, "version": "v"})}, "v", {"default": periods})


def row(rng: random.Random, **changes: Any) -> dict[str, Any]:
    provider, model = rng.choice(MODELS)
    counts = {name: rng.choice([None, 0, rng.randrange(10), rng.randrange(300_000)]) for name in COUNTS}
    return {
        "project": "default",
        "provider": provider,
        "request_model": model,
        "response_model": rng.choice(["", model]),
        "service_tier": rng.choice(["", "batch", "priority", "mystery"]),
        "region": rng.choice(["", "", "eu"]),
        "started_at": NOW - timedelta(days=rng.randrange(400), seconds=rng.randrange(86_400)),
        "state_hint": rng.choice(["", "", "estimated", "no_usage", "not_billed", "cached"]),
        "other_usage": {},
        **counts,
        **changes,
    }


def test_what_is_alike_costs_what_each_costs_alone(reckoner: Reckoner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "MOST_GROUPS", 1_500)
    rng = random.Random(5)
    rows = [row(rng) for _ in range(1_500)]
    found = list(priced_alike(reckoner, rows))
    for call, costs in found:
        alone = reckoner.price(asked(dict(call)))
        assert alone is not None
        assert costs == asdict(alone), call
    states = {costs["cost_state"] for _, costs in found}
    assert states == {"computed", "estimated", "no_usage", "not_billed", "cached", "unpriced"}
    assert len(found) > 1_000


def test_many_calls_of_some_models_are_priced_without_looking_at_each(
    reckoner: Reckoner, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(7)
    usage = {"input_tokens": 1, "output_tokens": 1, "cache_read_tokens": None, "cache_write_tokens": None}
    usage |= {"cache_write_1h_tokens": None, "reasoning_tokens": None}
    rows = [
        row(rng, started_at=NOW, state_hint="", service_tier="", region="", response_model="")
        | usage
        | {"provider": "openai", "request_model": "gpt-5-mini", "input_tokens": 1 + n, "output_tokens": 1 + 7 * n}
        for n in range(1_000)
    ]
    reckoned: list[Asked] = []
    alone = Reckoner.price

    def price(self: Reckoner, call: Asked) -> Priced | None:
        reckoned.append(call)
        return alone(self, call)

    monkeypatch.setattr(Reckoner, "price", price)
    assert len(list(priced_alike(reckoner, rows))) == len(rows)
    assert len(reckoned) == 1


def test_calls_of_a_run_stay_in_order_whichever_way_they_are_priced(reckoner: Reckoner) -> None:
    class Book:
        def reckoner(self, writer: object, projects: set[str]) -> Reckoner:
            assert projects == {"default"}
            return reckoner

    rng = random.Random(11)
    plain = {"provider": "openai", "request_model": "gpt-5-mini", "response_model": "", "started_at": NOW}
    rows = [row(rng, **plain, other_usage={"web_searches": n} if n % 3 == 0 else {}) for n in range(MANY_CALLS)]
    found = list(costs_of(price(cast(Any, None), cast(PriceBook, Book()), requests_of(rows))))
    assert found == [asdict(alone) for each in rows if (alone := reckoner.price(asked(each)))]


def test_what_is_not_plain_is_left(reckoner: Reckoner, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    plain = {"provider": "openai", "request_model": "gpt-5-mini", "started_at": NOW, "state_hint": ""}
    searches = row(rng, **plain, other_usage={"web_searches": 2})
    huge = row(rng, **plain, input_tokens=10**18)
    untold = row(rng, **plain | {"started_at": NOW - timedelta(days=70)})  # its list is only in the store
    rows = [searches, huge, untold, row(rng, **plain)]
    assert [call for call, _ in priced_alike(reckoner, rows)] == rows[3:]
    monkeypatch.setattr(alike, "MOST_GROUPS", 0)
    assert not list(priced_alike(reckoner, rows))


def test_a_group_whose_first_call_comes_out_otherwise_is_left(
    reckoner: Reckoner, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(3)
    rows = [row(rng, provider="openai", request_model="gpt-5-mini", started_at=NOW, state_hint="") for _ in range(9)]
    assert any(costs["cost_usd"] for _, costs in priced_alike(reckoner, rows))
    monkeypatch.setattr(alike, "_quantities", lambda counts: counts.clip(0) + 1)
    assert not any(costs["cost_usd"] for _, costs in priced_alike(reckoner, rows))
