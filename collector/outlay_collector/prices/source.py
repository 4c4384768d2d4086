"""The calls of a window as `sql/price.sql` wants them: to be priced anew."""

from __future__ import annotations

from outlay_collector.store import load_sql

SQL = "outlay_collector.prices.sql"
# Of `calls`, what a price depends on, and the figures that are now.
NEEDED = (
    "project", "started_at", "provider", "request_model", "response_model", "service_tier", "region",
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens",
    "reasoning_tokens", "other_usage", "flags", "cache_avoided_input_tokens", "cache_avoided_output_tokens",
    "cost_usd", "list_cost_usd", "uncached_cost_usd", "cost_lines", "cost_state", "price_version", "matched_model",
    "match_kind", "cache_avoided_usd",
)  # fmt: skip


def whole_calls() -> str:
    """A SELECT of the calls with all their columns; see `sql/reprice_source.sql`."""
    return load_sql(SQL, "reprice_source", columns="*")


def calls_with(*columns: str) -> str:
    """As `whole_calls`, with these columns and what the price needs: to plan a long statement, each of them costs."""
    return load_sql(SQL, "reprice_source", columns=", ".join((*NEEDED, *columns)))
