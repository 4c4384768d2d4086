"""Price calls one by one in Python: the figures of `sql/price.sql`, without a long statement to plan.

Names, slots and quantities are `outlay.pricing`'s; what is added here is what a stored call says beside its cost: the
list price, the cost without caching, its state, and how its model was matched. A test holds every column equal to the
SQL's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from outlay.pricing.catalog import Catalog, Match, Row
from outlay.pricing.cost import is_by_request, notes_on, quantities_of, rates_of, usd_of
from outlay.pricing.regions import in_region
from outlay.pricing.tiers import STANDARD_TIERS, TIER_NAMES
from outlay_collector.prices.periods import PricePeriod, Timeline, at

MAX_NAME_LENGTH = 300
COUNTS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
FREE_STATES = ("not_billed", "cached")
COUNTING_STATES = ("computed", "estimated")
_TEXT_INPUT = ("input", "cache_read", "cache_write", "cache_write_1h")
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Asked:
    """A call to be priced; fields as in `calls`."""

    project: str
    provider: str
    request_model: str
    response_model: str
    service_tier: str
    region: str
    started_at: datetime
    counts: Mapping[str, int | None]
    other_usage: Mapping[str, int]
    state_hint: str


@dataclass(frozen=True)
class Priced:
    """What `calls` says of a call's price."""

    cost_state: str
    cost_usd: Decimal | None = None
    list_cost_usd: Decimal | None = None
    uncached_cost_usd: Decimal | None = None
    cost_lines: Mapping[str, Decimal] = field(default_factory=dict)
    price_version: str = ""
    matched_model: str = ""
    match_kind: str = ""
    avoided_usd: Decimal | None = None


@dataclass(frozen=True)
class Steps:
    """Where prices of calls with the same names change."""

    moments: tuple[datetime, ...]
    """Calls from each of these on, ascending."""
    input_tokens: tuple[int, ...]
    """Calls with more input than each of these, ascending."""


class Reckoner:
    """Prices calls with the lists that hold for some projects."""

    def __init__(self, catalogs: Mapping[str, Catalog], newest: str, lines: Mapping[str, Timeline]) -> None:
        """Take lists and time lines.

        Args:
            catalogs: Lists by their version.
            newest: The list that prices new calls.
            lines: By project: which list holds from when.
        """
        self._catalogs = catalogs
        self._newest = newest
        self._lines = lines

    def price(self, call: Asked) -> Priced | None:
        """What a call costs, and why; None where the list that prices it is only in the store."""
        found = self._found(call)
        if found is None:
            return None
        match, version, later, row = found
        tier = tier_of(call.service_tier, call.region)
        counts = {name: count for name, count in {**call.other_usage, **call.counts}.items() if count is not None}
        quantities = quantities_of(counts, row)
        used = {part: quantity for part, quantity in quantities.items() if quantity > 0}
        lines = _lines(used, rates_of(row.rates)) if row else None
        state = _state(call, row, used, lines)
        counting = state in COUNTING_STATES and row is not None and lines is not None
        usd = sum(lines.values(), _ZERO) if lines is not None else None
        free = _ZERO if state in FREE_STATES else None
        notes = [*later, *_notes(counts, used, row, match is not None and match.model.place(tier) is None)]
        return Priced(
            cost_state=state,
            cost_usd=usd if counting else free,
            list_cost_usd=_list_cost(used, row) if counting and row else free,
            uncached_cost_usd=_uncached(used, lines, row) if counting and row and lines is not None else free,
            cost_lines={part: line for part, line in lines.items() if line} if counting and lines else {},
            price_version=version if row else "",
            matched_model=match.model.key if match else "",
            match_kind="+".join([match.kind, *notes]) if match else "",
            avoided_usd=usd if state == "cached" and _says_tokens(call) and not _lacks_usage(call, row) else None,
        )

    def row(self, call: Asked) -> Row | None:
        """The prices of a call, None where there are none."""
        found = self._found(call)
        return None if found is None else found[3]

    def steps(self, call: Asked) -> Steps | None:
        """Where prices change of calls with these names; None where they do with the hour of the day."""
        line = self._lines[call.project]
        matches = [self._match(call, each)[0] for each in line if each.price_version in self._catalogs]
        models = [match.model for match in matches if match is not None]
        if any(model.windows for model in models):
            return None
        moments = {each.starts_at for each in line} | {row.valid_from for model in models for row in model.rows}
        return Steps(tuple(sorted(moments)), tuple(sorted({size for model in models for size in model.thresholds})))

    def _found(self, call: Asked) -> tuple[Match | None, str, list[str], Row | None] | None:
        """The model, its list, notes and the prices of a call; None where the list is only in the store."""
        period = at(self._lines[call.project], call.started_at)
        if period.price_version not in self._catalogs:
            return None
        match, version, later = self._match(call, period)
        if match is None:
            return None, version, later, None
        tier = tier_of(call.service_tier, call.region)
        slot = match.model.slot(tier, call.counts.get("input_tokens") or 0, call.started_at)
        return match, version, later, match.model.at(slot, call.started_at)

    def _match(self, call: Asked, period: PricePeriod) -> tuple[Match | None, str, list[str]]:
        """The model that a call's names mean, the list it is of, and a note where that is a later one."""
        names = (call.provider, call.request_model, call.response_model)
        if max(len(call.request_model), len(call.response_model)) > MAX_NAME_LENGTH:
            return None, period.price_version, []
        match = self._catalogs[period.price_version].resolve(*names)
        if match is None and not period.closed and period.price_version != self._newest:
            return self._catalogs[self._newest].resolve(*names), self._newest, ["later_list"]
        return match, period.price_version, []


