"""The user's own prices, from `outlay.toml` or `PUT /prices`: contracts, discounts, aliases, self-hosted models.

    [[prices]]                                  [[discounts]]                    [[aliases]]
    provider = "openai"                         provider = "anthropic"           provider = "azure.ai.openai"
    model = "gpt-4o"                            model = "claude-opus-4-5"  # opt alias = "my-deployment"
    valid_from = 2026-10-01                     discount = "0.15"                model = "gpt-4o"
    source = "contract 2026-17"                 valid_from = 2026-10-01          model_provider = "openai"  # optional
    input_usd_per_mtok = "2.10"                 valid_to = 2027-10-01  # opt
    output_usd_per_mtok = "8.40"                source = "contract 2026-17"
    web_searches_usd_per_thousand = "9"

A price may be for one `service_tier`, for inputs above `min_input_tokens`, in one `region`; every unit that a provider
bills has a key (`outlay.pricing.units`).

Every value is checked when the file is read, so that a slip cannot become a bill. `contracts.py` puts them on
top of the catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, model_validator
from pydantic.dataclasses import dataclass as table

from outlay.errors import ConfigError
from outlay.pricing.names import PROVIDERS
from outlay.pricing.tiers import standard_tier
from outlay_collector.prices.tables import STRICT, Slips, keys_of, list_of_tables, read_table, read_tables
from outlay_collector.prices.values import (
    Instant,
    Provider,
    Text,
    instant_of,
    rates_of,
    share_of,
    tokens_of,
    unknown_key,
)


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


@table(config=STRICT, frozen=True)
class PriceTable:
    """A price row as it is written."""

    provider: Provider
    model: Text
    valid_from: Instant
    source: Text
    rates: Annotated[dict[str, Decimal], BeforeValidator(rates_of)]
    service_tier: Text = ""
    region: Text = ""
    min_input_tokens: Annotated[int, BeforeValidator(tokens_of)] = 0


@table(config=STRICT, frozen=True)
class Discount:
    """A share off the list price of a provider, or of one of its models, from `valid_from` until `valid_to`."""

    provider: Provider
    discount: Annotated[Decimal, BeforeValidator(share_of)]
    valid_from: Instant
    model: Text = ""
    valid_to: Annotated[datetime | None, BeforeValidator(instant_of)] = None
    source: Text = ""

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(f"valid_to = {self.valid_to:%Y-%m-%d} is not after valid_from")
        return self


@table(config=STRICT, frozen=True)
class Alias:
    """A name (an Azure deployment, a gateway's route) that stands for a model; any provider's when `provider` is ""."""

    alias: Text
    model: Text
    provider: Provider = ""
    model_provider: Provider = ""
    source: Text = ""


@dataclass(frozen=True, slots=True)
class Overrides:
    """All of the user's own prices."""

    prices: tuple[PriceRow, ...] = ()
    discounts: tuple[Discount, ...] = ()
    aliases: tuple[Alias, ...] = ()

    def with_prices(self, rows: Iterable[PriceRow]) -> Overrides:
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


def parse_overrides(toml: Mapping[str, Any]) -> Overrides:
    """Read `[[prices]]`, `[[discounts]]` and `[[aliases]]` of a parsed `outlay.toml`; other tables are not looked at.

    Raises:
        ConfigError: For unknown or missing keys and values that cannot be right; it names each entry, key and value.
    """
    slips = Slips()
    prices: list[PriceRow] = []
    discounts: list[Discount] = []
    aliases: list[Alias] = []
    with slips.gathered():
        prices = _read_prices(toml.get("prices", []))
    with slips.gathered():
        discounts = read_tables(Discount, toml.get("discounts", []), "discounts")
    with slips.gathered():
        aliases = read_tables(Alias, toml.get("aliases", []), "aliases")
    slips.raise_all()
    return Overrides(tuple(prices), tuple(discounts), tuple(aliases))


def _read_prices(tables: object) -> list[PriceRow]:
    found: dict[str, PriceRow] = {}
    slips = Slips()
    for number, row in enumerate(list_of_tables(tables, "prices"), 1):
        with slips.gathered():
            where = f"[[prices]] #{number}"
            found[where] = parse_price(row, where)
    with slips.gathered():
        refuse_overlaps(found)
    slips.raise_all()
    return list(found.values())


def refuse_overlaps(rows: Mapping[str, PriceRow]) -> None:
    """Refuse two prices of the same thing from the same moment on: nobody could tell which holds.

    Args:
        rows: Price rows by where they are written.

    Raises:
        ConfigError: Names both of each such pair.
    """
    first: dict[tuple[object, ...], str] = {}
    wrong = []
    for where, row in rows.items():
        other = first.setdefault(_identity(row), where)
        if other != where:
            what = f"{row.provider} {row.model}, {row.service_tier}, above {row.min_input_tokens} tokens"
            shown = " and ".join(f"{at} ({_briefly(rows[at])})" for at in (other, where))
            wrong.append(f"{shown} are both prices of {what}, from {row.valid_from:%Y-%m-%d %H:%M} UTC on; keep one")
    if wrong:
        raise ConfigError("; ".join(wrong))


def _briefly(row: PriceRow) -> str:
    rates = ", ".join(f"{part} {rate.normalize():f}" for part, rate in row.rates.items())
    return f"{row.source}: {rates} USD per million"


def parse_price(row: Mapping[str, Any], where: str) -> PriceRow:
    """One price row, as in `[[prices]]` and in `PUT /prices`.

    Raises:
        ConfigError: As `parse_overrides`.
    """
    if not isinstance(row, Mapping):
        raise ConfigError(f"{where} must be a table")
    plain = {key: value for key, value in row.items() if "_usd_per_" not in key}
    written = {key: value for key, value in row.items() if key not in plain}
    if "rates" in plain:
        raise ConfigError(f"{where}: {unknown_key('rates')}")
    try:
        return _row(read_table(PriceTable, {**plain, "rates": written}, where))
    except ConfigError as error:
        raise ConfigError(str(error).replace(f"rates = {written!r} ", "")) from None


def _row(price: PriceTable) -> PriceRow:
    tier = standard_tier(price.service_tier, price.region)
    return PriceRow(
        price.provider, price.model, price.valid_from, price.source, price.rates, tier, price.min_input_tokens
    )


def _identity(row: PriceRow) -> tuple[str, str, str, int, datetime]:
    provider = PROVIDERS.get(row.provider, row.provider)
    return (provider, row.model.lower(), row.service_tier, row.min_input_tokens, row.valid_from)


def _shown(row: PriceRow | Discount | Alias) -> dict[str, str]:
    """A row as texts; what it is about and what it says, not where that was written down."""
    if isinstance(row, PriceRow):
        rates = {f"{part}_usd_per_million": str(rate) for part, rate in row.rates.items()}
        return {name: str(getattr(row, name)) for name in row.__slots__ if name != "rates"} | rates
    without = {"source"} if isinstance(row, Alias) else set()
    return {name: str(getattr(row, name)) for name in keys_of(type(row)) if name not in without}
