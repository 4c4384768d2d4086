"""Known causes of a difference between bill and calls, each set aside in the cells before what is left is judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from outlay.pricing.tiers import standard_tier
from outlay_analytics.query.amounts import PICO
from outlay_analytics.reconcile import reasons
from outlay_analytics.reconcile.cells import Cell, Cells, Key
from outlay_analytics.reconcile.reasons import ZERO

TIERS = ("standard", "batch", "flex", "priority")
SMALL_USD = Decimal("0.000001")
MAX_CALLS = 1_000_000  # so many are priced again to look for another tier: two CPU-seconds each
NAMED_OTHERWISE = "(named otherwise)"
# Calls of models between two days, priced as if in a tier: rows of day, provider, model, matched_model, own_tier, usd.
AtTier = Callable[[date, date, Sequence[str], str], Sequence[Mapping[str, Any]]]


def join_strangers(cells: dict[Key, Cell]) -> None:
    """Where the bill's names are strange, and what it bills under them is what calls of the same day seem to lack:
    these are the same, and compared as one."""
    by_day: dict[tuple[date, str], list[Key]] = defaultdict(list)
    for key in cells:
        by_day[key[:2]].append(key)
    for (day, provider), keys in by_day.items():
        strange = [key for key in keys if not cells[key].has_name and not cells[key].counts["calls"]]
        lacking = [key for key in keys if cells[key].computed > 0 and cells[key].residual - cells[key].credit < 0]
        billed = sum((cells[key].residual for key in strange), ZERO)
        apart = billed + sum((cells[key].residual - cells[key].credit for key in lacking), ZERO)
        if not strange or not lacking or abs(apart) > max(SMALL_USD, reasons.NEAR * billed):
            continue
        joined = Cell()
        for key in (*strange, *lacking):
            joined.add(cells.pop(key))
        cells[day, provider, NAMED_OTHERWISE] = joined


def fees(cells: Mapping[Key, Cell]) -> None:
    """Tools that are billed and that no call reports."""
    for cell in cells.values():
        unreported = min(cell.fee - cell.computed_fees, cell.residual - cell.credit)
        if cell.fee and unreported > 0:
            cell.known["fee"] = unreported


def stated_discounts(cells: Iterable[Cell]) -> None:
    """Credits, and what the bill says is below list, less what our own contracted prices take off already."""
    for cell in cells:
        off = cell.credit
        if cell.listed:
            off += sum((usd - listed for usd, listed in cell.listed), ZERO) - (cell.computed - cell.list_cost)
        if off:
            cell.known["discount"] = cell.known.get("discount", ZERO) + off


def tiers(table: Cells, at_tier: AtTier) -> None:
    """Where a difference is left, see whether another service tier explains it; the largest differences first."""
    open_cells = {
        key: cell
        for key, cell in table.by_key.items()
        if cell.computed > 0 and abs(cell.rest) > max(SMALL_USD, reasons.NEAR * cell.computed)
    }
    ranked, calls = sorted(open_cells, key=lambda key: -abs(open_cells[key].rest)), 0
    for key in ranked:
        calls += open_cells[key].counts["calls"]
        if calls > MAX_CALLS:
            del open_cells[key]
    if not open_cells:
        return
    models = sorted({model for cell in open_cells.values() for model in cell.models})
    days = [key[0] for key in open_cells]
    stated = {tier for cell in open_cells.values() for tier in cell.billed_tiers if tier}
    at: dict[Key, dict[tuple[str, str], Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for tier in sorted(stated or set(TIERS)):
        for row in at_tier(min(days), max(days), models, tier):
            place, ours = table.key(row), standard_tier(row["own_tier"])
            if place in open_cells and ours != tier:
                at[place][ours, tier] += row["usd"]
    for key, cell in open_cells.items():
        if any(cell.billed_tiers):
            change: Decimal | None = reasons.tier_stated(cell.billed_tiers, cell.computed_tiers, at[key])
        else:
            change = reasons.tier_fitting(cell.rest, cell.computed_tiers, at[key]) if cell.clean else None
        if change:
            cell.known["tier_mismatch"] = change


def constant_rates(cells: Mapping[Key, Cell]) -> dict[tuple[str, str], Decimal]:
    """Where the same share is off or on top on every day of a model, or of a provider whose models have too few days:
    a discount, a premium, or what a region costs. Credits and fees are set aside before.

    Returns:
        What was paid of the computed cost by provider and model.
    """
    open_cells = {
        key: cell
        for key, cell in cells.items()
        if "tier_mismatch" not in cell.known and cell.computed > 0 and cell.computed + cell.rest > 0
    }
    rates: dict[tuple[str, str], Decimal] = {}
    by_model: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    by_provider: dict[str, list[Cell]] = defaultdict(list)
    for (_, provider, model), cell in open_cells.items():
        by_model[provider, model].append(cell)
        by_provider[provider].append(cell)

    def ratio(found: Iterable[Cell]) -> Decimal | None:
        return reasons.constant_ratio((cell.computed + cell.rest, cell.computed) for cell in found if cell.clean)

    for (provider, model), found in by_model.items():
        paid = ratio(found)
        if paid is None and len(found) < reasons.CLEAN_DAYS:
            paid = ratio(by_provider[provider])
        if paid is None:
            continue
        rates[provider, model] = paid
        reason = reasons.reason_of(paid)
        for cell in found:
            off = cell.rest if cell.clean else (cell.computed * (paid - 1)).quantize(PICO)
            cell.known[reason] = cell.known.get(reason, ZERO) + off
    return rates
