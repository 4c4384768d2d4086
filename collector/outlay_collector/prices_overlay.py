"""The user's own prices, from `outlay.toml` or `PUT /prices`: contracts, discounts, aliases, self-hosted models.

    [[prices]]                                  [[discounts]]                    [[aliases]]
    provider = "openai"                         provider = "anthropic"           provider = "azure.ai.openai"
    model = "gpt-4o"                            model = "claude-opus-4-5"  # opt alias = "my-deployment"
    valid_from = 2026-10-01                     discount = "0.15"                model = "gpt-4o"
    source = "contract 2026-17"                 valid_from = 2026-10-01          model_provider = "openai"  # optional
    input_usd_per_mtok = "2.10"                 valid_to = 2027-10-01  # opt
    output_usd_per_mtok = "8.40"                source = "contract 2026-17"

A price row holds from `valid_from` until the model's next one, for inputs strictly above `min_input_tokens`, at every
hour. What a row does not name keeps the catalogue's price. Price rows win over discounts. Every value is checked when
the file is read, so that a slip cannot become a bill.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay.errors import ConfigError
from outlay.pricing.catalog import EPOCH, Catalog, Model, Row, slot_of, standard_tier

RATE_KEYS: Mapping[str, str] = {
    "input_usd_per_mtok": "input",
    "cache_read_usd_per_mtok": "cache_read",
    "cache_write_usd_per_mtok": "cache_write",
    "cache_write_1h_usd_per_mtok": "cache_write_1h",
    "output_usd_per_mtok": "output",
}
PRICE_KEYS = frozenset({"provider", "model", "valid_from", "source", "service_tier", "min_input_tokens", *RATE_KEYS})
DISCOUNT_KEYS = frozenset({"provider", "model", "discount", "valid_from", "valid_to", "source"})
ALIAS_KEYS = frozenset({"provider", "alias", "model", "model_provider", "source"})
MAX_USD_PER_MTOK = Decimal(100_000)
_SCALE = Decimal("0.000000000001")


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One contracted price. `rates` is USD per million tokens by part."""

    provider: str
    model: str
    valid_from: datetime
    source: str
    rates: Mapping[str, Decimal]
    service_tier: str = "standard"
    min_input_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Discount:
    """A share off the list price of a provider, or of one of its models, from `valid_from` until `valid_to`."""

    provider: str
    model: str
    discount: Decimal
    valid_from: datetime
    valid_to: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A name (an Azure deployment, a gateway's route) that stands for a model; any provider's when `provider` is ""."""

    provider: str
    alias: str
    model: str
    model_provider: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """All of the user's own prices."""

    prices: tuple[PriceRow, ...] = ()
    discounts: tuple[Discount, ...] = ()
    aliases: tuple[Alias, ...] = ()

    def with_prices(self, rows: Iterable[PriceRow]) -> Overlay:
        """The same with more price rows; one for the same model, tier, size and day replaces the older."""
        merged = {_identity(row): row for row in (*self.prices, *rows)}
        return replace(self, prices=tuple(merged.values()))

    def canonical(self) -> str:
        """Everything as JSON in a fixed order: what the version of the price list is made of."""
        body = {
            "prices": sorted(json.dumps(_shown(row), sort_keys=True) for row in self.prices),
            "discounts": sorted(json.dumps(_shown(row), sort_keys=True) for row in self.discounts),
            "aliases": sorted(json.dumps(_shown(row), sort_keys=True) for row in self.aliases),
        }
        return json.dumps(body, sort_keys=True)


def parse_overlay(toml: Mapping[str, Any]) -> Overlay:
    """Read `[[prices]]`, `[[discounts]]` and `[[aliases]]` of a parsed `outlay.toml`; other tables are not looked at.

    Raises:
        ConfigError: For an unknown or missing key or a value that cannot be right; it names the entry, key and value.
    """
    return Overlay(
        prices=tuple(parse_price(row, f"[[prices]] #{n}") for n, row in _entries(toml, "prices")),
        discounts=tuple(_discount(row, f"[[discounts]] #{n}") for n, row in _entries(toml, "discounts")),
        aliases=tuple(_alias(row, f"[[aliases]] #{n}") for n, row in _entries(toml, "aliases")),
    )


def parse_price(row: Mapping[str, Any], where: str) -> PriceRow:
    """One price row, as in `[[prices]]` and in `PUT /prices`.

    Raises:
        ConfigError: As `parse_overlay`.
    """
    _known(row, PRICE_KEYS, ("provider", "model", "valid_from", "source"), where)
    rates = {part: _usd(row[key], where, key) for key, part in RATE_KEYS.items() if key in row}
    if not rates:
        raise ConfigError(f"{where} names no price; give at least one of {', '.join(RATE_KEYS)}")
    above = row.get("min_input_tokens", 0)
    if isinstance(above, bool) or not isinstance(above, int) or not 0 <= above < 2**48:
        raise ConfigError(f"{where}: min_input_tokens = {above!r} is not a number of tokens from 0 up")
    return PriceRow(
        provider=_text(row, "provider", where).lower(),
        model=_text(row, "model", where),
        valid_from=_instant(row["valid_from"], where, "valid_from"),
        source=_text(row, "source", where),
        rates=rates,
        service_tier=standard_tier(_text(row, "service_tier", where) if "service_tier" in row else ""),
        min_input_tokens=above,
    )


def apply(overlay: Overlay, catalog: Catalog) -> Catalog:
    """Put the user's prices on top of `catalog` (changed in place) and return it."""
    for discount in overlay.discounts:
        provider = catalog.provider(discount.provider)
        for model in [m for m in catalog.models() if m.provider == provider]:
            if discount.model.lower() in ("", model.id.lower()):
                catalog.put(replace(model, rows=tuple(_discounted(model.rows, discount))))
    by_model: dict[tuple[str, str], list[PriceRow]] = {}
    for row in overlay.prices:
        by_model.setdefault((catalog.provider(row.provider), row.model), []).append(row)
    for (provider, name), rows in by_model.items():
        base = catalog.get(provider, name)
        if base is None:
            match = catalog.find(provider, name)
            base = replace(match.model, provider=provider, id=name) if match and match.kind != "model_owner" else None
        catalog.put(_merged(base or Model(provider, name, ("standard",), (), (), ()), rows))
    for alias in overlay.aliases:
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
                steps = [row for row in contract if row.service_tier == tier and row.min_input_tokens <= above]
                rows += _timeline(slot, listed, steps)
    return Model(base.provider, base.id, tiers, thresholds, base.windows, tuple(rows))


def _listed(base: Model, tier: str, above: int, window: int) -> list[Row]:
    """The catalogue's rows that apply to a slot of the merged grid; those of standard where the tier is new."""
    tier_index = base.tiers.index(tier) if tier in base.tiers else 0
    size_index = sum(threshold <= above for threshold in base.thresholds)
    rows = [row for row in base.rows if row.slot == slot_of(tier_index, size_index, window)]
    if tier not in base.tiers and tier != "standard":
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
        # A later start wins; at the same start the row for the larger inputs does.
        mine = [step for step in steps if step.valid_from <= change]
        if mine:
            deepest = max(step.min_input_tokens for step in mine)
            step = max((s for s in mine if s.min_input_tokens == deepest), key=lambda s: s.valid_from)
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
                    rates={p: (rate * (1 - discount.discount)).quantize(_SCALE) for p, rate in full.items()},
                    list_rates=full,
                    origin="discount",
                    source=discount.source,
                )
            yield row


