"""Usage × price = cost, in disjoint lines that add up exactly. The same arithmetic as `price.sql` on the server.

All counts follow OpenTelemetry: input includes cached reads, cache writes and audio or image parts; output includes
reasoning. Each line is rounded half up to 12 decimals; the cost is the sum of the rounded lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from outlay.pricing.catalog import Catalog, Row, shipped, standard_tier

MODALITIES = ("audio", "image", "video")
# Billed by count instead of by token. Of the first two an unknown price makes the whole cost unknown; the others come
# beside tokens where a model is priced by token, and count only where the list prices them.
REQUIRED_FEES = ("web_searches", "file_searches")
OTHER_FEES = (
    "audio_seconds",
    "input_audio_seconds",
    "input_pages",
    "input_annotated_pages",
    "input_characters",
    "input_messages",
)
_MICRO = Decimal(1_000_000)
_UNIT = Decimal("0.000000000001")
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_ZERO = Decimal(0)


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
        catalog: The list to use instead of the one that ships with the package.
    """
    prices = catalog or shipped()
    match = prices.resolve(provider, request_model, model)
    if match is None:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    tier = standard_tier(service_tier)
    counts = _counts(usage)
    slot = match.model.slot(tier, counts.get("input_tokens") or 0, at)
    row = match.model.at(slot, at)
    if row is None:
        return None
    priced = lines(counts, row)
    if priced is None:
        return None
    amounts, notes = priced
    if tier not in match.model.tiers and tier != "standard":
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
    if not has_input and not has_output and not any(counts.get(fee) for fee in (*REQUIRED_FEES, *OTHER_FEES)):
        return None
    effective = rates_of(row.rates)
    used = {part: quantity for part, quantity in quantities_of(counts, row).items() if quantity > 0}
    if any(effective[part] is None for part in used):
        return None
    amounts = {part: usd_of(quantity, effective[part] or _ZERO) for part, quantity in used.items()}
    return {part: usd for part, usd in amounts.items() if usd}, notes_on(used, row)


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
    for fee in (*REQUIRED_FEES, *OTHER_FEES):
        effective[fee] = rates.get(fee)
    return effective


def quantities_of(counts: Mapping[str, int | None], row: Row | None) -> dict[str, int]:
    """What a call uses of every part that `row` may charge; without a row only what every model is charged for."""
    rates = row.rates if row else {}
    quantities = split(counts)
    if "reasoning" not in rates:
        quantities["output"] += quantities["reasoning"]
        quantities["reasoning"] = 0
    for fee in (*REQUIRED_FEES, *OTHER_FEES):
        quantities[fee] = (counts.get(fee) or 0) if fee in REQUIRED_FEES or fee in rates else 0
    if "requests" in rates:
        quantities["requests"] = 1
    return quantities


def split(counts: Mapping[str, int | None]) -> dict[str, int]:
    """Overlapping counts as disjoint token quantities, never negative."""
    have = {name: count or 0 for name, count in counts.items()}
    write_1h = have.get("cache_write_1h_tokens", 0)
    write = max(have.get("cache_write_tokens", 0), write_1h)
    read = have.get("cache_read_tokens", 0)
    quantities: dict[str, int] = {}
    part_input = part_read = part_output = 0
    for kind in MODALITIES:
        cached = have.get(f"cache_read_{kind}_tokens", 0)
        fresh = max(have.get(f"input_{kind}_tokens", 0) - cached, 0)
        out = have.get(f"output_{kind}_tokens", 0)
        quantities |= {f"input_{kind}": fresh, f"cache_read_{kind}": cached, f"output_{kind}": out}
        part_input, part_read, part_output = part_input + fresh, part_read + cached, part_output + out
    read = max(read, part_read)
    reasoning = min(have.get("reasoning_tokens", 0), max(have.get("output_tokens", 0) - part_output, 0))
    return {
        "input": max(have.get("input_tokens", 0) - read - write - part_input, 0),
        "cache_read": read - part_read,
        "cache_write": write - write_1h,
        "cache_write_1h": write_1h,
        "output": max(have.get("output_tokens", 0) - part_output - reasoning, 0),
        "reasoning": reasoning,
        **quantities,
    }


def notes_on(used: Mapping[str, int], row: Row) -> list[str]:
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
    modal = {f"{side}_{kind}" for kind in MODALITIES for side in ("input", "cache_read", "output")}
    if any(part in used and part not in rates for part in modal - {"input_image"}):
        notes.append("modality_at_text")
    return notes


def usd_of(quantity: int, usd_per_million: Decimal) -> Decimal:
    """A line: quantity by price, rounded half up to 12 decimals."""
    exact = _EXACT.divide(_EXACT.multiply(Decimal(quantity), usd_per_million), _MICRO)
    return exact.quantize(_UNIT, context=_EXACT)


def _counts(usage: Any) -> dict[str, int | None]:
    """The counts of a Usage, a mapping or any object with those names; what is absent stays absent."""
    known = {"input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"}
    known |= {"output_tokens", "reasoning_tokens", *REQUIRED_FEES, *OTHER_FEES}
    known |= {f"{side}_{kind}_tokens" for kind in MODALITIES for side in ("input", "cache_read", "output")}
    if isinstance(usage, Mapping):
        found = {name: usage.get(name) for name in known}
    else:
        found = {name: getattr(usage, name, None) for name in known}
        other = getattr(usage, "other", None)
        if isinstance(other, Mapping):
            found |= {name: other[name] for name in known if name in other}
    return {name: max(int(count), 0) for name, count in found.items() if count is not None}
