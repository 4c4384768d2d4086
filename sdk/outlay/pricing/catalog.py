"""The price list in memory: find a model by its reported names, and its prices at a moment.

`price_file` is compiled from the catalogue; the server builds the same `Catalog` from it, puts the user's own prices on
top and writes the rows to ClickHouse, so that names are read by one piece of code everywhere. Layout (`schema` 1):

    providers.<provider>.match, .owns   clauses for provider names, and for model names only this provider has
    providers.<provider>.fallback       whose models this provider sells too
    providers.<provider>.models[]       id; m: clauses; t: service tiers; b: thresholds; w: windows; r: rows
    row                                 [slot, valid from, {part: USD per million}, parts borrowed from standard]

A slot is where a call falls in its model's grid: service tier × input size × hours of the week. What costs more in a
region is a tier with that region's name: `standard@eu`, or `standard@regional` for any. The size counts all
input, cached or not, and a tier begins strictly above its threshold: exactly 200,000 tokens are still the lower one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from outlay.pricing import names
from outlay.pricing.price_file import price_document
from outlay.pricing.regions import in_region, regions_around

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the week in UTC with prices of their own. `weekdays` has bit 0 for Monday; the end is exclusive."""

    name: str
    weekdays: int
    start_s: int
    end_s: int

    def holds(self, at: datetime) -> bool:
        second = at.hour * 3600 + at.minute * 60 + at.second
        if self.start_s < self.end_s:
            inside = self.start_s <= second < self.end_s
        else:
            inside = second >= self.start_s or second < self.end_s
        return inside and bool(self.weekdays >> at.weekday() & 1)


@dataclass(frozen=True, slots=True)
class Row:
    """The prices of one slot from `valid_from` until the slot's next row.

    Attributes:
        rates: USD per million units by part: `input`, `cache_read`, `output`, `web_searches` …
        borrowed: Parts whose price this service tier takes from the standard one; `*` when the tier has none yet.
    """

    slot: int
    valid_from: datetime
    rates: Mapping[str, Decimal]
    borrowed: frozenset[str] = frozenset()
    list_rates: Mapping[str, Decimal] = field(default_factory=dict)
    origin: str = "catalogue"
    source: str = ""
    checked: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """One priced model: its tiers (the first is `standard`), input thresholds (ascending), windows and rows."""

    provider: str
    id: str
    tiers: tuple[str, ...]
    thresholds: tuple[int, ...]
    windows: tuple[Window, ...]
    rows: tuple[Row, ...]

    @property
    def key(self) -> str:
        return f"{self.provider}:{self.id}"

    def place(self, tier: str) -> int | None:
        """Where a tier, of a region or not (`batch@eu-west-1`), stands among the model's; None where it has no such.

        A region's prices are its own, else those of its geography, of any region, or of no region in particular.
        """
        name, _, region = tier.partition("@")
        for each in (*(in_region(name, around) for around in regions_around(region)), name):
            if each in self.tiers:
                return self.tiers.index(each)
        return None

    def place_or_standard(self, tier: str) -> int:
        """The same, where an unknown tier is the standard one of the same region."""
        place = self.place(tier)
        if place is None:
            place = self.place(in_region("standard", tier.partition("@")[2]))
        return place or 0

    def slot(self, tier: str, input_tokens: int, at: datetime) -> int:
        """Where a call falls; an unknown tier falls on the standard one."""
        tier_index = self.place_or_standard(tier)
        size_index = sum(input_tokens > threshold for threshold in self.thresholds)
        holding = [index for index, window in enumerate(self.windows, 1) if window.holds(at)]
        return slot_of(tier_index, size_index, holding[-1] if holding else 0)

    def at(self, slot: int, at: datetime) -> Row | None:
        """The row of `slot` in force at `at`, None before its first."""
        rows = sorted((row for row in self.rows if row.slot == slot), key=lambda row: row.valid_from)
        index = bisect_right([row.valid_from for row in rows], at)
        return rows[index - 1] if index else None


@dataclass(frozen=True, slots=True)
class Match:
    """A model found, and how (see `outlay.pricing.names`)."""

    model: Model
    kind: str


def slot_of(tier: int, size: int, window: int) -> int:
    """The number of a slot; the same arithmetic is in `price.sql`."""
    return tier * 65536 + size * 256 + window


