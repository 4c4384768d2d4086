"""Usage × price = cost, in disjoint lines that add up exactly. The same arithmetic as `price.sql` on the server.

All counts follow OpenTelemetry: input includes cached reads, cache writes and audio or image parts; output includes
reasoning. Each line is rounded half up to 12 decimals; the cost is the sum of the rounded lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from outlay.pricing.catalog import Catalog, Row, shipped
from outlay.pricing.tiers import standard_tier
from outlay.pricing.units import MODAL_PARTS, MODALITIES, REQUIRED_UNITS, TEXT_PARTS, TOKEN_PARTS, UNITS

# An amount that the provider charged, in billionths of a dollar: what one is worth no list or contract says.
CHARGED, USD_PER_MILLION_CHARGED = "provider_fee", Decimal("0.001")
# A request that says how much it searched is billed as such, where the list knows the sizes.
REQUEST_SIZES = ("requests_low", "requests_medium", "requests_high")
_MICRO = Decimal(1_000_000)
_UNIT = Decimal("0.000000000001")
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_ZERO = Decimal(0)
_TOKEN_COUNTS = (
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    *("output_tokens", "reasoning_tokens", *(f"{part}_tokens" for part in MODAL_PARTS)),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call costs at list price.

    Attributes:
        usd: Sum of `lines`.
        lines: USD by part: `input`, `cache_read`, `cache_write`, `cache_write_1h`, `output` … disjoint.
        matched_model: `provider:model` in the price list.
        match_kind: How the name was matched, and what was borrowed (`+standard_tier` …).
        price_version: Version of the snapshot.
    """

    usd: Decimal
    lines: Mapping[str, Decimal]
    matched_model: str
    match_kind: str
    price_version: str


def cost(
    usage: Any,
    provider: str,
    model: str,
    at: datetime,
    service_tier: str = "",
    *,
    request_model: str = "",
    region: str = "",
    catalog: Catalog | None = None,
) -> Cost | None:
    """The list price of one call, None when the model, its price or the usage is unknown.

    Args:
        usage: An `outlay.Usage`, or any object or mapping with its names.
        provider: `gen_ai.provider.name`.
        model: The response's model where known.
        at: Start of the call; naive means UTC.
        service_tier: Tier of the response.
        request_model: Tried when `model` is not in the list.
        region: Where it was answered, where that is not the global endpoint: `eu`, `us-east5` …
        catalog: The list to use instead of the one that ships with the package.
    """
    prices = catalog or shipped()
    match = prices.resolve(provider, request_model, model)
    if match is None:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    tier = standard_tier(service_tier, region)
    counts = counts_of(usage)
    slot = match.model.slot(tier, counts.get("input_tokens") or 0, at)
    row = match.model.at(slot, at)
    if row is None:
        return None
    priced = lines(counts, row)
    if priced is None:
        return None
    amounts, notes = priced
    if match.model.place(tier) is None:
        notes = ["standard_tier", *notes]
    return Cost(
        usd=sum(amounts.values(), _ZERO),
        lines=amounts,
        matched_model=match.model.key,
        match_kind="+".join([match.kind, *notes]),
        price_version=prices.version,
    )


def lines(counts: Mapping[str, int | None], row: Row) -> tuple[dict[str, Decimal], list[str]] | None:
    """The lines of `counts` at the prices of `row` with notes on what was borrowed; None when that is unknown."""
    has_input, has_output = counts.get("input_tokens") is not None, counts.get("output_tokens") is not None
    if (not has_input and row.rates.get("input")) or (not has_output and row.rates.get("output")):
        return None
    effective = rates_of(row.rates)
    used = {part: quantity for part, quantity in quantities_of(counts, row).items() if quantity > 0}
    by_request = is_by_request(row)
    if not has_input and not has_output and not by_request and not used.keys() - {"requests", *TEXT_PARTS}:
        return None
    if any(effective[part] is None for part in used):
        return None
    amounts = {part: usd_of(quantity, effective[part] or _ZERO) for part, quantity in used.items()}
    return {part: usd for part, usd in amounts.items() if usd}, notes_on(counts, used, row)


