"""Compile genai-prices into Outlay's own price document (`prices.json`, whose layout `outlay.pricing.catalog` tells).

The catalogue says prices as conditions ("from this date", "between these hours") and variants ("for batch") that are
tried in order at look-up. Here they are spread out once into rows with a start each, so that pricing is one ASOF JOIN.
`corrections.toml` then puts right what the catalogue is known to get wrong, with source and date checked.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from outlay.pricing.catalog import slot_of
from outlay.pricing.regions import in_region
from outlay.pricing.units import TOKEN_PARTS, UNITS

SCHEMA = 1
EVERY_DAY = 0b1111111
WORKDAYS = 0b0011111
WEEKEND = 0b1100000

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

Rates = dict[str, Decimal]
Entry = dict[str, Any]


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
        _give_away(providers[rule["provider"]]["models"], rule, corrections["checked"])
    for correction in corrections["models"]:
        _correct(providers[correction["provider"]]["models"], correction, corrections["checked"])
    for rule in corrections["regions"]:
        for provider in rule["providers"]:
            for entry in providers[provider]["models"]:
                if re.search(rule["model"], entry["id"]):
                    _raise_in_region(entry, rule)
    body = {"schema": SCHEMA, "source": source(), "checked": corrections["checked"], "providers": providers}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]
    return {**body, "version": digest}


def source() -> str:
    """The catalogue and its version, without importing it."""
    return f"genai-prices {version('genai-prices')}"


def load_corrections() -> dict[str, Any]:
    """The corrections that ship with Outlay."""
    text = files("outlay_collector.prices").joinpath("corrections.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


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
                    row = [_plain(rates), " ".join(sorted(borrowed))]
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
            return max(in_force, _instant(date.fromisoformat(rule["began"])))
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
    return _instant(constraint.start_date) if constraint is not None and hasattr(constraint, "start_date") else ""


def _instant(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()


def _window(constraint: Any) -> list[Any]:
    start, end = constraint.start_time, constraint.end_time
    return _hours(f"{start:%H:%M}-{end:%H:%M}", EVERY_DAY)


def _hours(text: str, weekdays: int) -> list[Any]:
    """`01:00-04:00` as a window: [name, weekday mask, start second, end second]."""
    start, end = (time.fromisoformat(part) for part in text.split("-"))
    days = {EVERY_DAY: "", WORKDAYS: "mon-fri ", WEEKEND: "sat-sun "}[weekdays]
    return [days + text, weekdays, start.hour * 3600 + start.minute * 60, end.hour * 3600 + end.minute * 60]


def _plain(rates: Rates) -> dict[str, str]:
    return {part: format(rate.normalize(), "f") for part, rate in sorted(rates.items())}


def _give_away(models: list[Entry], rule: Mapping[str, Any], checked: str) -> None:
    """Say 0 for models that cost nothing and that the catalogue lists without any price."""
    for entry in models:
        named = entry["id"] in rule.get("ids", ()) or entry["id"].endswith(rule.get("ending", "\n"))
        if named and not any(row[2] for row in entry["r"]):
            entry.update(s=rule["source"], c=checked, r=[[slot_of(0, 0, 0), "", {"input": "0", "output": "0"}, ""]])


def _raise_in_region(entry: Entry, rule: Mapping[str, Any]) -> None:
    """Add each tier of a model once more, as it is in a region: its tokens cost more by a factor."""
    tiers = entry.get("t", ["standard"])
    added = []
    for slot, start, rates, borrowed in entry["r"]:
        dearer = {
            part: Decimal(rate) * Decimal(rule["factor"]) if part in TOKEN_PARTS else Decimal(rate)
            for part, rate in rates.items()
        }
        added.append([slot + slot_of(len(tiers), 0, 0), start, _plain(dearer), borrowed])
    entry["r"] = [*entry["r"], *added]
    entry["t"] = [*tiers, *(in_region(tier, rule["region"]) for tier in tiers)]


def _correct(models: list[Entry], correction: Mapping[str, Any], checked: str) -> None:
    """Put a corrected price history in place of the catalogue's, or add a name that it lacks."""
    index = next((i for i, entry in enumerate(models) if entry["id"] == correction["id"]), None)
    entry: Entry = {
        "id": correction["id"],
        "m": ["=" + name for name in correction["names"]]
        if "names" in correction
        else models[index]["m"]
        if index is not None
        else ["=" + correction["id"]],
        "s": correction["source"],
        "c": checked,
        "r": [],
    }
    peak = correction.get("peak", [])
    masks = [WORKDAYS, WEEKEND] if "weekends_until" in correction else [EVERY_DAY] if peak else []
    if peak:
        entry["w"] = [_hours(text, mask) for mask in masks for text in peak]
    windows = [0] + [mask for mask in masks for _ in peak]
    for window_index, mask in enumerate(windows):
        previous = None
        for start, rates in _history(correction, mask):
            plain = _plain(rates)
            if plain != previous:
                entry["r"].append([slot_of(0, 0, window_index), start, plain, ""])
            previous = plain
    if index is None:
        models.insert(0, entry)
    else:
        models[index] = entry


def _history(correction: Mapping[str, Any], mask: int) -> list[tuple[str, Rates]]:
    """The dated rates of a corrected model in the windows of `mask` (0 = outside all of them)."""
    prices = correction["prices"]
    starts = [_utc(step.get("valid_from", "")) for step in prices]
    changes = {*starts}
    weekends_until = _utc(correction.get("weekends_until", ""))
    peak_until = _utc(correction.get("peak_until", ""))
    holidays = [date.fromisoformat(day) for day in correction.get("holidays", ())]
    if mask:
        changes |= {weekends_until} if mask == WEEKEND else set()
        changes |= {peak_until} if peak_until else set()
        if mask == WORKDAYS:
            changes |= {_instant(day + timedelta(days=extra)) for day in holidays for extra in (0, 1)}
    history = []
    for change in sorted(changes):
        step = prices[max(index for index, start in enumerate(starts) if start <= change)]
        rates = {part: Decimal(rate) for part, rate in step.items() if part in TOKEN_PARTS or part in UNITS}
        off = (
            not mask
            or (mask == WEEKEND and change >= weekends_until)
            or (bool(peak_until) and change >= peak_until)
            or (mask == WORKDAYS and change in {_instant(day) for day in holidays})
        )
        if not off and "peak_factor" in step:
            rates = {part: rate * Decimal(step["peak_factor"]) for part, rate in rates.items()}
        elif not off and "peak" in step:
            rates = {part: Decimal(rate) for part, rate in step["peak"].items()}
        history.append((change, rates))
    return history


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat() if text else ""
