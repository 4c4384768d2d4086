"""`[holidays]` of outlay.toml as it is written."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, StrictStr
from pydantic.dataclasses import dataclass as table

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.window import parse_timezone
from outlay_collector.prices.tables import STRICT

MOST_DAYS = 366


def _day(value: object) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("is no date such as 2026-12-24")


def _zone(value: object) -> str:
    try:
        parse_timezone(value if isinstance(value, str) else "")
    except BadRequest as exc:
        raise ValueError(f"is no time zone such as Europe/Berlin: {exc}") from None
    return str(value)


Day = Annotated[date, BeforeValidator(_day)]


@table(config=STRICT, frozen=True)
class ClosedTable:
    """`[[holidays.closed]]`: days of one's own, the last included."""

    first: Day
    last: Day | None = None
    name: StrictStr = "closed"

    def __post_init__(self) -> None:
        length = ((self.last or self.first) - self.first).days + 1
        if not 1 <= length <= MOST_DAYS:
            raise ValueError(f"last = {self.last} must be first = {self.first} or up to {MOST_DAYS - 1} days later")


@table(config=STRICT, frozen=True)
class HolidaysTable:
    """`[holidays]`."""

    countries: tuple[StrictStr, ...] = ()
    timezone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    closed: tuple[dict[str, Any], ...] = ()
