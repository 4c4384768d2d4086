"""What spans report that calls cost, beside what was computed: where the two differ by more than rounding, and why.

The computed cost holds, as it is made of a dated list and of counts that can be looked at; what is reported is kept
beside it (`reported_cost_usd`) as a witness. `POLICIES` says per provider what its figure is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_collector.store import Store, load_sql

SQL = "outlay_collector.prices.sql"
LEAST_USD = Decimal("0.000001")
"""Rounding of what is reported: figures nearer than this agree."""
LEAST_SHARE = Decimal("0.001")
"""The same as a share of the computed cost."""
POLICIES: Mapping[str, str] = {
    "openrouter": "what it charges, plugins included; with a key of one's own plus what that provider charges",
    "perplexity": "what it charges, the request's fee included",
    "x_ai": "what it charges, in ticks of 1/10,000,000,000 USD",
    "github": "AI units that it takes off the allowance, 0.01 USD each",
    "": "what a library or the application worked out from a price list of its own",
}
"""By provider, what the cost on its answers is; under the empty name those of all others."""
REASONS: Mapping[str, str] = {
    "only_reported": "no price is known here, but a cost is reported",
    "reported_nothing": "a cost of 0 is reported",
    "estimated_usage": "the tokens are an estimate",
    "cached_input_unknown": "nobody says what of the input was cached: the computed cost leaves it out",
    "assumed_price": "a price stands in for one that is not known (`match_kind`)",
    "fee": "the provider charges more than the tokens cost",
    "region": "a tenth more or less: what a region costs",
    "reported_more": "more is reported",
    "reported_less": "less is reported",
}


def disagreements(
    store: Store, start: datetime, end: datetime, *, project: str = "default", limit: int = 100
) -> list[dict[str, Any]]:
    """Calls whose reported cost is not the computed one, by model and reason, what differs most first.

    Returns:
        Rows of `provider`, `model`, `reason` (one of `REASONS`), `calls`, `reported_usd`, `computed_usd` (None where no
        price is known) and `difference_usd`, reported less computed.
    """
    return store.query(load_sql(SQL, "prices_witness"), _params(start, end, project) | {"limit": limit})


def differing(store: Store, start: datetime, end: datetime, *, project: str = "default") -> dict[str, int]:
    """How many calls report a cost, and of how many something is known to be amiss.

    Returns:
        `reported`; `differing`, those whose reported cost is not the computed one; `cached_input_unknown`, those of
        which nobody says what of their input was cached, so that their cost leaves it out.
    """
    row = store.query(load_sql(SQL, "prices_witness_count"), _params(start, end, project))[0]
    return {name: int(row[name]) for name in ("reported", "differing", "cached_input_unknown")}


def _params(start: datetime, end: datetime, project: str) -> dict[str, Any]:
    return {
        "project": project,
        "start": start,
        "end": end,
        "least_usd": str(LEAST_USD),
        "least_share": str(LEAST_SHARE),
        "charging": [name for name, meaning in POLICIES.items() if name and "charges" in meaning],
    }
