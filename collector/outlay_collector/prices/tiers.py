"""What calls would have cost in another service tier: evidence for a bill that says something else than the spans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.source import calls_with
from outlay_collector.store import load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_collector.prices.sql"


def costs_in_tier(
    book: PriceBook, writer: Writer, project: str, first: date, last: date, models: Sequence[str], tier: str
) -> list[dict[str, Any]]:
    """The calls of `models` from `first` to `last` (UTC, inclusive), priced as if they were in `tier`.

    Returns:
        Rows of `day`, `provider`, `model`, `matched_model`, `own_tier` and `usd`, of calls whose cost is known.
    """
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    params = {"project": project, "start": start, "end": end, "models": list(models), "tier": tier}
    source = (
        "SELECT * REPLACE ({tier:String} AS service_tier), calls.service_tier AS own_tier "
        f"FROM ({calls_with('model')}) AS calls WHERE model IN {{models:Array(String)}}"
    )
    book.prepare(writer, source, params)
    return writer.query(load_sql(SQL, "price_tiers", priced=book.price_select(source)), params)
