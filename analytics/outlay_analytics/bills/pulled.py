"""What a pull brings, whoever was asked: charges and usage per day, and the pages they were read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.bills.fetch import Page, PullFailed
from outlay_analytics.reconcile.bill import Charge, LeftOut, Usage
from outlay_analytics.reconcile.formats import Lines


@dataclass(frozen=True)
class Days:
    """Days in UTC, both ends included."""

    first: date
    last: date

    def __iter__(self) -> Any:
        return (self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    def start(self) -> datetime:
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        return midnight(self.last + timedelta(days=1))

    def parts(self, most: int) -> list[Days]:
        """The same days, at most so many at a time."""
        firsts = range(0, (self.last - self.first).days + 1, most)
        return [
            Days(self.first + timedelta(days=n), min(self.last, self.first + timedelta(days=n + most - 1)))
            for n in firsts
        ]


@dataclass
class Pulled:
    """What one pull brought.

    Attributes:
        days: Those that it speaks of: each is replaced, also by nothing.
        notes: What else people should know.
        is_complete: Whether it is all that the account says: days in force that it does not speak of are taken back.
    """

    format: str
    days: frozenset[date]
    charges: Sequence[Charge]
    usage: Sequence[Usage] = ()
    pages: Sequence[Page] = ()
    left_out: Mapping[str, Decimal] = field(default_factory=dict)
    left_out_lines: Mapping[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_complete: bool = False


def from_lines(found: Lines, days: Days, stated: str) -> Pulled:
    """Lines of an API as a pull's: only of the days that were asked for, each of them, whether it has charges or not.

    Args:
        stated: Which day's rates currencies are converted by.

    Raises:
        PullFailed: If all amounts are in a currency that nobody states a rate for.
    """
    charges = [charge for charge in found.charges if charge.day in days]
    refuse_foreign(found.left_out, bool(charges))
    notes = [
        f"{count} {'line' if count == 1 else 'lines'} in {currency} converted{stated}"
        for currency, count in found.converted.items()
    ]
    left_out = found.left_out
    return Pulled(found.format, frozenset(days), charges, (), (), left_out.usd, left_out.lines, notes)


def refuse_foreign(left_out: LeftOut, has_charges: bool) -> None:
    """A bill that is all in another currency says nothing in USD: an empty one would be a wrong one.

    Raises:
        PullFailed: If it is one.
    """
    foreign = [reason for reason in left_out.lines if reason.startswith("in ")]
    if foreign and not has_charges:
        raise PullFailed(
            f'the bill is {foreign[0]}, not in USD: state the rate, usd_per = {{ {foreign[0][3:]} = "…" }} and '
            "usd_per_day, in [[bills]]; it is never mixed"
        )


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def whole(value: Any) -> int:
    """A count of a page; 0 where it has none.

    Raises:
        PullFailed: If it is no count.
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value) or value < 0:
        raise PullFailed(f"{str(value)[:60]!r} where a count is expected")
    return int(value)


def text(value: Any) -> str:
    """A name of a page, empty where it has none."""
    return "" if value is None else str(value)[:200]
