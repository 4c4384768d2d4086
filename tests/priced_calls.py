"""Hand-made calls with the costs that the price list gives them, as settle would have stored them."""

from __future__ import annotations

from typing import Any

from outlay_collector.prices.book import PriceBook
from outlay_collector.store import Store
from tests import pricing_world
from tests.hand_calls import put

TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
PRICED = (
    "cost_usd",
    "list_cost_usd",
    "uncached_cost_usd",
    "cost_lines",
    "cost_state",
    "price_version",
    "matched_model",
    "match_kind",
)


def put_priced(store: Store, book: PriceBook, *calls: dict[str, Any]) -> list[dict[str, Any]]:
    """Store the calls of `hand_calls.call` with their costs, and return them so."""
    names = ("project", "provider", "request_model", "response_model", "service_tier", *TOKENS, "other_usage")
    asked = [
        pricing_world.call(
            one["model"],
            at=one["started_at"],
            **{name: one[name] for name in names if name not in ("request_model", "provider")},
            provider=one["provider"],
        )
        for one in calls
    ]
    writer = store.writer()
    book.ensure(writer)
    found = pricing_world.priced(writer, book, asked)
    writer.close()
    rows = [one | {name: price[name] for name in PRICED} for one, price in zip(calls, found, strict=True)]
    put(store, *rows)
    return rows
