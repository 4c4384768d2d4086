"""Reads the values of a bill: exact amounts and instants; what cannot be read is collected, the rest counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay_analytics.query.amounts import PICO
from outlay_analytics.reconcile.bill import Charge, LeftOut, Problems
from outlay_analytics.reconcile.columns import fold
from outlay_analytics.reconcile.models import ModelNames

MAX_USD = Decimal(10) ** 12
AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T]\d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?)?", re.IGNORECASE)
GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T]\d{1,2}:\d\d(?::\d\d)?)?", re.ASCII)
GROUPED = re.compile(r"-?\$ ?-?\d{1,3}(?:,?\d{3})*(?:\.\d+)?|-?\d{1,3}(?:,\d{3})+\.\d+", re.ASCII)
_IN_BRACKETS = re.compile(r"\((.*)\)")  # bookkeepers' way to write what is below zero
_CURRENCY_BESIDE = re.compile(r"USD\s*|\s*USD", re.IGNORECASE)
# What closes a table in place of a day.
TOTALS = frozenset({"total", "totals", "grandtotal", "subtotal", "sum"})
Charges = Iterator[Charge]


class Reading:
    """One bill while it is read.

    Attributes:
        models: The price list's names.
        days: Which it is about.
        problems: What is compared and cannot be read; refuses the bill.
        left_out: What is not compared, by reason.
        usd_per: USD for one unit of other currencies, where somebody stated it.
        converted: Lines that were converted by it.
    """

    def __init__(self, models: ModelNames, usd_per: Mapping[str, Decimal] | None = None) -> None:
        self.usd_per = dict(usd_per or {})
        self.converted: dict[str, int] = {}
        self.days: set[date] = set()
        self.problems = Problems()
        self.left_out = LeftOut()
        self.models = models

    def rate(self, where: str, column: str, value: Any, stated: Any = None) -> Decimal | None:
        """USD for one unit of a line's currency; None where nobody states it: the line is left out and counted.

        Args:
            stated: Units of the currency for one USD, as the line itself states it.
        """
        currency = str(value or "").strip().upper()
        if currency == "USD":
            return Decimal(1)
        if currency in self.usd_per:
            self.converted[currency] = self.converted.get(currency, 0) + 1
            return self.usd_per[currency]
        own = amount_of(stated)
        if currency and own is not None and own > 0:
            self.converted[currency] = self.converted.get(currency, 0) + 1
            return 1 / own
        reason = f"in {currency[:20]}" if currency else "without a currency"
        shown = f": {str(value)[:60]!r} where USD is expected" if currency else ""
        self.left_out.add(reason, None, f"{where}, {column}{shown}")
        return None

    def closes(self, day: Any, amount: Any) -> bool:
        """Whether a line adds up the others: it has `Total` where they have a day. It is left out and counted."""
        if fold(str(day or "")) not in TOTALS:
            return False
        self.left_out.add("totals", amount_of(amount))
        return True

    def usd(self, where: str, column: str, value: Any, rate: Decimal = Decimal(1)) -> Decimal | None:
        """An amount times `rate`; None, and a problem, if it is none."""
        amount = amount_of(value)
        if amount is None:
            self.problems.add(where, column, value, "a decimal amount such as 12.34")
            return None
        return amount if rate == 1 else (amount * rate).quantize(PICO)

    def instant(self, where: str, column: str, value: Any, *, month_first: bool = False) -> datetime | None:
        """A day or an instant in UTC, however it is written; None, and a problem, if it is none."""
        try:
            american = AMERICAN.fullmatch(str(value).strip()) if month_first else None
            german = GERMAN.fullmatch(str(value).strip())
            if american:
                found = datetime(int(american[3]), int(american[1]), int(american[2]))
            elif german:
                found = datetime(int(german[3]), int(german[2]), int(german[1]))
            elif isinstance(value, datetime):
                found = value
            elif isinstance(value, date):
                found = datetime(value.year, value.month, value.day)
            elif re.fullmatch(r"\d{9,11}", str(value).strip(), re.ASCII):
                found = datetime.fromtimestamp(int(value), UTC)
            elif re.fullmatch(r"\d{13}", str(value).strip(), re.ASCII):
                found = datetime.fromtimestamp(int(value) // 1000, UTC)
            else:
                # BigQuery writes `2026-10-01 00:00:00 UTC`.
                found = datetime.fromisoformat(str(value).strip().replace(" UTC", "Z"))
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            found = datetime.min.replace(tzinfo=UTC)
        if not 2000 <= found.year < 2200:
            self.problems.add(where, column, value, "a day or instant such as 2026-10-01T00:00:00Z")
            return None
        return found


def amount_of(value: Any) -> Decimal | None:
    """A decimal amount, None when it is none. Exact: from the digits that are written.

    `$1,234.56`, `(1.50)` and `1.5 USD` are some; `1,234` is none, as the comma may stand for either.
    """
    try:
        text = repr(value) if isinstance(value, float) else str(value).strip().replace("\u2212", "-")
        text = _CURRENCY_BESIDE.sub("", _IN_BRACKETS.sub(r"-\1", text))
        if GROUPED.fullmatch(text):
            text = text.replace("$", "").replace(",", "")
        amount = Decimal(text)
    except (InvalidOperation, ValueError):
        return None
    if isinstance(value, bool) or not amount.is_finite() or abs(amount) > MAX_USD:
        return None
    return amount.quantize(PICO)
