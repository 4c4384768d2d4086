"""Amounts in sentences: the same in messages, pages of text and explanations."""

from __future__ import annotations

from decimal import Decimal


def usd(amount: Decimal | str | None) -> str:
    """Money as people read it: cents from a dollar up, below it four significant digits."""
    if amount is None:
        return "an unknown amount"
    value = Decimal(amount)
    sign, size = "-" if value < 0 else "", abs(value)
    if size == 0 or size >= 1:
        return f"{sign}${size:,.2f}"
    digits = min(max(3 - size.adjusted() - 1, 2), 12)
    text = f"{size:.{digits}f}".rstrip("0")
    return f"{sign}${text.ljust(4, '0')}"
