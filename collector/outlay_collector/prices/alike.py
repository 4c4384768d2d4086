"""Prices for many calls at once: those that the same rates hold for are added up first, and priced as one.

The sum is that of the calls priced one by one, to the last digit, as long as no line of theirs is rounded: a rate in
whole millionths of a dollar per million tokens gives lines of whole picodollars. Rates are nearly always such. Calls
whose rates are not are `inexact`, and to be asked for again `alone`.
"""

from __future__ import annotations

from collections.abc import Sequence

from outlay_collector.prices.book import PriceBook
from outlay_collector.store import load_sql

SQL = "outlay_collector.prices.sql"
NAMES = ("provider", "request_model", "response_model", "service_tier", "region")
EXACT = "requests = 1 AND calls = times OR arrayAll(rate -> rate = round(rate, 6), arrayConcat(p_rates, l_rates))"
"""Condition on rows of `price_alike` (with their workings): the price of the row is that of its calls."""


def price_alike(
    book: PriceBook, source_sql: str, keys: Sequence[str], sums: Sequence[str] = (), alone: str = "0"
) -> str:
    """A SELECT of groups of `source_sql`'s calls with their prices and workings; `price_alike.sql` tells both sides.

    Args:
        book: The prices.
        source_sql: As for `PriceBook.price_select`; its parameters besides are `from` and `until`.
        keys: Columns of it to group by as well.
        sums: Aggregates of its columns, with their names: `sum(x) AS y`.
        alone: Which calls are not added up.
    """
    comma = [f"{one}," for one in keys]
    grouped = load_sql(
        SQL,
        "price_alike",
        source=source_sql,
        keys=" ".join(comma),
        sums=" ".join(f"{one}," for one in sums),
        alone=alone,
    )
    return book.price_select(grouped, workings=True, grouped=True)