def is_by_request(row: Row) -> bool:
    """Whether a model is billed by the request and not by token: what a call costs is known whatever it counts."""
    return bool(row.rates.get("requests")) and not row.rates.get("input") and not row.rates.get("output")


def rates_of(rates: Mapping[str, Decimal]) -> dict[str, Decimal | None]:
    """The price of every part, USD per million: its own, or the one above it; None where there is neither."""
    input_rate, output_rate = rates.get("input"), rates.get("output")
    read_rate = rates.get("cache_read", input_rate)
    write_rate = rates.get("cache_write", input_rate)
    effective: dict[str, Decimal | None] = {
        "input": input_rate,
        "cache_read": read_rate,
        "cache_write": write_rate,
        "cache_write_1h": rates.get("cache_write_1h", write_rate),
        "output": output_rate,
        "reasoning": rates.get("reasoning", output_rate),
        "requests": rates.get("requests"),
    }
    for kind in MODALITIES:
        effective[f"input_{kind}"] = rates.get(f"input_{kind}", input_rate)
        effective[f"cache_read_{kind}"] = rates.get(f"cache_read_{kind}", read_rate)
        effective[f"output_{kind}"] = rates.get(f"output_{kind}", output_rate)
    units = {part: rate for part, rate in rates.items() if part not in TOKEN_PARTS}
    return effective | dict.fromkeys(REQUIRED_UNITS) | units | {CHARGED: USD_PER_MILLION_CHARGED}


def quantities_of(counts: Mapping[str, int | None], row: Row | None) -> dict[str, int]:
    """What a call uses of every part that `row` may charge; without a row only what every model is charged for."""
    rates = row.rates if row else {}
    units = [part for part in rates if part not in TOKEN_PARTS]
    quantities = split(counts)
    if "reasoning" not in rates:
        quantities["output"] += quantities["reasoning"]
        quantities["reasoning"] = 0
    for unit in (*REQUIRED_UNITS, *units, CHARGED):
        quantities[unit] = counts.get(unit) or 0
    if "requests" in rates:
        quantities["requests"] = 0 if any(quantities.get(size) for size in REQUEST_SIZES) else 1
    if not any(part in rates for part in TEXT_PARTS) and any(quantities[unit] for unit in units):
        # What is sold by the second or the request, and not by token, costs that whatever tokens it counts.
        quantities |= dict.fromkeys(TOKEN_PARTS - rates.keys(), 0)
    return quantities


def split(counts: Mapping[str, int | None]) -> dict[str, int]:
    """Overlapping counts as disjoint token quantities, never negative: a side's add up to no more than its count.

    Cached tokens and audio or image tokens are two cuts through one input. Where nobody tells how they overlap
    (`cache_read_audio_tokens` …), they do so as little as the counts allow: what finds no room beside cached and
    written tokens was cached. Where they contradict, reads go before writes, and audio before images before video.
    """
    have = {name: count or 0 for name, count in counts.items()}
    parts = [have.get(f"input_{kind}_tokens", 0) for kind in MODALITIES]
    told = [have.get(f"cache_read_{kind}_tokens", 0) for kind in MODALITIES]
    read, write = max(have.get("cache_read_tokens", 0), sum(told)), have.get("cache_write_tokens", 0)
    write = max(write, have.get("cache_write_1h_tokens", 0))
    given = counts.get("input_tokens")
    given = read + write + sum(parts) if given is None else given
    read = min(read, given)
    write = min(write, given - read)
    write_1h = min(have.get("cache_write_1h_tokens", 0), write)
    cached = _fitting(told, read)
    uncached = [max(part - inside, 0) for part, inside in zip(parts, cached, strict=True)]
    fresh = _fitting(uncached, given - read - write)
    unplaced = [
        part - placed if f"cache_read_{kind}_tokens" not in have else 0
        for kind, part, placed in zip(MODALITIES, uncached, fresh, strict=True)
    ]
    also = _fitting(unplaced, read - sum(cached))
    cached = [inside + more for inside, more in zip(cached, also, strict=True)]
    outputs = [have.get(f"output_{kind}_tokens", 0) for kind in MODALITIES]
    reasoning, produced = have.get("reasoning_tokens", 0), counts.get("output_tokens")
    produced = sum(outputs) if produced is None else produced
    outputs = _fitting(outputs, produced)
    reasoning = min(reasoning, produced - sum(outputs))
    quantities = {
        "input": given - read - write - sum(fresh),
        "cache_read": read - sum(cached),
        "cache_write": write - write_1h,
        "cache_write_1h": write_1h,
        "output": produced - sum(outputs) - reasoning,
        "reasoning": reasoning,
    }
    for kind, new, old, out in zip(MODALITIES, fresh, cached, outputs, strict=True):
        quantities |= {f"input_{kind}": new, f"cache_read_{kind}": old, f"output_{kind}": out}
    return quantities