def _discount(row: Mapping[str, Any], where: str) -> Discount:
    _known(row, DISCOUNT_KEYS, ("provider", "discount", "valid_from"), where)
    share = _decimal(row["discount"], where, "discount")
    if not 0 < share < 1:
        raise ConfigError(f"{where}: discount = {row['discount']!r} is not a share between 0 and 1 (0.15 is 15 % off)")
    valid_from = _instant(row["valid_from"], where, "valid_from")
    valid_to = _instant(row["valid_to"], where, "valid_to") if "valid_to" in row else None
    if valid_to is not None and valid_to <= valid_from:
        raise ConfigError(f"{where}: valid_to = {row['valid_to']!s} is not after valid_from")
    return Discount(
        provider=_text(row, "provider", where).lower(),
        model=_text(row, "model", where) if "model" in row else "",
        discount=share,
        valid_from=valid_from,
        valid_to=valid_to,
        source=_text(row, "source", where) if "source" in row else "",
    )


def _alias(row: Mapping[str, Any], where: str) -> Alias:
    _known(row, ALIAS_KEYS, ("alias", "model"), where)
    return Alias(
        provider=_text(row, "provider", where).lower() if "provider" in row else "",
        alias=_text(row, "alias", where),
        model=_text(row, "model", where),
        model_provider=_text(row, "model_provider", where).lower() if "model_provider" in row else "",
    )


