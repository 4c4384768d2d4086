"""The values of the user's own prices: what each may be, and what is said of one that cannot be right."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from outlay.pricing.catalog import EPOCH
from outlay.pricing.units import PRICE_KEYS, TOKEN_PARTS, UNITS

MAX_USD_PER_MTOK = Decimal(100_000)
MAX_USD_PER_MILLION = Decimal(999_999)  # of other units: just below a dollar each
SCALE = Decimal("0.000000000001")  # of money in the store
FIRST, LAST = EPOCH, datetime(2200, 1, 1, tzinfo=UTC)


def text_of(value: object) -> str:
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


def rates_of(value: object) -> dict[str, Decimal]:
    """Prices as they are written, as USD per million by part."""
    rates: dict[str, Decimal] = {}
    written: dict[str, str] = {}
    for key, amount in dict(value).items():  # type: ignore[call-overload]
        if key not in PRICE_KEYS:
            raise ValueError(unknown_key(key))
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


def unknown_key(key: str) -> str:
    near = get_close_matches(key, PRICE_KEYS, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown key {key!r}; {hint}{UNITS_TOLD}"


UNITS_TOLD = (
    "prices are written as <part>_usd_per_mtok, with the parts "
    f"{', '.join(part for part, _ in dict.fromkeys(v for k, v in PRICE_KEYS.items() if k.endswith('_mtok')))}, "
    "or as <unit>_usd_per_thousand, …_per_million or …_per_one (of times also …_per_minute and …_per_hour), with the "
    f"units {', '.join(name for name, unit in UNITS.items() if unit.per)}"
)


def share_of(value: object) -> Decimal:
    share = _decimal(value)
    if not 0 < share < 1:
        raise ValueError("is not a share between 0 and 1 (0.15 is 15 % off)")
    return share


def tokens_of(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**48:
        raise ValueError("is not a number of tokens from 0 up")
    return value


def instant_of(value: object) -> datetime:
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


Text = Annotated[str, BeforeValidator(text_of)]
Provider = Annotated[str, BeforeValidator(text_of), AfterValidator(str.lower)]
Instant = Annotated[datetime, BeforeValidator(instant_of)]
