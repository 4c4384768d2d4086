"""What customers pay, from `[[revenue]]` of outlay.toml, for the margin on what they cost.

    [[revenue]]
    customer = "acme"
    usd_per_month = "1200"
    valid_from = 2026-07-01     # optional: until the customer's next row

A window earns of each month the share that it covers of it, to the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass as table

from outlay.errors import ConfigError
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import parse_timezone
from outlay_collector.prices.tables import STRICT, read_tables

MOST_USD = Decimal(10) ** 15
PICOS = 10**12


def _usd(value: object) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, (str, Decimal)) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= MOST_USD:
        raise ValueError('must be an amount of 0 or more in quotes, for example "1200"')
    return amount


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a name")
    return value


def _day(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("must be a date such as 2026-07-01")
    return value


Name = Annotated[str, BeforeValidator(_name)]


@table(config=STRICT, frozen=True)
class Revenue:
    """A row of `[[revenue]]`: what a customer pays a month, from a day on."""

    customer: Name
    usd_per_month: Annotated[Decimal, BeforeValidator(_usd)]
    valid_from: Annotated[date, BeforeValidator(_day)] = date(1970, 1, 1)
    project: Name = "default"


def parse_revenue(written: object) -> tuple[Revenue, ...]:
    """The rows of `[[revenue]]`.

    Raises:
        ConfigError: Names every row that is wrong, the value and what is allowed.
    """
    rows = tuple(read_tables(Revenue, written, "revenue"))
    seen: set[tuple[str, str, date]] = set()
    for row in rows:
        key = (row.project, row.customer, row.valid_from)
        if key in seen:
            raise ConfigError(f"[[revenue]] says twice what {row.customer!r} pays from {row.valid_from}")
        seen.add(key)
    return rows


def earned(rows: Sequence[Revenue], scope: Scope) -> dict[str, Decimal]:
    """What each customer of the scope's project pays for its window, in USD."""
    found: dict[str, list[Revenue]] = {}
    for row in rows:
        if row.project == scope.project:
            found.setdefault(row.customer, []).append(row)
    return {
        customer: Decimal(round(_of_window(sorted(own, key=lambda row: row.valid_from), scope) * PICOS)) / PICOS
        for customer, own in found.items()
    }


def _of_window(rows: Sequence[Revenue], scope: Scope) -> Fraction:
    """The amounts of one customer, the earliest first, each by the seconds of the months it holds in."""
    zone = parse_timezone(scope.timezone)
    total = Fraction(0)
    ends = [*(_midnight(row.valid_from, zone) for row in rows[1:]), scope.window.end]
    for row, end in zip(rows, ends, strict=True):
        start = max(scope.window.start, _midnight(row.valid_from, zone))
        end = min(end, scope.window.end)
        local = start.astimezone(zone)
        month = date(local.year, local.month, 1)
        while start < end:
            following = (month + timedelta(days=32)).replace(day=1)
            first, last = _midnight(month, zone), _midnight(following, zone)
            covered = min(last, end) - start
            total += Fraction(row.usd_per_month) * Fraction(_microseconds(covered), _microseconds(last - first))
            start, month = last, following
    return total


def _midnight(day: date, zone: Any) -> datetime:
    at = datetime(day.year, day.month, day.day, tzinfo=zone)
    return at.astimezone(parse_timezone("UTC"))


def _microseconds(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
