"""Close the books of a month, so that nobody reprices it by accident; open them again."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay.errors import ConfigError
from outlay_collector.prices import periods
from outlay_collector.prices.book import PriceBook
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import Clock, utc_now

SQL = "outlay_collector.prices.sql"


def close_month(
    book: PriceBook, writer: Writer, month: str, *, project: str = "default", clock: Clock = utc_now
) -> dict[str, Any]:
    """Close the books of `month` (`2026-10`): its prices stay, and later changes show as an adjustment.

    Raises:
        ConfigError: If it is not a month, or not over yet.
    """
    start, end = _month(month)
    if end > clock():
        raise ConfigError(f"{month} is not over yet; it can be closed from {end:%Y-%m-%d} on")
    book.ensure(writer)
    book.open_projects(writer, {project})
    line = periods.read(writer, project)
    closed = periods.changed(line, start, end, lambda one: periods.PricePeriod(one.starts_at, one.price_version, True))
    totals = _totals(writer, project, start, end)
    writer.insert(
        "closed_months",
        [
            {
                "project": project,
                "month": start.date(),
                "closed_at": clock(),
                **totals,
                "version": time.time_ns(),
                "is_deleted": 0,
            }
        ],
    )
    periods.write(writer, project, line, closed)
    return {"month": month, **totals}


def reopen_month(writer: Writer, month: str, *, project: str = "default", clock: Clock = utc_now) -> None:
    """Open the books of `month` again.

    Raises:
        ConfigError: If it is not a month, or its books are not closed.
    """
    start, end = _month(month)
    line = periods.read(writer, project)
    if not any(period.closed for period in periods.within(line, start, end)):
        raise ConfigError(f"the books of {month} are not closed")
    opened = periods.changed(line, start, end, lambda one: periods.PricePeriod(one.starts_at, one.price_version, False))
    periods.write(writer, project, line, opened)
    writer.insert(
        "closed_months",
        [
            {
                "project": project,
                "month": start.date(),
                "closed_at": clock(),
                "calls": 0,
                "cost_usd": Decimal(0),
                "version": time.time_ns(),
                "is_deleted": 1,
            }
        ],
    )


def closed_months(store: Store, project: str = "default") -> list[dict[str, Any]]:
    """Closed months, newest first: what they said when they were closed, say now, and the adjustment between."""
    return store.query(load_sql(SQL, "reprice_closed_months"), {"project": project})


def _totals(writer: Writer, project: str, start: datetime, end: datetime) -> dict[str, Any]:
    return writer.query(
        "SELECT count() AS calls, ifNull(sum(cost_usd), 0) AS cost_usd FROM calls FINAL "
        "WHERE project = {project:String} AND started_at >= {start:DateTime64(9)} AND started_at < {end:DateTime64(9)}",
        {"project": project, "start": start, "end": end},
    )[0]


def _month(text: str) -> tuple[datetime, datetime]:
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ConfigError(f"{text!r} is not a month; write it as 2026-10") from None
    after = (first + timedelta(days=31)).replace(day=1)
    return (datetime(first.year, first.month, 1, tzinfo=UTC), datetime(after.year, after.month, 1, tzinfo=UTC))
