"""What a provider that says what it charges took beyond the tokens: a cost line of its own, `provider_fee`."""

from __future__ import annotations

from collections.abc import Iterable

from outlay_collector.prices.reckon import COUNTING_STATES
from outlay_collector.prices.witness import LEAST_SHARE, LEAST_USD
from outlay_collector.store import load_sql

SQL = "outlay_collector.prices.sql"
CHARGE_FEES = ("openrouter",)
"""Providers whose reported cost is the bill: what is beyond the tokens is a line of its own."""


def with_fees(priced: str) -> str:
    """Calls of `reprice_source.sql`, priced, with the fees that settle would find; see `sql/reprice_fees.sql`."""
    return load_sql(
        SQL,
        "reprice_fees",
        priced=priced,
        charging=_quoted(CHARGE_FEES),
        counting=_quoted(COUNTING_STATES),
        least_usd=str(LEAST_USD),
        least_share=str(LEAST_SHARE),
    )


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)
