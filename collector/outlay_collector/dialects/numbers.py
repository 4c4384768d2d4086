"""Numbers as attributes write them: plain decimals, never with spaces or separators."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Context, Decimal

_NUMBER = re.compile(rb"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?")
_SINCE_1970 = re.compile(rb"([0-9]+)([.][0-9]*)?")
_UNIT = Decimal("0.000000000001")
_WHOLE_DIGITS = Decimal(10) ** 26
_EXACT = Context(prec=60, rounding=ROUND_DOWN)
_UNIX_DIGITS = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}
"""Units per second by how many digits a time since 1970 has."""


def number_of(text: bytes) -> float | None:
    """A text as a number, None where it is none, or not finite."""
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def money_of(text: bytes) -> Decimal | None:
    """A text as an amount with 12 decimals, more are cut; None where it is none, or too large to be kept."""
    if not _NUMBER.fullmatch(text):
        return None
    try:
        amount = Decimal(text.decode("ascii"))
        return amount.quantize(_UNIT, context=_EXACT) if amount.copy_abs() < _WHOLE_DIGITS else None
    except ArithmeticError:
        return None


def instant_of(text: bytes) -> datetime | None:
    """A text as an instant: ISO 8601, UTC where it says no offset, or a time since 1970; None where it is neither."""
    written = text.decode("utf-8", "replace")
    plain = _SINCE_1970.fullmatch(text)
    try:
        if plain and len(plain[1]) in _UNIX_DIGITS:
            return datetime.fromtimestamp(float(Decimal(written) / _UNIX_DIGITS[len(plain[1])]), UTC)
        found = datetime.fromisoformat(written)
    except (ArithmeticError, ValueError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