def tier_of(service_tier: str, region: str) -> str:
    """The price list's name of a service tier in a region, as `selecting.TIER_SQL`."""
    name = service_tier.lower()
    return in_region("standard" if name in STANDARD_TIERS else TIER_NAMES.get(name, name), region)


def _says_tokens(call: Asked) -> bool:
    return call.counts.get("input_tokens") is not None or call.counts.get("output_tokens") is not None


def _lacks_usage(call: Asked, row: Row | None) -> bool:
    """Whether a count is unknown that has a price."""
    rates = row.rates if row else {}
    priced = (("input_tokens", "input"), ("output_tokens", "output"))
    return any(call.counts.get(tokens) is None and bool(rates.get(part)) for tokens, part in priced)


def _state(call: Asked, row: Row | None, used: Mapping[str, int], lines: Mapping[str, Decimal] | None) -> str:
    """Whether a call has a cost, and why not."""
    if call.state_hint in FREE_STATES:
        return call.state_hint
    if row is not None and is_by_request(row) and lines is not None:
        return "estimated" if call.state_hint == "estimated" else "computed"
    if call.state_hint == "no_usage":
        return call.state_hint
    # Units that no price is known for (a reranker's search units) are usage, not its absence.
    if not _says_tokens(call) and not _parts(used):
        return "unpriced" if call.other_usage else "no_usage"
    if _lacks_usage(call, row):
        return "no_usage"
    if lines is None:
        return "unpriced"
    return call.state_hint or "computed"


def _parts(used: Mapping[str, int]) -> set[str]:
    """Of the parts used those that are neither text nor a plain cache read or write."""
    return used.keys() - {"requests", "output", "reasoning", *_TEXT_INPUT}


def _lines(used: Mapping[str, int], rates: Mapping[str, Decimal | None]) -> dict[str, Decimal] | None:
    """The cost by part, None where a part has no price."""
    found = {}
    for part, quantity in used.items():
        rate = rates.get(part)
        if rate is None:
            return None
        found[part] = usd_of(quantity, rate)
    return found


def _notes(counts: Mapping[str, int | None], used: Mapping[str, int], row: Row | None, no_tier: bool) -> list[str]:
    """What the prices of the parts used were taken from."""
    if row is None:
        return ["no_price_yet"]
    notes = notes_on(counts, used, row)
    return ["standard_tier", *(note for note in notes if not note.startswith("standard_"))] if no_tier else notes


def _list_cost(used: Mapping[str, int], row: Row) -> Decimal:
    """What the call would cost without a contract."""
    rates = rates_of(row.list_rates or row.rates)
    return sum((usd_of(quantity, rates.get(part) or _ZERO) for part, quantity in used.items()), _ZERO)


def _uncached(used: Mapping[str, int], lines: Mapping[str, Decimal], row: Row) -> Decimal:
    """What it would cost if nothing had been cached: all input at the price of plain input."""
    rates = rates_of(row.rates)
    plain = sum(used.get(part, 0) for part in _TEXT_INPUT)
    usd = sum(lines.values(), _ZERO) - sum((lines.get(part, _ZERO) for part in _TEXT_INPUT), _ZERO)
    usd += usd_of(plain, rates["input"] or _ZERO)
    for part in used.keys() & lines.keys():
        if part.startswith("cache_read_"):
            usd += usd_of(used[part], rates[part.replace("cache_read", "input")] or _ZERO) - lines[part]
    return usd
