"""Arithmetic of amounts: how exact they are, one of so many, what something costs a month."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

PICO = Decimal("0.000000000001")  # what an amount is stored and answered to
MONTH_DAYS = Decimal("365.25") / 12


def per(usd: Decimal | None, number: float | Decimal) -> Decimal | None:
    """An amount for one of so many, to the picodollar; unknown without any."""
    return (usd / Decimal(number)).quantize(PICO, ROUND_HALF_UP) if usd is not None and number else None


def days_of(first_at: datetime, last_at: datetime) -> Decimal:
    """How long something ran, a day at least: what its cost a month is reckoned from, however long the window is."""
    return max(Decimal((last_at - first_at).total_seconds()) / 86400, Decimal(1))