def _entries(toml: Mapping[str, Any], name: str) -> list[tuple[int, Mapping[str, Any]]]:
    rows = toml.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ConfigError(f"{name} must be a list of tables: write [[{name}]]")
    return list(enumerate(rows, 1))


def _known(row: Mapping[str, Any], allowed: frozenset[str], needed: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(row) - allowed)
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; allowed are {', '.join(sorted(allowed))}")
    missing = [key for key in needed if key not in row]
    if missing:
        raise ConfigError(f"{where}: {missing[0]!r} is missing")


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row[key]
    if not isinstance(value, str) or not value.strip() or len(value) > 1000:
        raise ConfigError(f"{where}: {key} = {value!r} is not a text")
    return value.strip()


def _decimal(value: Any, where: str, key: str) -> Decimal:
    if not isinstance(value, str):
        raise ConfigError(f'{where}: {key} = {value!r} must be a decimal in quotes, for example "2.50"')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ConfigError(f"{where}: {key} = {value!r} is not a decimal number") from None
    if not number.is_finite():
        raise ConfigError(f"{where}: {key} = {value!r} is not a finite number")
    return number


def _usd(value: Any, where: str, key: str) -> Decimal:
    number = _decimal(value, where, key)
    if not 0 <= number <= MAX_USD_PER_MTOK:
        raise ConfigError(f"{where}: {key} = {value!r} is not between 0 and {MAX_USD_PER_MTOK} USD per million tokens")
    if number != number.quantize(_SCALE):
        raise ConfigError(f"{where}: {key} = {value!r} has more than 12 decimals")
    return number


def _instant(value: Any, where: str, key: str) -> datetime:
    """A TOML date or datetime, or the same as text; without an offset it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ConfigError(f"{where}: {key} = {value!r} is not a date or an RFC 3339 instant") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise ConfigError(f"{where}: {key} = {value!r} is not a date or an RFC 3339 instant")
    instant = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if not EPOCH <= instant < datetime(2200, 1, 1, tzinfo=UTC):
        raise ConfigError(f"{where}: {key} = {value!s} is not between 1970 and 2200")
    return instant


def _identity(row: PriceRow) -> tuple[str, str, str, int, datetime]:
    return (row.provider, row.model.lower(), row.service_tier, row.min_input_tokens, row.valid_from)


def _shown(row: PriceRow | Discount | Alias) -> dict[str, str]:
    return {name: str(getattr(row, name)) for name in row.__slots__ if name != "rates"} | (
        {key: str(row.rates[part]) for key, part in RATE_KEYS.items() if part in row.rates}
        if isinstance(row, PriceRow)
        else {}
    )


__all__ = ["Alias", "Discount", "Overlay", "PriceRow", "apply", "parse_overlay", "parse_price"]
