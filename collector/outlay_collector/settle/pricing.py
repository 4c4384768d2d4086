"""What requests cost.

Few calls are priced one by one in Python. Of many, those that are alike at once (`alike`), and the others one by one
or, where they are many, in one statement (`prices/sql/price.sql`): to plan that statement takes as long as to price a
thousand calls one by one. All ways give the same figures.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.reckon import COUNTS, Asked, Priced
from outlay_collector.settle.alike import NAMES, USD, price_alike
from outlay_collector.settle.arrays import rows_of
from outlay_collector.settle.billable import COLUMNS, PRICED
from outlay_collector.settle.facts import flat
from outlay_collector.settle.values import text
from outlay_collector.store.client import Writer

FEW_CALLS = 1_000
MANY_CALLS = 50
"""From here on it takes less to look for those that are alike than to price all one by one."""
REQUESTS = "settle_requests"
SOURCE = f"SELECT {PRICED} FROM {REQUESTS}"
PRICES: dict[str, Any] = {
    "cost_usd": USD,
    "list_cost_usd": USD,
    "uncached_cost_usd": USD,
    "cost_lines": pa.map_(pa.binary(), USD),
    "cost_state": pa.binary(),
    "price_version": pa.binary(),
    "matched_model": pa.binary(),
    "match_kind": pa.binary(),
    "avoided_usd": USD,
}
"""What pricing adds to a request."""


def create(writer: Writer) -> None:
    """Make the temporary table of requests, where it is not there."""
    kinds = {name.strip(): COLUMNS[name.strip()] for name in PRICED.split(",")}
    shape = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    writer.run(f"CREATE TEMPORARY TABLE IF NOT EXISTS {REQUESTS} ({shape}) ENGINE = Memory")


def price(writer: Writer, prices: PriceBook, requests: pa.Table) -> pa.Table:
    """What each request costs: the columns of PRICES."""
    if len(requests) < MANY_CALLS:
        return _each(writer, prices, requests)
    reckoner = prices.reckoner(writer, {text(name) for name in flat(requests["project"]).unique().to_pylist()})
    alike = price_alike(reckoner, requests)
    found = pa.table(alike.columns, pa.schema(PRICES)) if len(alike.rows) else pa.schema(PRICES).empty_table()
    if len(found) == len(requests):
        return found
    others = np.setdiff1d(np.arange(len(requests)), alike.rows, assume_unique=True)
    rest = _each(writer, prices, requests.take(pa.array(others)))
    order = np.argsort(np.append(alike.rows, others))
    return pa.concat_tables([found, rest.select(list(PRICES)).cast(found.schema)]).take(pa.array(order))


def _each(writer: Writer, prices: PriceBook, requests: pa.Table) -> pa.Table:
    """What each request costs, one by one or in one statement."""
    found = _few(writer, prices, requests) if len(requests) <= FEW_CALLS else None
    return _many(writer, prices, requests) if found is None else found


def _few(writer: Writer, prices: PriceBook, requests: pa.Table) -> pa.Table | None:
    """What each request costs, reckoned one by one; None where a price list is only in the store."""
    names = {name: [text(word or b"") for word in requests[name].to_pylist()] for name in NAMES}
    reckoner = prices.reckoner(writer, set(names["project"]))
    started_us = requests["started_at"].cast(pa.int64()).to_numpy() // 1000
    counts = {name: requests[name].to_pylist() for name in COUNTS}
    other, hints = requests["other_usage"].to_pylist(), requests["state_hint"].to_pylist()
    found = []
    for n in range(len(requests)):
        priced = reckoner.price(
            Asked(
                **{name: words[n] for name, words in names.items()},
                started_at=datetime.fromtimestamp(int(started_us[n]) / 1e6, UTC),
                counts={name: count[n] for name, count in counts.items()},
                other_usage={text(name): count for name, count in other[n] or ()},
                state_hint=hints[n] or "",
            )
        )
        if priced is None:
            return None
        found.append(priced)
    return pa.table({name: pa.array([_value(each, name) for each in found], kind) for name, kind in PRICES.items()})


def _value(priced: Priced, name: str) -> Any:
    value = getattr(priced, name)
    if isinstance(value, str):
        return value.encode()
    return [(part.encode(), usd) for part, usd in value.items()] if name == "cost_lines" else value


def _many(writer: Writer, prices: PriceBook, requests: pa.Table) -> pa.Table:
    """What each request costs, in one statement."""
    columns = [name.strip() for name in PRICED.split(",")]
    writer.insert_arrow(REQUESTS, requests.select(columns))
    plain = pa.table({name: requests[name].cast(pa.binary()) for name in NAMES})
    names = plain.group_by(list(NAMES)).aggregate([]).to_pylist()
    prices.prepare_names(writer, [{name: text(row[name] or b"") for name in NAMES} for row in names])
    found = writer.arrow(f"SELECT id, {', '.join(PRICES)} FROM ({prices.price_select(SOURCE)})")
    writer.run(f"TRUNCATE TABLE {REQUESTS}")
    at = rows_of(found["id"].to_numpy(), requests["id"].to_numpy())
    priced = found.drop_columns("id")
    return priced if np.array_equal(at, np.arange(len(at))) else priced.take(pa.array(at))
