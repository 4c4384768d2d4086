"""Does the bill say what the calls cost? Per day and model: billed against computed, and why they differ.

A bill names models in its own way and so do calls, so both are looked up in the price list first. A provider is
compared only if the bill has it, and only on the days that the bill covers. Where a bill does not name models, its days
are compared as a whole; tools that it bills apart (searches) are compared with the tool fees of the calls.

`coverage` is the share of the billed USD that is explained: 1 − Σ|unknown| ÷ Σ|billed|, over the cells (day, model), so
that a surplus here cannot hide a deficit there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from outlay.pricing.catalog import standard_tier
from outlay_analytics import reconcile_reasons as reasons
from outlay_analytics.reconcile_bill import Charge, family
from outlay_analytics.reconcile_reasons import REASONS, SCALE, ZERO, Open
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.sql"
TIERS = ("standard", "batch", "flex", "priority")
SMALL_USD = Decimal("0.000001")
MAX_CALLS = 1_000_000  # so many are priced again to look for another tier: two CPU-seconds each
TOOLS = "(tools)"
EVERYTHING = "(all models)"
NO_MODEL = "(no model)"
# Anthropic: "Priority Tier costs use a different billing model and are not included in the cost endpoint."
NOT_IN_FORMAT = {"anthropic_report": ("priority",)}
Row = dict[str, Any]
Name = Callable[[str, str], str | None]  # provider, model as written → the price list's name, None if it has none
# Calls of models between two days, priced as if in a tier: rows of day, provider, model, matched_model, own_tier, usd.
AtTier = Callable[[date, date, Sequence[str], str], Sequence[Mapping[str, Any]]]
Key = tuple[date, str, str]


@dataclass
class Cell:
    """One day of one model: what was billed and what was computed."""

    models: set[str] = field(default_factory=set)
    providers: set[str] = field(default_factory=set)
    billed: Decimal = ZERO
    credit: Decimal = ZERO
    listed: list[tuple[Decimal, Decimal]] = field(default_factory=list)
    billed_tiers: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    computed: Decimal = ZERO
    list_cost: Decimal = ZERO
    computed_tiers: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    estimated: Decimal = ZERO
    priced: Decimal = ZERO
    input: Decimal = ZERO
    known: dict[str, Decimal] = field(default_factory=dict)

    @property
    def residual(self) -> Decimal:
        return self.billed - self.computed

    @property
    def rest(self) -> Decimal:
        return self.residual - sum(self.known.values(), ZERO)

    @property
    def clean(self) -> bool:
        """Whether every call of the cell has a known cost."""
        return not any(self.counts[name] for name in ("unpriced", "no_usage", "estimated", "failed"))


def reconcile(
    store: Store, project: str, bill: Mapping[str, Any], charges: Sequence[Charge], name: Name, at_tier: AtTier
) -> Row:
    """Compare a bill with the calls of its days.

    Args:
        bill: As `reconcile_bills.list_bills` has it.
        charges: Its charges.
        name: Looks a model up in the price list.
        at_tier: Prices calls in another service tier; only asked where a difference is left.

    Returns:
        `bill`, `currency`, `billed_usd`, `computed_usd`, `residual_usd`, `coverage` (None when nothing was billed),
        `residual` (`reason`, `usd`, `calls`, the largest first), `days` and `rows` with `billed_usd`, `computed_usd`,
        `residual_usd`, `<reason>_usd` for each reason, and for rows `day`, `provider`, `model`, `models` (as the calls
        name them), `calls` and the calls that leave the cost open; `left_out` of bill and calls by reason.
    """
    params = {"project": project, "first_day": bill["first_day"], "last_day": bill["last_day"]}
    calls = store.query(load_sql(SQL, "reconcile_calls"), params)
    table = _Table(charges, name, NOT_IN_FORMAT.get(str(bill["format"]), ()))
    for charge in charges:
        table.add_charge(charge)
    for row in calls:
        table.add_calls(row)
    cells = table.cells
    _stated_discounts(cells.values())
    _tiers(table, at_tier)
    _found_discounts(cells)
    means = _means(cells)
    rows = [_row(key, cell, means.get(key[1:], (None, ZERO))) for key, cell in cells.items()]
    rows.sort(key=lambda row: (row["day"], -abs(row["residual_usd"]), row["provider"], row["model"]))
    left_out = dict(bill["left_out"]) | {f"calls: {reason}": usd for reason, usd in table.left_out.items()}
    return {"bill": dict(bill), "currency": "USD", **_total(rows), "days": _days(rows), "rows": rows,
            "left_out": left_out}  # fmt: skip


class _Table:
    """Cells by day, provider and model, filled from both sides."""

    def __init__(self, charges: Iterable[Charge], name: Name, not_billed_tiers: Sequence[str]) -> None:
        self.cells: dict[Key, Cell] = defaultdict(Cell)
        self.left_out: dict[str, Decimal] = {}
        self._name = name
        self._not_billed_tiers = not_billed_tiers
        usage = [charge for charge in charges if charge.kind == "usage"]
        self._providers = {charge.provider for charge in charges}
        self._by_model = {charge.provider for charge in usage if charge.model}
        self._with_tools = {charge.provider for charge in charges if charge.kind == "fee"}

    def add_charge(self, charge: Charge) -> None:
        cell = self.cells[self._key(charge)]
        cell.billed += charge.usd
        if charge.kind == "credit":
            cell.credit += charge.usd
        elif charge.list_usd is not None:
            cell.listed.append((charge.usd, charge.list_usd))
        if charge.kind == "usage":
            cell.billed_tiers[charge.service_tier] += charge.usd

    def add_calls(self, row: Mapping[str, Any]) -> None:
        key = self.key(row)
        if key is None:
            return
        tier, cost, fees = standard_tier(row["service_tier"]), row["cost_usd"], row["fees_usd"]
        if tier in self._not_billed_tiers:
            self.left_out[f"{tier} tier"] = self.left_out.get(f"{tier} tier", ZERO) + cost
            return
        if key[1] in self._with_tools and key[1] in self._by_model and fees:
            tools = self.cells[key[0], key[1], TOOLS]
            tools.computed, tools.list_cost = tools.computed + fees, tools.list_cost + fees
            cost -= fees
        cell = self.cells[key]
        cell.models.add(str(row["model"]))
        cell.providers.add(str(row["provider"]))
        cell.computed += cost
        cell.list_cost += row["list_cost_usd"] - (row["cost_usd"] - cost)
        cell.computed_tiers[tier] += cost
        cell.estimated += row["estimated_usd"]
        cell.priced += row["priced_usd"]
        cell.input += row["input_usd"]
        cell.counts["calls"] += row["calls"]
        for name in ("unpriced", "no_usage", "estimated", "failed", "priced"):
            cell.counts[name] += row[f"{name}_calls"]

    def key(self, row: Mapping[str, Any]) -> Key | None:
        """The cell of a row of calls, None where the bill does not have its provider."""
        provider = family(str(row["provider"]))
        if provider not in self._providers:
            return None
        if provider not in self._by_model:
            return row["day"], provider, EVERYTHING
        model = str(row["model"])
        return row["day"], provider, self._short(str(row["matched_model"]) or self._name(provider, model) or model)

    def _key(self, charge: Charge) -> Key:
        if charge.provider not in self._by_model:
            return charge.day, charge.provider, EVERYTHING
        if not charge.model:
            return charge.day, charge.provider, TOOLS if charge.kind == "fee" else NO_MODEL
        name = self._name(charge.provider, charge.model) or charge.model
        return charge.day, charge.provider, self._short(name)

    @staticmethod
    def _short(name: str) -> str:
        """The price list writes `openai:gpt-4o`."""
        return (name.partition(":")[2] or name).lower()


def _stated_discounts(cells: Iterable[Cell]) -> None:
    """Credits, and what the bill says is below list, less what our own contracted prices take off already."""
    for cell in cells:
        off = cell.credit
        if cell.listed:
            off += sum((usd - listed for usd, listed in cell.listed), ZERO) - (cell.computed - cell.list_cost)
        if off:
            cell.known["discount"] = off


def _tiers(table: _Table, at_tier: AtTier) -> None:
    """Where a difference is left, see whether another service tier explains it; the largest differences first."""
    open_cells = {
        key: cell
        for key, cell in table.cells.items()
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


def _found_discounts(cells: Mapping[Key, Cell]) -> None:
    """Where a bill states no list prices: the same share off on every day of a model is a discount."""
    by_model: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for (_, provider, model), cell in cells.items():
        if not cell.known and not cell.listed and cell.computed > 0 and cell.billed > 0:
            by_model[provider, model].append(cell)
    for found in by_model.values():
        rate = reasons.discount_rate((cell.billed, cell.computed) for cell in found if cell.clean)
        for cell in found if rate is not None else ():
            cell.known["discount"] = cell.residual if cell.clean else -(cell.computed * (rate or ZERO)).quantize(SCALE)


def _means(cells: Mapping[Key, Cell]) -> dict[tuple[str, str], tuple[Decimal | None, Decimal]]:
    """By provider and model: the average cost of a call whose cost is known, and of its input."""
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO])
    for (_, provider, model), cell in cells.items():
        one = sums[provider, model]
        sums[provider, model] = [one[0] + cell.counts["priced"], one[1] + cell.priced, one[2] + cell.input]
    return {key: (priced / calls, given / calls) if calls else (None, ZERO)
            for key, (calls, priced, given) in sums.items()}  # fmt: skip


def _row(key: Key, cell: Cell, mean: tuple[Decimal | None, Decimal]) -> Row:
    call_usd, input_usd = mean
    counts = cell.counts
    left_open = Open(
        unpriced=None if counts["unpriced"] else ZERO,
        no_usage=(None if call_usd is None else (counts["no_usage"] * call_usd).quantize(SCALE))
        if counts["no_usage"]
        else ZERO,
        estimated=cell.estimated,
        failed_but_billed=(counts["failed"] * input_usd).quantize(SCALE),
    )
    sorted_out = reasons.sort_residual(cell.residual, cell.known, left_open)
    return {
        "day": key[0],
        "provider": key[1],
        "model": key[2],
        "billed_usd": cell.billed,
        "computed_usd": cell.computed,
        "residual_usd": cell.residual,
        **{f"{reason}_usd": sorted_out[reason] for reason in REASONS},
        "calls": counts["calls"],
        **{f"{name}_calls": counts[name] for name in ("unpriced", "no_usage", "estimated", "failed")},
        "providers": sorted(cell.providers),
        "models": sorted(cell.models),
    }


MEASURES = ("billed_usd", "computed_usd", "residual_usd", *(f"{reason}_usd" for reason in REASONS))
REASON_CALLS = {
    "unpriced": "unpriced_calls",
    "no_usage": "no_usage_calls",
    "estimated": "estimated_calls",
    "failed_but_billed": "failed_calls",
}


def _total(rows: Sequence[Row]) -> Row:
    sums = {name: sum((row[name] for row in rows), ZERO) for name in MEASURES}
    gross = sum((abs(row["billed_usd"]) for row in rows), ZERO)
    unknown = sum((abs(row["unknown_usd"]) for row in rows), ZERO)
    residual: list[Row] = [
        {
            "reason": reason,
            "usd": sums[f"{reason}_usd"],
            "calls": sum(row[REASON_CALLS[reason]] for row in rows) if reason in REASON_CALLS else None,
        }
        for reason in REASONS
    ]
    residual.sort(key=lambda one: -abs(one["usd"]))
    return {
        "billed_usd": sums["billed_usd"],
        "computed_usd": sums["computed_usd"],
        "residual_usd": sums["residual_usd"],
        "coverage": float(max(ZERO, 1 - unknown / gross)) if gross else None,
        "residual": residual,
    }


def _days(rows: Sequence[Row]) -> list[Row]:
    days: dict[date, Row] = {}
    for row in rows:
        day = days.setdefault(row["day"], {"day": row["day"], **dict.fromkeys(MEASURES, ZERO)})
        for name in MEASURES:
            day[name] += row[name]
    return [days[day] for day in sorted(days)]