class Catalog:
    """A price list and its names. `document` is as above."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.version: str = document["version"]
        self.source: str = document["source"]
        self.checked: str = document["checked"]
        self._providers: Mapping[str, Any] = document["providers"]
        self._own: dict[tuple[str, str], Model] = {}
        self._aliases: dict[tuple[str, str], tuple[str, str]] = {}
        self._parsed: dict[tuple[str, str], Model] = {}
        self._matches: dict[tuple[str, str], Match | None] = {}

    def provider(self, name: str) -> str:
        """This list's name of a provider."""
        return names.provider_of(name, self._providers)

    def sellers(self, name: str) -> tuple[str, ...]:
        """The providers whose models a provider sells, itself first."""
        provider = self.provider(name)
        return (provider, *self._providers.get(provider, {"fallback": ()})["fallback"])

    def models(self) -> list[Model]:
        """Every model, the user's own last."""
        listed = [
            self._model(provider, entry) for provider, body in self._providers.items() for entry in body["models"]
        ]
        ids = {(model.provider, model.id) for model in listed}
        return listed + [model for key, model in self._own.items() if (key[0], model.id) not in ids]

    def get(self, provider: str, model_id: str) -> Model | None:
        """The model with exactly this id (any case), None when there is none."""
        own = self._own.get((provider, model_id.lower()))
        if own is not None:
            return own
        for entry in self._providers.get(provider, {"models": ()})["models"]:
            if entry["id"].lower() == model_id.lower():
                return self._model(provider, entry)
        return None

    def put(self, model: Model) -> None:
        """Add a model, or replace the one with its id."""
        self._own[model.provider, model.id.lower()] = model
        self._parsed.pop((model.provider, model.id), None)
        self._matches.clear()

    def alias(self, provider: str, name: str, model_provider: str, model: str) -> None:
        """Let `name` (of `provider`, or of any when empty) stand for another model name."""
        self._aliases[provider, name.lower()] = (model_provider, model)
        self._matches.clear()

    def resolve(self, provider: str, request_model: str, response_model: str) -> Match | None:
        """The model that a call is priced as: by the response's name if that is known, else by the request's."""
        found = self.find(provider, response_model) if response_model else None
        if found is None and request_model and request_model != response_model:
            found = self.find(provider, request_model)
        return found

    def find(self, provider: str, name: str) -> Match | None:
        """The model that `name` means at `provider`, None when the list does not have it."""
        key = (provider, name)
        if key not in self._matches:
            if len(self._matches) > 10_000:
                self._matches.clear()
            self._matches[key] = self._find(self.provider(provider), name, depth=0)
        return self._matches[key]

    def _find(self, provider: str, name: str, depth: int) -> Match | None:
        for spelling, named, stripped in names.spellings(name):
            for candidate in self._candidates(provider, named):
                target = self._aliases.get((candidate, spelling)) or self._aliases.get(("", spelling))
                if target is not None and depth < 3:
                    match = self._find(target[0] or candidate, target[1], depth + 1)
                    if match is not None:
                        return Match(match.model, "contract_alias")
                match = self._at(candidate, spelling)
                if match is not None:
                    return Match(match.model, "prefix_stripped") if stripped and match.kind != "contract" else match
            if provider in names.GENERIC and named not in names.LOCAL:
                owner = self._owner(spelling)
                if owner is not None:
                    return owner
        return None

    def _candidates(self, provider: str, named: str) -> Sequence[str]:
        """Whose lists to look in: the provider's, and the one that a prefix names when the provider says nothing.

        Ids of Bedrock are nobody else's: the maker's own client library calls itself the provider there, too.
        """
        mistaken = provider in names.GENERIC or provider not in self._providers or named == "aws"
        if named and named != provider and mistaken:
            return (provider, named) if provider != "openai" else (named,)
        return (provider,)

    def _at(self, provider: str, name: str) -> Match | None:
        own = self._own.get((provider, name))
        if own is not None:
            return Match(own, "contract" if any(row.origin == "overlay" for row in own.rows) else "exact")
        if provider not in self._providers:
            return None
        for spelling in dict.fromkeys((name, names.undated(name))):
            for seller in (provider, *self._providers[provider]["fallback"]):
                match = self._listed(seller, spelling)
                if match is not None:
                    return match
        for maker in names.MAKERS.get(provider, ()):
            match = self._listed(provider, maker + name)
            if match is not None:
                return Match(match.model, "prefix_added")
        return None

    def _listed(self, provider: str, name: str) -> Match | None:
        for entry in self._providers[provider]["models"]:
            kind = names.clause_kind(entry["m"], name)
            if kind:
                exact = entry["id"].lower() == name
                shown = {"equal": "exact" if exact else "alias", "pattern": "exact" if exact else "dated"}
                return Match(self._model(provider, entry), shown.get(kind, kind))
        return None

    def _owner(self, name: str) -> Match | None:
        for provider in names.OWNERS:
            if names.clause_kind(self._providers[provider]["owns"], name, strict=False):
                match = self._listed(provider, name) or self._listed(provider, names.undated(name))
                return Match(match.model, "model_owner") if match else None
        return None

    def _model(self, provider: str, entry: Mapping[str, Any]) -> Model:
        own = self._own.get((provider, entry["id"].lower()))
        if own is not None:
            return own
        key = (provider, entry["id"])
        if key not in self._parsed:
            self._parsed[key] = _parse(provider, entry)
        return self._parsed[key]


def _parse(provider: str, entry: Mapping[str, Any]) -> Model:
    rows = tuple(
        Row(
            slot=slot,
            valid_from=datetime.fromisoformat(valid_from) if valid_from else EPOCH,
            rates={part: Decimal(rate) for part, rate in rates.items()},
            borrowed=frozenset(borrowed.split()),
            origin="correction" if entry.get("c") else "catalogue",
            source=entry.get("s", ""),
            checked=entry.get("c", ""),
        )
        for slot, valid_from, rates, borrowed in entry["r"]
    )
    return Model(
        provider=provider,
        id=entry["id"],
        tiers=tuple(entry.get("t", ("standard",))),
        thresholds=tuple(entry.get("b", ())),
        windows=tuple(Window(*window) for window in entry.get("w", ())),
        rows=rows,
    )


@cache
def shipped() -> Catalog:
    """The snapshot that ships with the package, read once."""
    return Catalog(price_document())