def _fitting(quantities: Sequence[int], room: int) -> list[int]:
    """As much of each quantity as there is room for, the first ones first."""
    fitting = []
    for quantity in quantities:
        fitting.append(min(quantity, room))
        room -= fitting[-1]
    return fitting


def overlap_is_assumed(counts: Mapping[str, int | None]) -> bool:
    """Whether cached tokens and those of a modality may overlap in more than one way, and nothing tells in which."""
    given, read = counts.get("input_tokens") or 0, counts.get("cache_read_tokens") or 0
    written = max(counts.get("cache_write_tokens") or 0, counts.get("cache_write_1h_tokens") or 0)
    untold = [kind for kind in MODALITIES if counts.get(f"cache_read_{kind}_tokens") is None]
    parts = sum(counts.get(f"input_{kind}_tokens") or 0 for kind in untold)
    return parts > 0 and read > 0 and max(parts + read + written - given, 0) < min(parts, read)


def notes_on(counts: Mapping[str, int | None], used: Mapping[str, int], row: Row) -> list[str]:
    """What the price of a used part was taken from, in the words that `price.sql` uses."""
    rates = row.rates
    notes = []
    if "*" in row.borrowed:
        notes.append("standard_tier")
    elif row.borrowed & used.keys():
        notes.append("standard_part")
    if "cache_read" in used and "cache_read" not in rates:
        notes.append("read_at_input")
    if ("cache_write" in used or ("cache_write_1h" in used and "cache_write_1h" not in rates)) and (
        "cache_write" not in rates
    ):
        notes.append("write_at_input")
    elif "cache_write_1h" in used and "cache_write_1h" not in rates:
        notes.append("write_1h_at_5m")
    if any(part in used and part not in rates for part in MODAL_PARTS if part != "input_image"):
        notes.append("modality_at_text")
    if overlap_is_assumed(counts):
        notes.append("overlap_assumed")
    return notes


def usd_of(quantity: int, usd_per_million: Decimal) -> Decimal:
    """A line: quantity by price, rounded half up to 12 decimals."""
    exact = _EXACT.divide(_EXACT.multiply(Decimal(quantity), usd_per_million), _MICRO)
    return exact.quantize(_UNIT, context=_EXACT)


def counts_of(usage: Any) -> dict[str, int | None]:
    """The counts of a Usage, a mapping or any object with those names; what is absent stays absent."""
    if isinstance(usage, Mapping):
        found = {name: value for name, value in usage.items() if _is_count(value)}
        other = usage.get("other")
    else:
        found = {name: getattr(usage, name, None) for name in (*_TOKEN_COUNTS, *REQUIRED_UNITS, *UNITS)}
        other = getattr(usage, "other", None)
    if isinstance(other, Mapping):
        found |= {name: value for name, value in other.items() if _is_count(value)}
    return {name: max(int(count), 0) for name, count in found.items() if count is not None}


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
