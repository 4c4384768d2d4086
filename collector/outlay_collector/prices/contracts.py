"""The user's own prices on top of the catalogue: which rate holds in which slot, from when to when.

A price row holds from `valid_from` until the model's next one, for inputs strictly above `min_input_tokens`, at every
hour, and in every region unless it names one. What a row does not name keeps the catalogue's price, or in a region that
of the row for all of them. Price rows win over discounts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from outlay.pricing.catalog import Catalog, Model, Row, slot_of
from outlay.pricing.regions import ANY_REGION, in_region, regions_around
from outlay_collector.prices.overrides import Discount, Overrides, PriceRow
from outlay_collector.prices.values import SCALE


def apply(overrides: Overrides, catalog: Catalog) -> Catalog:
    """Put the user's prices on top of `catalog` (changed in place) and return it."""
    for discount in overrides.discounts:
        provider = catalog.provider(discount.provider)
        for model in [m for m in catalog.models() if m.provider == provider]:
            if discount.model.lower() in ("", model.id.lower()):
                catalog.put(replace(model, rows=tuple(_discounted(model.rows, discount))))
    by_model: dict[tuple[str, str], list[PriceRow]] = {}
    for row in overrides.prices:
        by_model.setdefault((catalog.provider(row.provider), row.model), []).append(row)
    for (provider, name), rows in by_model.items():
        base = catalog.get(provider, name)
        if base is None:
            match = catalog.find(provider, name)
            base = replace(match.model, provider=provider, id=name) if match and match.kind != "model_owner" else None
        catalog.put(_merged(base or Model(provider, name, ("standard",), (), (), ()), rows))
    for alias in overrides.aliases:
        provider = catalog.provider(alias.provider) if alias.provider else ""
        target = catalog.provider(alias.model_provider) if alias.model_provider else ""
        catalog.alias(provider, alias.alias, target, alias.model)
    return catalog


def _merged(base: Model, contract: list[PriceRow]) -> Model:
    """`base` with the contract's prices in every slot they cover."""
    tiers = tuple(dict.fromkeys((*base.tiers, *(row.service_tier for row in contract))))
    thresholds = tuple(sorted({*base.thresholds, *(row.min_input_tokens for row in contract)} - {0}))
    rows: list[Row] = []
    for tier_index, tier in enumerate(tiers):
        for size_index, above in enumerate((0, *thresholds)):
            for window_index in range(len(base.windows) + 1):
                slot = slot_of(tier_index, size_index, window_index)
                listed = _listed(base, tier, above, window_index)
                steps = [row for row in contract if _holds(row.service_tier, tier) and row.min_input_tokens <= above]
                rows += _timeline(slot, listed, steps)
    return Model(base.provider, base.id, tiers, thresholds, base.windows, tuple(rows))


def _holds(of: str, tier: str) -> bool:
    """Whether a price for a tier is one in a region, too: it is, unless it is for another region."""
    name, _, region = tier.partition("@")
    return of in (tier, name, *(in_region(name, around) for around in regions_around(region)))


def _listed(base: Model, tier: str, above: int, window: int) -> list[Row]:
    """The catalogue's rows that apply to a slot of the merged grid; those of standard where the tier is new."""
    place = base.place(tier)
    tier_index = base.place_or_standard(tier)
    size_index = sum(threshold <= above for threshold in base.thresholds)
    rows = [row for row in base.rows if row.slot == slot_of(tier_index, size_index, window)]
    if place is None and tier != "standard":
        rows = [replace(row, borrowed=frozenset({"*"})) for row in rows]
    return sorted(rows, key=lambda row: row.valid_from)


def _timeline(slot: int, listed: list[Row], steps: list[PriceRow]) -> list[Row]:
    """The rows of one slot over time: the contract's rates where it has any, else the list's."""
    changes = sorted({row.valid_from for row in listed} | {row.valid_from for row in steps})
    rows = []
    for change in changes:
        now = [row for row in listed if row.valid_from <= change]
        row = replace(now[-1], slot=slot) if now else Row(slot, change, {})
        row = replace(row, valid_from=change)
        # What is for a narrower region comes on top; within one, what is for larger inputs, then what began later.
        mine = [step for step in steps if step.valid_from <= change]
        for width in sorted({_narrowness(step.service_tier) for step in mine}):
            alike = [step for step in mine if _narrowness(step.service_tier) == width]
            step = max(alike, key=lambda s: (s.min_input_tokens, s.valid_from))
            row = replace(
                row,
                rates={**row.rates, **step.rates},
                list_rates=row.list_rates or row.rates or step.rates,
                borrowed=frozenset() if "*" in row.borrowed else row.borrowed - step.rates.keys(),
                origin="overlay",
                source=step.source,
                checked="",
            )
        if row.rates:
            rows.append(row)
    return rows


def _narrowness(tier: str) -> int:
    region = tier.partition("@")[2]
    return len(regions_around(region)) if region != ANY_REGION else 1


def _discounted(rows: tuple[Row, ...], discount: Discount) -> Iterable[Row]:
    """`rows` with the discount's start and end as changes of their own."""
    ends = discount.valid_to
    for slot in dict.fromkeys(row.slot for row in rows):
        listed = sorted((row for row in rows if row.slot == slot), key=lambda row: row.valid_from)
        bounds = {discount.valid_from, *([ends] if ends else [])}
        for change in sorted({row.valid_from for row in listed} | {b for b in bounds if b > listed[0].valid_from}):
            row = replace([r for r in listed if r.valid_from <= change][-1], valid_from=change)
            if discount.valid_from <= change and (ends is None or change < ends):
                full = row.list_rates or row.rates
                row = replace(
                    row,
                    rates={p: (rate * (1 - discount.discount)).quantize(SCALE) for p, rate in full.items()},
                    list_rates=full,
                    origin="discount",
                    source=discount.source,
                )
            yield row
