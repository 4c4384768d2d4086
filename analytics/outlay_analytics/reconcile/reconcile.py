"""Does the bill say what the calls cost? Per day and model: billed against computed, and why they differ.

A bill names models in its own way and so do calls, so both are looked up in the price list first. A provider is
compared only if the bill has it, and only on the days that the bill covers. Where a bill does not name models, its days
are compared as a whole; where it names them as nobody else does and comes to the same sum as the calls that it seems to
lack, these are compared together. Tools that it bills apart (searches) are compared with the tool fees of the calls.

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
from outlay_analytics.reconcile import reasons
from outlay_analytics.reconcile.bill import Charge, family
from outlay_analytics.reconcile.models import unplaced
from outlay_analytics.reconcile.reasons import REASONS, SCALE, ZERO, Open
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.reconcile.sql"
TIERS = ("standard", "batch", "flex", "priority")
SHARE = Decimal("0.0001")
SMALL_USD = Decimal("0.000001")
MAX_CALLS = 1_000_000  # so many are priced again to look for another tier: two CPU-seconds each
TOOLS = "(tools)"
EVERYTHING = "(all models)"
NO_MODEL = "(no model)"
NAMED_OTHERWISE = "(named otherwise)"
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
    fee: Decimal = ZERO  # billed for tools
    computed_fees: Decimal = ZERO
    has_name: bool = True  # whether the price list or the calls know what the bill calls it

    def add(self, other: Cell) -> None:
        """Take in another cell of the same day and provider."""
        for name in ("billed", "credit", "computed", "list_cost", "estimated", "priced", "input", "fee",
                     "computed_fees"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in ((self.billed_tiers, other.billed_tiers), (self.computed_tiers, other.computed_tiers)):
            for tier, usd in theirs.items():
                mine[tier] += usd
        for name, count in other.counts.items():
            self.counts[name] += count
        self.models |= other.models
        self.providers |= other.providers
        self.listed += other.listed

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
        name them), `calls` and the calls that leave the cost open; `left_out` of bill and calls by reason (None for
        lines that are not in USD) and `left_out_lines` of the bill; `proposals`, the discounts that were found as
        `PUT /prices` takes them.
    """
    params = {"project": project, "first_day": bill["first_day"], "last_day": bill["last_day"]}
    calls = store.query(load_sql(SQL, "reconcile_calls"), params)
    table = _Table(charges, calls, name, NOT_IN_FORMAT.get(str(bill["format"]), ()))
    for charge in charges:
        table.add_charge(charge)
    for row in calls:
        table.add_calls(row)
    cells = table.cells
    _join_strangers(cells)
    _fees(cells)
    _stated_discounts(cells.values())
    _tiers(table, at_tier)
    rates = _constant_rates(cells)
    means = _means(cells)
    rows = [_row(key, cell, means.get(key[1:], (None, ZERO))) for key, cell in cells.items()]
    rows.sort(key=lambda row: (row["day"], -abs(row["residual_usd"]), row["provider"], row["model"]))
    left_out = dict.fromkeys(bill["left_out_lines"]) | dict(bill["left_out"])
    left_out |= {f"calls: {reason}": usd for reason, usd in table.left_out.items()}
    return {"bill": dict(bill), "currency": "USD", **_total(rows), "days": _days(rows), "rows": rows,
            "left_out": left_out, "left_out_lines": dict(bill["left_out_lines"]),
            "proposals": _proposals(rates, bill["first_day"])}  # fmt: skip


class _Table:
    """Cells by day, provider and model, filled from both sides."""

    def __init__(
        self,
        charges: Iterable[Charge],
        calls: Iterable[Mapping[str, Any]],
        name: Name,
        not_billed_tiers: Sequence[str],
    ) -> None:
        self.cells: dict[Key, Cell] = defaultdict(Cell)
        self.left_out: dict[str, Decimal] = {}
        self._name = name
        self._not_billed_tiers = not_billed_tiers
        usage = [charge for charge in charges if charge.kind == "usage"]
        self._providers = {charge.provider for charge in charges}
        self._by_model = {charge.provider for charge in usage if charge.model}
        called: dict[str, set[str]] = defaultdict(set)
        for row in calls:
            if found := self.key(row):
                called[found[1]].add(found[2])
        self._called = dict(called)
        self._with_tools = {charge.provider for charge in charges if charge.kind == "fee"}

    def add_charge(self, charge: Charge) -> None:
        cell = self.cells[self._key(charge)]
        cell.has_name = self._has_name(charge)
        cell.billed += charge.usd
        if charge.kind == "fee":
            cell.fee += charge.usd
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
            tools.computed_fees += fees
            cost, fees = cost - fees, ZERO
        cell = self.cells[key]
        cell.models.add(str(row["model"]))
        cell.providers.add(str(row["provider"]))
        cell.computed += cost
        cell.computed_fees += fees
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

    def _has_name(self, charge: Charge) -> bool:
        """Whether the price list has the charge's model, or the calls call theirs the same; what names none of usage
        has none."""
        if not charge.model:
            return charge.kind != "usage"
        if self._name(charge.provider, charge.model) is not None:
            return True
        return self._short(charge.model) in self._called.get(charge.provider, ())

    @staticmethod
    def _short(name: str) -> str:
        """The price list writes `openai:gpt-4o`, and on Bedrock the region that a model is priced in."""
        provider, colon, model = name.partition(":")
        return unplaced((model if colon and "." not in provider else name).lower())


def _join_strangers(cells: dict[Key, Cell]) -> None:
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


def _fees(cells: Mapping[Key, Cell]) -> None:
    """Tools that are billed and that no call reports."""
    for cell in cells.values():
        unreported = min(cell.fee - cell.computed_fees, cell.residual - cell.credit)
        if cell.fee and unreported > 0:
            cell.known["fee"] = unreported


def _stated_discounts(cells: Iterable[Cell]) -> None:
    """Credits, and what the bill says is below list, less what our own contracted prices take off already."""
    for cell in cells:
        off = cell.credit
        if cell.listed:
            off += sum((usd - listed for usd, listed in cell.listed), ZERO) - (cell.computed - cell.list_cost)
        if off:
            cell.known["discount"] = cell.known.get("discount", ZERO) + off


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


def _constant_rates(cells: Mapping[Key, Cell]) -> dict[tuple[str, str], Decimal]:
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
            off = cell.rest if cell.clean else (cell.computed * (paid - 1)).quantize(SCALE)
            cell.known[reason] = cell.known.get(reason, ZERO) + off
    return rates


def _proposals(rates: Mapping[tuple[str, str], Decimal], first: date) -> list[Row]:
    """The discounts that were found, as rows of `[[discounts]]`."""
    return [
        {"provider": provider, "model": model, "discount": (1 - paid).quantize(SHARE).normalize(), "valid_from": first}
        for (provider, model), paid in sorted(rates.items())
        if reasons.reason_of(paid) == "discount"
    ]


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
