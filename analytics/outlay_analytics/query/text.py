"""Amounts and instants as text, said once: for sentences and messages, pages, the API, CSV and the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")
MINUS = "\N{MINUS SIGN}"
MOST_DECIMALS = 12  # what an amount is stored with


def exact(amount: Decimal) -> str:
    """All digits of an amount, without exponent or trailing zeros: `0.00214`, `1234.5`."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def digits(size: Decimal, significant: int = 3) -> str:
    """An amount without its sign, for reading: cents from a dollar up, significant digits below.

    >>> digits(Decimal("1234.5678")), digits(Decimal("0.0021437")), digits(Decimal("0.5")), digits(Decimal(0))
    ('1,234.57', '0.00214', '0.50', '0.00')
    """
    size = abs(size)
    if size == 0 or size >= 1:
        return f"{size.quantize(CENT, ROUND_HALF_EVEN):,}"
    places = min(max(2, significant - 1 - size.adjusted()), MOST_DECIMALS)
    shown = format(size.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), "f").rstrip("0")
    return shown.ljust(len("0.00"), "0")


def usd(amount: Decimal | str | None) -> str:
    """Money in a sentence."""
    if amount is None:
        return "an unknown amount"
    value = Decimal(amount)
    return f"{MINUS if value < 0 else ''}${digits(value)}"


def signed_percent(share: float | Decimal) -> str:
    """A relative change in a sentence.

    >>> signed_percent(0.25), signed_percent(-0.1)
    ('+25%', '−10%')
    """
    return f"{share:+.0%}".replace("-", MINUS)


def sql_instant(at: datetime) -> str:
    """An instant as `toDateTime64({…:String}, 9, 'UTC')` and JSON rows of ClickHouse read it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def rfc3339(at: datetime) -> str:
    """An instant as RFC 3339 in UTC, with a fraction only where there is one; without an offset it is taken as UTC."""
    moment = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return moment.isoformat().replace("+00:00", "Z")
