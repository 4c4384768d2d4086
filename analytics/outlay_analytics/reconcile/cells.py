"""The cells of a comparison: one day of one model, with what was billed and what was computed.

A bill names models in its own way and so do calls, so both are looked up in the price list first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from outlay.pricing.tiers import standard_tier
from outlay_analytics.reconcile.bill import Charge, Usage, family
from outlay_analytics.reconcile.models import unplaced
from outlay_analytics.reconcile.reasons import ZERO
from outlay_analytics.reconcile.units import METERS, TOKENS, meter_of

TOOLS = "(tools)"
EVERYTHING = "(all models)"
NO_MODEL = "(no model)"
Name = Callable[[str, str], str | None]  # provider, model as written → the price list's name, None if it has none
Key = tuple[date, str, str]  # day, provider, model
Covered = Mapping[str, Collection[date]]  # by provider the days that a bill speaks of


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
    charges: int = 0
    billed_tokens: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))  # by cost line
    billed_lines: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    list_lines: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))  # at list if stated
    counted: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # by the provider, beside the bill
    requests: int | None = None
    tokens: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # of the calls
    lines: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))  # what these cost
    other_meters: bool = False  # whether bill or calls have meters that are no cost line of text
    by_key: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))  # account and key
    not_final: bool = False
    has_name: bool = True  # whether the price list or the calls know what the bill calls it

    def add(self, other: Cell) -> None:
        """Take in another cell of the same day and provider."""
        for name in ("billed", "credit", "computed", "list_cost", "estimated", "priced", "input", "fee",
                     "computed_fees", "charges"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for amounts, more in (
            (self.billed_tokens, other.billed_tokens),
            (self.billed_lines, other.billed_lines),
            (self.list_lines, other.list_lines),
            (self.lines, other.lines),
        ):
            for meter, amount in more.items():
                amounts[meter] += amount
        for counts, others in ((self.counted, other.counted), (self.tokens, other.tokens)):
            for meter, count in others.items():
                counts[meter] += count
        for names, usd in other.by_key.items():
            self.by_key[names] += usd
        if other.requests is not None:
            self.requests = (self.requests or 0) + other.requests
        self.other_meters |= other.other_meters
        self.not_final |= other.not_final
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


class Cells:
    """Cells by day, provider and model, filled from both sides.

    Attributes:
        by_key: The cells.
        left_out: USD of calls that the bill cannot hold, by reason.
    """

    def __init__(
        self,
        charges: Iterable[Charge],
        calls: Iterable[Mapping[str, Any]],
        name: Name,
        not_billed_tiers: Mapping[str, Sequence[str]],
        covered: Covered | None = None,
    ) -> None:
        self.by_key: dict[Key, Cell] = defaultdict(Cell)
        self.left_out: dict[str, Decimal] = {}
        self._name = name
        self._not_billed_tiers = not_billed_tiers
        self._covered = covered
        usage = [charge for charge in charges if charge.kind == "usage"]
        self._providers = {charge.provider for charge in charges} | set(covered or ())
        self._by_model = {charge.provider for charge in usage if charge.model}
        self._by_model |= {provider for provider in self._providers if not any(c.provider == provider for c in usage)}
        called: dict[str, set[str]] = defaultdict(set)
        for row in calls:
            if found := self.key(row):
                called[found[1]].add(found[2])
        self._called = dict(called)
        self._with_tools = {charge.provider for charge in charges if charge.kind == "fee"}

    def add_charge(self, charge: Charge) -> None:
        """Put a charge of the bill into its cell."""
        cell = self.by_key[self._key(charge)]
        cell.has_name = self._has_name(charge)
        cell.billed += charge.usd
        if charge.kind == "fee":
            cell.fee += charge.usd
        if charge.kind == "credit":
            cell.credit += charge.usd
        elif charge.list_usd is not None:
            cell.listed.append((charge.usd, charge.list_usd))
        cell.charges += 1
        if charge.kind == "usage":
            cell.billed_tiers[charge.service_tier] += charge.usd
            cell.by_key[charge.account, charge.key] += charge.usd
            meter = meter_of(charge.meter)
            cell.billed_lines[meter] += charge.usd
            cell.list_lines[meter] += charge.usd if charge.list_usd is None else charge.list_usd
            cell.other_meters |= not meter
            if meter and charge.quantity is not None and charge.unit == TOKENS:
                cell.billed_tokens[meter] += charge.quantity

    def add_usage(self, usage: Usage) -> None:
        """Put what a provider counted into its cell, if the bill has that."""
        if usage.provider not in self._by_model or not usage.model:
            return
        if usage.service_tier in self._not_billed_tiers.get(usage.provider, ()):
            return
        name = self._name(usage.provider, usage.model) or usage.model
        cell = self.by_key.get((usage.day, usage.provider, self._short(name)))
        if cell is None:
            return
        for meter, count in usage.tokens.items():
            cell.counted[meter] += count
        if usage.requests is not None:
            cell.requests = (cell.requests or 0) + usage.requests

    def add_calls(self, row: Mapping[str, Any]) -> None:
        """Put a row of calls into its cell."""
        key = self.key(row)
        if key is None:
            return
        tier, cost, fees = standard_tier(row["service_tier"]), row["cost_usd"], row["fees_usd"]
        if tier in self._not_billed_tiers.get(key[1], ()):
            self.left_out[f"{tier} tier"] = self.left_out.get(f"{tier} tier", ZERO) + cost
            return
        if key[1] in self._with_tools and key[1] in self._by_model and fees:
            tools = self.by_key[key[0], key[1], TOOLS]
            tools.computed, tools.list_cost = tools.computed + fees, tools.list_cost + fees
            tools.computed_fees += fees
            cost, fees = cost - fees, ZERO
        cell = self.by_key[key]
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
        others = {kind: count for kind, count in row["other_usage"].items() if count and kind.endswith("_tokens")}
        for meter in METERS:
            cell.tokens[meter] += row.get(f"{meter}_tokens", 0)
            cell.lines[meter] += row["lines_usd"].get(meter, ZERO)
            count = others.pop(f"{meter}_tokens", 0)  # kept for another time than an hour: a part of the writes
            cell.tokens[meter] += count
            cell.tokens["cache_write"] -= count
        cell.other_meters |= any("reason" not in kind for kind in others)

    def key(self, row: Mapping[str, Any]) -> Key | None:
        """The cell of a row of calls, None where the bill does not have its provider."""
        provider = family(str(row["provider"]))
        if provider not in self._providers or (self._covered and row["day"] not in self._covered.get(provider, ())):
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
