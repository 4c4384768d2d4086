"""What amount and quantity of a bill say together: the unit price that was paid, and how much was never recorded.

Of a meter the bill has an amount A and a quantity Q, the calls a quantity q and a cost C. A ÷ Q is the price p that was
paid, so that A − C = (Q − q)·p + (q·p − C), exactly: what the calls lack, at the price of the bill, and what the price
differs by. Where the bill has no quantities, the provider's own counts beside it stand in.

Tokens that the bill has under one meter of the input and the calls under another (another cache lifetime, cached or
not) are no missing ones: their sum agrees.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

import numpy as np

from outlay_analytics.query.amounts import PICO
from outlay_analytics.reconcile import reasons
from outlay_analytics.reconcile.cells import Cell, Key
from outlay_analytics.reconcile.reasons import EXACT, NEAR, ZERO
from outlay_analytics.reconcile.units import INPUTS

MOST_KEYS = 24
MOST_TOGETHER = 3
UNCOUNTED = ("no_usage", "failed", "estimated")  # calls whose tokens are not known
SMALL_USD = Decimal("0.000001")
SMALL_FLOAT = float(SMALL_USD)
LOOSER = 1.001  # floats only rule out; what they leave is compared exactly


@dataclass(frozen=True)
class Paid:
    """What a cell's quantities say.

    Attributes:
        moved: USD that tokens cost more or less because they are counted under another meter.
        missing: USD of tokens that the calls lack, below zero where the bill lacks them.
        usd: What the calls' tokens cost at the prices of the bill.
        computed: What they cost as they are priced here.
    """

    moved: Decimal
    missing: Decimal
    usd: Decimal
    computed: Decimal


def paid(cell: Cell) -> Paid | None:
    """What the quantities of a cell say; None where they do not cover what it bills."""
    counts = cell.billed_tokens or {meter: Decimal(count) for meter, count in cell.counted.items()}
    amounts = {meter: usd for meter, usd in cell.list_lines.items() if usd}
    if cell.other_meters or not amounts or any(not counts.get(meter) for meter in amounts):
        return None
    moved = missing = usd = computed = ZERO
    for group in (INPUTS, ("output",)):
        lacking, difference = {}, ZERO
        for meter in group:
            billed, ours, cost = (
                counts.get(meter, ZERO),
                Decimal(cell.tokens.get(meter, 0)),
                cell.lines.get(meter, ZERO),
            )
            price = amounts.get(meter, ZERO) / billed if billed else cost / ours if ours else ZERO
            lacking[meter] = billed - ours
            difference += (billed - ours) * price
            usd, computed = usd + ours * price, computed + cost
        whole = max(sum((counts.get(meter, ZERO) for meter in group), ZERO), Decimal(1))
        if abs(sum(lacking.values(), ZERO)) > EXACT * whole:
            missing += difference
        elif any(abs(tokens) > EXACT * whole for tokens in lacking.values()):
            moved += difference
    return Paid(moved.quantize(PICO), missing.quantize(PICO), usd.quantize(PICO), computed)


def missing(cells: Iterable[Cell]) -> None:
    """Set aside what calls lack, and what they count under another meter, where quantities prove it.

    Where the calls are as many as the provider counted, it is their usage that is missing.
    """
    for cell in cells:
        found = paid(cell)
        if found is None or not cell.counts["calls"] or any(cell.counts[name] for name in UNCOUNTED):
            continue
        if found.moved:
            cell.known["meter_mismatch"] = found.moved
        if found.missing > 0:
            cell.known[_lacking(cell)] = found.missing


def _lacking(cell: Cell) -> str:
    return "no_usage" if cell.requests and cell.counts["calls"] >= cell.requests else "missing_calls"


def prices(cells: Mapping[Key, Cell]) -> tuple[dict[tuple[str, str], Decimal], set[Key]]:
    """Set aside what prices differ by, where amount ÷ quantity shows it.

    Returns:
        What was paid of the computed cost by provider and model, and the cells whose price is thereby judged.
    """
    sums: dict[tuple[str, str], list[tuple[Decimal, Decimal]]] = defaultdict(list)
    judged = set()
    for key, cell in cells.items():
        found = paid(cell) if cell.clean and not cell.listed and "tier_mismatch" not in cell.known else None
        if found is None or found.computed <= 0 or found.usd <= 0:
            continue
        judged.add(key)
        ratio = found.usd / found.computed
        if abs(ratio - 1) >= NEAR:
            reason = reasons.reason_of(ratio)
            cell.known[reason] = cell.known.get(reason, ZERO) + found.usd - found.computed
        sums[key[1:]].append((found.usd, found.computed))
    rates = {}
    for model, days in sums.items():
        whole = sum((usd for usd, _ in days), ZERO) / sum((cost for _, cost in days), ZERO)
        alike = all(abs(usd / cost - whole) <= NEAR * whole for usd, cost in days)
        if alike and abs(whole - 1) >= NEAR:
            rates[model] = whole
    return rates, judged


def not_recorded(cells: Mapping[Key, Cell]) -> None:
    """Models that the bill has and no call of any day, beside calls of the same provider; and days without any call of
    a model that is called on others."""
    called = {key[1:] for key, cell in cells.items() if cell.counts["calls"]}
    providers = {provider for provider, _ in called}
    for key, cell in cells.items():
        if key[1] in providers and not cell.counts["calls"] and cell.has_name and cell.by_key and cell.rest > 0:
            cell.known["missing_calls" if key[1:] in called else "not_recorded"] = cell.rest


def unrecorded_keys(cells: Mapping[Key, Cell]) -> list[dict[str, object]]:
    """Which keys or projects of the bill are not recorded: those whose charges are what the calls lack, in every cell.

    Where quantities show how much that is, keys are looked for that come to it; elsewhere what is left of a difference
    is set aside as `missing_calls` if some keys come to it.

    Returns:
        `provider`, `account`, `key` and `usd` of each.
    """
    found: list[dict[str, object]] = []
    for provider in sorted({key[1] for key in cells}):
        mine = [cell for key, cell in cells.items() if key[1] == provider and cell.by_key]
        lacking = [(cell, _lacks(cell)) for cell in mine]
        open_cells = [(cell, usd) for cell, usd in lacking if usd > SMALL_USD]
        for depth in (2, 1):  # by key of a project, then by project
            chosen = _fitting(open_cells, lacking, depth)
            if not chosen:
                continue
            for cell, _ in open_cells:
                usd = _of(cell, chosen, depth)
                if usd and "missing_calls" not in cell.known:
                    cell.known["missing_calls"] = usd
            for one in chosen:
                total = sum((_of(cell, (one,), depth) for cell in mine), ZERO)
                key = one[1] if depth == 2 else ""
                found.append({"provider": provider, "account": one[0], "key": key, "usd": total})
            break
    return found


def _lacks(cell: Cell) -> Decimal:
    if "missing_calls" in cell.known:
        return cell.known["missing_calls"]
    return cell.rest if cell.clean and cell.counts["calls"] else ZERO


def _of(cell: Cell, chosen: Iterable[tuple[str, ...]], depth: int) -> Decimal:
    wanted = set(chosen)
    return sum((usd for names, usd in cell.by_key.items() if names[:depth] in wanted), ZERO)


def _fitting(
    open_cells: list[tuple[Cell, Decimal]], cells: list[tuple[Cell, Decimal]], depth: int
) -> tuple[tuple[str, ...], ...]:
    """The fewest keys that come to what every cell lacks where they are charged; none if no such are there, or if they
    are all there are."""
    sums: dict[tuple[str, ...], Decimal] = defaultdict(lambda: ZERO)
    for cell, _ in open_cells:
        for names, usd in cell.by_key.items():
            sums[names[:depth]] += usd
    everybody = {names[:depth] for cell, _ in cells for names in cell.by_key}
    ranked = sorted((names for names in sums if any(names)), key=lambda names: (-sums[names], names))[:MOST_KEYS]
    amounts = np.array([[float(_of(cell, (names,), depth)) for cell, _ in cells] for names in ranked])
    lacks = np.array([float(usd) for _, usd in cells])
    called = np.array([bool(cell.counts["calls"]) for cell, _ in cells])
    for count in range(1, min(MOST_TOGETHER, len(everybody) - 1) + 1):
        for chosen in combinations(range(len(ranked)), count):
            sums_of = amounts[list(chosen)].sum(axis=0)
            counts_here = (lacks > SMALL_FLOAT) | (called & (sums_of != 0))
            near = np.abs(sums_of - lacks) <= LOOSER * np.maximum(SMALL_FLOAT, float(NEAR) * np.maximum(sums_of, lacks))
            keys = tuple(ranked[k] for k in chosen)
            if near[counts_here].all() and _fits(cells, keys, depth):
                return keys
    return ()


def _fits(cells: Sequence[tuple[Cell, Decimal]], chosen: tuple[tuple[str, ...], ...], depth: int) -> bool:
    """Whether keys come to what every cell lacks, exactly."""
    fits = [
        (_of(cell, chosen, depth), usd)
        for cell, usd in cells
        if usd > SMALL_USD or (cell.counts["calls"] and _of(cell, chosen, depth))
    ]
    return bool(fits) and all(abs(of - usd) <= max(SMALL_USD, NEAR * max(of, usd)) for of, usd in fits)
