"""The user's own prices, from `outlay.toml` or `PUT /prices`: contracts, discounts, aliases, self-hosted models.

    [[prices]]                                  [[discounts]]                    [[aliases]]
    provider = "openai"                         provider = "anthropic"           provider = "azure.ai.openai"
    model = "gpt-4o"                            model = "claude-opus-4-5"  # opt alias = "my-deployment"
    valid_from = 2026-10-01                     discount = "0.15"                model = "gpt-4o"
    source = "contract 2026-17"                 valid_from = 2026-10-01          model_provider = "openai"  # optional
    input_usd_per_mtok = "2.10"                 valid_to = 2027-10-01  # opt
    output_usd_per_mtok = "8.40"                source = "contract 2026-17"

Every value is checked when the file is read, so that a slip cannot become a bill. `contracts.py` puts them on
top of the catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay.errors import ConfigError
from outlay.pricing.catalog import EPOCH, standard_tier

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
SCALE = Decimal("0.000000000001")  # of money in the store


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
    if number != number.quantize(SCALE):
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
