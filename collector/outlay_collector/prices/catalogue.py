"""Compile genai-prices into Outlay's own price document, whose layout `outlay.pricing.catalog` tells.

The catalogue says prices as conditions ("from this date", "between these hours") and variants ("for batch") that are
tried in order at look-up. Here they are spread out once into rows with a start each, so that pricing is one ASOF JOIN.
`corrections.toml` then puts right what the catalogue is known to get wrong, with source and date checked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from outlay.pricing.catalog import slot_of
from outlay.pricing.units import TOKEN_PARTS
from outlay_collector.prices.corrected import (
    EVERY_DAY,
    Entry,
    Rates,
    correct,
    give_away,
    hours_of,
    instant,
    load_corrections,
    plain,
    raise_in_region,
)

SCHEMA = 1

# The catalogue's price keys: our part, and what one catalogue unit is in millions of ours.
PARTS: Mapping[str, tuple[str, Decimal]] = {
    "input_mtok": ("input", Decimal(1)),
    "cache_read_mtok": ("cache_read", Decimal(1)),
    "cache_write_mtok": ("cache_write", Decimal(1)),
    "cache_write_1h_mtok": ("cache_write_1h", Decimal(1)),
    "output_mtok": ("output", Decimal(1)),
    "output_reasoning_mtok": ("reasoning", Decimal(1)),
    "input_audio_mtok": ("input_audio", Decimal(1)),
    "cache_audio_read_mtok": ("cache_read_audio", Decimal(1)),
    "output_audio_mtok": ("output_audio", Decimal(1)),
    "input_image_mtok": ("input_image", Decimal(1)),
    "cache_image_read_mtok": ("cache_read_image", Decimal(1)),
    "output_image_mtok": ("output_image", Decimal(1)),
    "input_video_mtok": ("input_video", Decimal(1)),
    "output_video_mtok": ("output_video", Decimal(1)),
    "web_searches_kcount": ("web_searches", Decimal(1000)),
    "storage_searches_kcount": ("file_searches", Decimal(1000)),
    "requests_kcount": ("requests", Decimal(1000)),
    "audio_hours": ("audio_seconds", Decimal(1_000_000) / 3600),
    "input_audio_hours": ("input_audio_seconds", Decimal(1_000_000) / 3600),
    "input_document_kpages": ("input_pages", Decimal(1000)),
    "input_annotated_document_kpages": ("input_annotated_pages", Decimal(1000)),
    "input_mchars": ("input_characters", Decimal(1)),
    "input_text_messages_kcount": ("input_messages", Decimal(1000)),
}
_SCALE = Decimal("0.000000000001")


def compile_document() -> dict[str, Any]:
    """The whole price document from the installed genai-prices and the corrections."""
    from genai_prices.data_snapshot import get_snapshot

    corrections = load_corrections()
    providers: dict[str, Any] = {}
    for provider in get_snapshot().providers:
        providers[provider.id] = {
            "match": _clauses(provider.provider_match),
            "owns": _clauses(provider.model_match),
            "fallback": list(provider.fallback_model_providers or ()),
            "models": [_model(provider.id, model, corrections["tiers"]) for model in provider.models],
        }
    for rule in corrections["free"]:
        give_away(providers[rule["provider"]]["models"], rule, corrections["checked"])
    for correction in corrections["models"]:
        correct(providers[correction["provider"]]["models"], correction, corrections["checked"])
    for rule in corrections["regions"]:
        for provider in rule["providers"]:
            for entry in providers[provider]["models"]:
                if re.search(rule["model"], entry["id"]):
                    raise_in_region(entry, rule)
    body = {"schema": SCHEMA, "source": source(), "checked": corrections["checked"], "providers": providers}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]
    return {**body, "version": digest}


def source() -> str:
    """The catalogue and its version, without importing it."""
    return f"genai-prices {version('genai-prices')}"


def _clauses(clause: Any) -> list[Any]:
    """A catalogue's match logic as a flat list of alternatives."""
    if clause is None:
        return []
    for attribute, mark in (("equals", "="), ("starts_with", "^"), ("ends_with", "$"), ("contains", "*")):
        if hasattr(clause, attribute):
            return [mark + str(getattr(clause, attribute)).lower()]
    if hasattr(clause, "regex"):
        return ["~" + str(clause.regex)]
    if hasattr(clause, "or_"):
        return [one for part in clause.or_ for one in _clauses(part)]
    every = [_clauses(part) for part in clause.and_]
    if any(len(one) != 1 for one in every):
        raise ValueError(f"a match clause is nested too deep: {clause!r}")
    return [[one[0] for one in every]]


