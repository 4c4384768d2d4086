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
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, model_validator
from pydantic.dataclasses import dataclass as table

from outlay.errors import ConfigError
from outlay.pricing.catalog import EPOCH
from outlay.pricing.names import PROVIDERS
from outlay.pricing.tiers import standard_tier
from outlay.pricing.units import PRICE_KEYS, TOKEN_PARTS, UNITS
from outlay_collector.prices.tables import STRICT, Slips, keys_of, list_of_tables, read_table, read_tables

MAX_USD_PER_MTOK = Decimal(100_000)
MAX_USD_PER_MILLION = Decimal(999_999)  # of other units: just below a dollar each
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


def _rate(key: str, value: object) -> Decimal:
    """A price as USD per million."""
    part, factor = PRICE_KEYS[key]
    number = _decimal(value)
    if number.is_finite() and abs(number.adjusted()) < 40 and number != number.quantize(SCALE):
        raise ValueError("has more than 12 decimals")
    most = MAX_USD_PER_MTOK if part in TOKEN_PARTS else MAX_USD_PER_MILLION * (1 if part == "requests" else 1000)
    if not 0 <= number <= most / factor:
        raise ValueError(f"is not between 0 and {format((most / factor).normalize(), 'f')}")
    return (number * factor).quantize(SCALE)


def _rates(value: object) -> dict[str, Decimal]:
    """Prices as they are written, as USD per million by part."""
    rates: dict[str, Decimal] = {}
    written: dict[str, str] = {}
    for key, amount in dict(value).items():  # type: ignore[call-overload]
        if key not in PRICE_KEYS:
            raise ValueError(_unknown(key))
        part = PRICE_KEYS[key][0]
        try:
            rate = _rate(key, amount)
        except ValueError as error:
            raise ValueError(f"{key} = {amount!r} {error}") from None
        if part in written:
            raise ValueError(f"{key} and {written[part]} are prices of the same unit; keep one")
        rates[part], written[part] = rate, key
    if not rates:
        raise ValueError(f"names no price; give at least one of {', '.join(list(PRICE_KEYS)[:5])} …; {UNITS_TOLD}")
    return rates


def _unknown(key: str) -> str:
    near = get_close_matches(key, PRICE_KEYS, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown key {key!r}; {hint}{UNITS_TOLD}"


UNITS_TOLD = (
    "prices are written as <part>_usd_per_mtok, with the parts "
    f"{', '.join(part for part, _ in dict.fromkeys(v for k, v in PRICE_KEYS.items() if k.endswith('_mtok')))}, "
    "or as <unit>_usd_per_thousand, …_per_million or …_per_one (of times also …_per_minute and …_per_hour), with the "
    f"units {', '.join(name for name, unit in UNITS.items() if unit.per)}"
)


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
    rates: Annotated[dict[str, Decimal], BeforeValidator(_rates)]
    service_tier: Text = ""
    region: Text = ""
    min_input_tokens: Annotated[int, BeforeValidator(_tokens)] = 0


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
        raise ConfigError(f"{where}: {_unknown('rates')}")
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
