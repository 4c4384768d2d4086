"""The compiled price document: it is what the catalogue says, and the shipped snapshot is that document."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import outlay.pricing
from outlay.pricing.catalog import Catalog, slot_of
from outlay.pricing.price_file import NAME
from outlay_collector.prices.catalogue import PARTS, compile_document
from outlay_collector.prices.corrected import load_corrections
from outlay_collector.prices.snapshot import render


def test_the_snapshot_of_the_sdk_is_compiled_from_the_installed_catalogue() -> None:
    shipped = gzip.decompress(Path(outlay.pricing.__file__).with_name(NAME).read_bytes()).decode()
    assert shipped == render(), "run: python -m outlay_collector.prices.snapshot"
    assert shipped == (Path(outlay.__file__).parents[1] / "prices.json").read_text(encoding="utf-8")


def test_every_correction_has_a_source_and_the_file_a_date() -> None:
    corrections = load_corrections()
    assert date.fromisoformat(corrections["checked"])
    assert all(entry["source"] for entry in (*corrections["tiers"], *corrections["free"], *corrections["models"]))


def test_standard_prices_are_those_of_the_catalogue_at_any_moment() -> None:
    from genai_prices.data_snapshot import get_snapshot

    catalog = Catalog(compile_document())
    corrected = {(entry["provider"], entry["id"]) for entry in load_corrections()["models"]}
    free = {entry["source"] for entry in load_corrections()["free"]}
    rng = random.Random(5)
    compared = 0
    for provider in get_snapshot().providers:
        for entry in provider.models:
            model = catalog.get(provider.id, entry.id)
            assert model is not None
            if (provider.id, entry.id) in corrected or model.rows[0].source in free:
                continue
            for _ in range(3):
                at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(94_000_000))
                size = rng.randrange(len(model.thresholds) + 1)
                tokens = model.thresholds[size - 1] + 1 if size else 1
                row = model.at(slot_of(0, size, model.slot("standard", tokens, at) & 255), at)
                assert (dict(row.rates) if row else {}) == _theirs(entry.get_prices(at), tokens), (entry.id, at, tokens)
                compared += 1
    assert compared > 6000


def test_prices_of_tiers_are_those_of_the_catalogue_once_it_has_them() -> None:
    from genai_prices.data_snapshot import get_snapshot

    catalog = Catalog(compile_document())
    rng = random.Random(6)
    compared = 0
    for provider in get_snapshot().providers:
        for entry in provider.models:
            model = catalog.get(provider.id, entry.id)
            assert model is not None
            for key, tier in {next(iter(variant.when.items())) for variant in entry.price_variants or ()}:
                if tier not in model.tiers:
                    continue
                index = model.tiers.index(tier)
                for _ in range(6):
                    at = datetime(2026, 10, 16, tzinfo=UTC) + timedelta(seconds=rng.randrange(10_000_000))
                    size = rng.randrange(len(model.thresholds) + 1)
                    tokens = model.thresholds[size - 1] + 1 if size else 1
                    row = model.at(slot_of(index, size, model.slot(tier, tokens, at) & 255), at)
                    assert row is not None
                    theirs = _theirs(entry.get_prices(at, {key: tier}), tokens)
                    assert dict(row.rates) == theirs, (entry.id, tier, at, tokens)
                    compared += 1
    assert compared > 900


def _theirs(prices: Any, tokens: int) -> dict[str, Decimal]:
    rates = {}
    for key, value in prices.__dict__.items():
        if value is None or key not in PARTS:
            continue
        price = value
        if hasattr(value, "tiers"):
            price = value.base
            for tier in value.tiers:
                price = tier.price if tokens > tier.start else price
        part, factor = PARTS[key]
        rates[part] = (price * factor).quantize(Decimal("0.000000000001"))
    return rates


def test_free_is_only_what_a_correction_says_and_the_catalogue_gives_no_price() -> None:
    catalog = Catalog(compile_document())
    zero = {"input": Decimal(0), "output": Decimal(0)}
    sources = {entry["source"] for entry in load_corrections()["free"]}
    free = [model for model in catalog.models() if model.rows[0].source in sources]
    assert len(free) > 100
    assert all([dict(row.rates) for row in model.rows] == [zero] for model in free)
    assert {model.provider for model in free if not model.id.endswith(":free")} == {"openai", "google"}
    unknown = catalog.get("github-copilot", "gpt-4o")
    assert unknown is not None
    assert not any(row.rates for row in unknown.rows)


def test_midnight_belongs_to_the_new_price() -> None:
    model = Catalog(compile_document()).get("openai", "gpt-5.6-luna")
    assert model is not None
    midnight = datetime.combine(date(2026, 7, 30), time(), UTC)
    before, after = model.at(0, midnight - timedelta(microseconds=1)), model.at(0, midnight)
    assert before is not None
    assert after is not None
    assert (before.rates["input"], after.rates["input"]) == (Decimal(1), Decimal("0.2"))