def _model(provider: str, model: Any, tier_rules: Iterable[Mapping[str, Any]]) -> Entry:
    """One catalogue model as an entry of the document."""
    conditions = model.prices if isinstance(model.prices, list) else None
    steps = [(c.constraint, c.prices) for c in conditions] if conditions is not None else [(None, model.prices)]
    variants = [v for v in model.price_variants or () if _tier_of(v.when) is not None and v.prices.__dict__]
    tiers = ["standard", *dict.fromkeys(str(_tier_of(v.when)) for v in variants)]
    every_price = [prices for _, prices in steps] + [v.prices for v in variants]
    thresholds = sorted({t.start for p in every_price for value in p.__dict__.values() for t in _tiers(value)})
    hours = [c for c, _ in steps if c is not None and hasattr(c, "start_time")]
    windows = [_window(c) for c in hours]
    standard_dates = sorted({_start(c) for c, _ in steps if c is None or hasattr(c, "start_date")})
    starts = {id(v): _variant_start(provider, v, standard_dates, tier_rules) for v in variants}

    rows = []
    for tier_index, tier in enumerate(tiers):
        own = [v for v in variants if _tier_of(v.when) == tier]
        dates = sorted({*standard_dates, *(starts[id(v)] for v in own)})
        for window_index, hour in enumerate([None, *hours]):
            for size_index, above in enumerate([0, *thresholds]):
                slot = slot_of(tier_index, size_index, window_index)
                previous = None
                for start in dates:
                    rates = _rates(_standard(steps, start, hour), above)
                    borrowed: set[str] = set()
                    if tier != "standard":
                        rates, borrowed = _overlaid(rates, [v for v in own if starts[id(v)] <= start], above)
                    row = [plain(rates), " ".join(sorted(borrowed))]
                    if row != previous:
                        rows.append([slot, start, *row])
                    previous = row
    entry: Entry = {"id": model.id, "m": _clauses(model.match), "r": rows}
    if len(tiers) > 1:
        entry["t"] = tiers
    if thresholds:
        entry["b"] = thresholds
    if windows:
        entry["w"] = windows
    return entry


def _tier_of(when: Mapping[str, str]) -> str | None:
    """The service tier that a variant is for; None for variants that no reported tier can name."""
    if len(when) != 1:
        return None
    ((key, value),) = when.items()
    return value if key in ("service_tier", "processing", "speed") and value != "default" else None


def _variant_start(
    provider: str, variant: Any, standard_dates: list[str], tier_rules: Iterable[Mapping[str, Any]]
) -> str:
    """When a tier's price began: corrected where the catalogue says the day it was typed in."""
    start = _start(variant.constraint)
    for rule in tier_rules:
        added = provider in rule["providers"] and start[:10] in rule["added"]
        if added and _tier_of(variant.when) == rule["tier"]:
            in_force = max(day for day in standard_dates if day <= start)
            return max(in_force, instant(date.fromisoformat(rule["began"])))
    return start


def _standard(steps: list[tuple[Any, Any]], start: str, hour: Any) -> Any:
    """The standard prices on and after `start`, in the hours of `hour` (a constraint) or outside all of them."""
    chosen = steps[0][1]
    for constraint, prices in steps:
        dated = constraint is None or hasattr(constraint, "start_date")
        if (dated and _start(constraint) <= start) or (not dated and constraint is hour):
            chosen = prices
    return chosen


def _overlaid(standard: Rates, active: list[Any], above: int) -> tuple[Rates, set[str]]:
    """A tier's rates over the standard ones, and the parts that it takes from them (`*` when it has none yet).

    Of several variants the catalogue takes the first that has a part: the newest stands first.
    """
    own: Rates = {}
    for variant in reversed(active):
        own = {**own, **_rates(variant.prices, above)}
    if not own:
        return standard, {"*"}
    return {**standard, **own}, {part for part in standard if part not in own and part in TOKEN_PARTS}


def _rates(prices: Any, above: int) -> Rates:
    """USD per million of each part, for inputs strictly above `above` tokens."""
    rates: Rates = {}
    for key, value in prices.__dict__.items():
        if value is None or key not in PARTS:
            continue
        part, factor = PARTS[key]
        price = value.base if hasattr(value, "tiers") else value
        for tier in _tiers(value):
            price = tier.price if tier.start <= above else price
        rates[part] = (price * factor).quantize(_SCALE)
    return rates


def _tiers(value: Any) -> list[Any]:
    return list(getattr(value, "tiers", ()))


def _start(constraint: Any) -> str:
    return instant(constraint.start_date) if constraint is not None and hasattr(constraint, "start_date") else ""


def _window(constraint: Any) -> list[Any]:
    start, end = constraint.start_time, constraint.end_time
    return hours_of(f"{start:%H:%M}-{end:%H:%M}", EVERY_DAY)
