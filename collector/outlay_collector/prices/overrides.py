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
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, model_validator
from pydantic.dataclasses import dataclass as table

from outlay.pricing.catalog import EPOCH, standard_tier
from outlay_collector.prices.tables import STRICT, Slips, keys_of, read_table, read_tables

RATE_KEYS: Mapping[str, str] = {
    "input_usd_per_mtok": "input",
    "cache_read_usd_per_mtok": "cache_read",
    "cache_write_usd_per_mtok": "cache_write",
    "cache_write_1h_usd_per_mtok": "cache_write_1h",
    "output_usd_per_mtok": "output",
}
MAX_USD_PER_MTOK = Decimal(100_000)
SCALE = Decimal("0.000000000001")  # of money in the store
FIRST, LAST = EPOCH, datetime(2200, 1, 1, tzinfo=UTC)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 1000:
        raise ValueError("is not a text")
    return value.strip()


def _decimal(value: object) -> Decimal:
    if not isinstance(value, str):
        raise ValueError('must be a decimal in quotes, for example "2.50"')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("is not a decimal number") from None
    if not number.is_finite():
        raise ValueError("is not a finite number")
    return number


def _rate(value: object) -> Decimal:
    number = _decimal(value)
    if not 0 <= number <= MAX_USD_PER_MTOK:
        raise ValueError(f"is not between 0 and {MAX_USD_PER_MTOK} USD per million tokens")
    if number != number.quantize(SCALE):
        raise ValueError("has more than 12 decimals")
    return number


def _share(value: object) -> Decimal:
    share = _decimal(value)
    if not 0 < share < 1:
        raise ValueError("is not a share between 0 and 1 (0.15 is 15 % off)")
    return share


def _tokens(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**48:
        raise ValueError("is not a number of tokens from 0 up")
    return value


def _instant(value: object) -> datetime:
    """A TOML date or datetime, or the same as text; without an offset it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("is not a date or an RFC 3339 instant") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise ValueError("is not a date or an RFC 3339 instant")
    try:
        instant = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not between 1970 and 2200") from None
    if not FIRST <= instant < LAST:
        raise ValueError("is not between 1970 and 2200")
    return instant


Text = Annotated[str, BeforeValidator(_text)]
Provider = Annotated[str, BeforeValidator(_text), AfterValidator(str.lower)]
Rate = Annotated[Decimal | None, BeforeValidator(_rate)]
Instant = Annotated[datetime, BeforeValidator(_instant)]


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
    service_tier: Text = ""
    min_input_tokens: Annotated[int, BeforeValidator(_tokens)] = 0
    input_usd_per_mtok: Rate = None
    cache_read_usd_per_mtok: Rate = None
    cache_write_usd_per_mtok: Rate = None
    cache_write_1h_usd_per_mtok: Rate = None
    output_usd_per_mtok: Rate = None

    @model_validator(mode="after")
    def _names_a_price(self) -> Self:
        if not self.rates:
            raise ValueError(f"names no price; give at least one of {', '.join(RATE_KEYS)}")
        return self

    @property
    def rates(self) -> dict[str, Decimal]:
        """USD per million tokens by part."""
        return {part: getattr(self, key) for key, part in RATE_KEYS.items() if getattr(self, key) is not None}


@table(config=STRICT, frozen=True)
class Discount:
    """A share off the list price of a provider, or of one of its models, from `valid_from` until `valid_to`."""

    provider: Provider
    discount: Annotated[Decimal, BeforeValidator(_share)]
    valid_from: Instant
    model: Text = ""
    valid_to: Annotated[datetime | None, BeforeValidator(_instant)] = None
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
    prices: list[PriceTable] = []
    discounts: list[Discount] = []
    aliases: list[Alias] = []
    with slips.gathered():
        prices = read_tables(PriceTable, toml.get("prices", []), "prices")
    with slips.gathered():
        discounts = read_tables(Discount, toml.get("discounts", []), "discounts")
    with slips.gathered():
        aliases = read_tables(Alias, toml.get("aliases", []), "aliases")
    slips.raise_all()
    return Overrides(tuple(_row(price) for price in prices), tuple(discounts), tuple(aliases))


def parse_price(row: Mapping[str, Any], where: str) -> PriceRow:
    """One price row, as in `[[prices]]` and in `PUT /prices`.

    Raises:
        ConfigError: As `parse_overrides`.
    """
    return _row(read_table(PriceTable, row, where))


def _row(price: PriceTable) -> PriceRow:
    tier = standard_tier(price.service_tier)
    return PriceRow(
        price.provider, price.model, price.valid_from, price.source, price.rates, tier, price.min_input_tokens
    )


def _identity(row: PriceRow) -> tuple[str, str, str, int, datetime]:
    return (row.provider, row.model.lower(), row.service_tier, row.min_input_tokens, row.valid_from)


def _shown(row: PriceRow | Discount | Alias) -> dict[str, str]:
    """A row as texts; what it is about and what it says, not where that was written down."""
    if isinstance(row, PriceRow):
        rates = {key: str(row.rates[part]) for key, part in RATE_KEYS.items() if part in row.rates}
        return {name: str(getattr(row, name)) for name in row.__slots__ if name != "rates"} | rates
    without = {"source"} if isinstance(row, Alias) else set()
    return {name: str(getattr(row, name)) for name in keys_of(type(row)) if name not in without}
