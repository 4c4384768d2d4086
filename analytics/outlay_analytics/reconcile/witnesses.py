"""Three witnesses of what calls cost: the client's span, the provider's own span, the line of the bill.

Each confirms a share of the cost of the window's calls. The provider's span is one that the provider itself sent
(`PROVIDER_SCOPES`), whether it is the call's or was found to speak of the same request. A line of the bill confirms
what it comes to in its cell (day, model), less what it lacks without a reason. What only one of them knows is a gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_analytics.query.amounts import PICO
from outlay_analytics.reconcile.cells import Cells, Key
from outlay_analytics.reconcile.reasons import NOT_RECORDED, ZERO
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.reconcile.sql"
# Scopes of spans that providers send of what their servers did.
PROVIDER_SCOPES = ("com.anthropic.claude-platform",)
SHOWN_GAPS = 50
Row = dict[str, Any]


def witnesses(store: Store, params: Mapping[str, Any], rows: Sequence[Row], table: Cells) -> Row:
    """Who confirms the calls of a window, and what only one of them knows.

    Args:
        params: `project`, `first_day` and `last_day`.
        rows: The comparison by day, provider and model.
        table: Says which of them a call belongs to.

    Returns:
        `witnesses`: `client`, `provider`, `bill` and `all` as shares of the calls' cost, None without any; `gaps`:
        `witness` (the only one), `provider`, `model`, `usd` and `calls` (None of a bill), the largest first.
    """
    seen = store.query(load_sql(SQL, "reconcile_witnesses"), {**params, "scopes": list(PROVIDER_SCOPES)})
    confirmed = {(row["day"], row["provider"], row["model"]): _confirmed(row) for row in rows}
    computed = {(row["day"], row["provider"], row["model"]): row["computed_usd"] for row in rows}
    whole, sums = ZERO, dict.fromkeys(("client", "provider", "bill", "all"), ZERO)
    gaps: dict[tuple[str, str, str], list[Any]] = defaultdict(lambda: [ZERO, 0])
    for row in seen:
        usd, key = row["cost_usd"], table.key(row)
        billed = usd * _share(key, confirmed, computed)
        whole += usd
        sums["client"] += usd if row["has_client"] else ZERO
        sums["provider"] += usd if row["has_provider"] else ZERO
        sums["bill"] += billed
        sums["all"] += billed if row["has_client"] and row["has_provider"] else ZERO
        if usd > billed and row["has_client"] != row["has_provider"]:
            gap = gaps["client" if row["has_client"] else "provider", row["provider"], row["model"]]
            gap[0] += usd - billed
            gap[1] += row["calls"]
    for row in rows:
        usd = sum((row[f"{reason}_usd"] for reason in NOT_RECORDED), ZERO) + max(ZERO, row["unknown_usd"])
        if usd > 0:
            gaps["bill", row["provider"], row["model"]][0] += usd
    listed: list[Row] = [
        {
            "witness": witness,
            "provider": provider,
            "model": model,
            "usd": usd,
            "calls": None if witness == "bill" else n,
        }
        for (witness, provider, model), (usd, n) in gaps.items()
    ]
    listed.sort(key=lambda gap: (-gap["usd"], gap["witness"], gap["provider"], gap["model"]))
    shares = {name: float(min(Decimal(1), usd / whole)) if whole else None for name, usd in sums.items()}
    return {"witnesses": shares, "gaps": [{**gap, "usd": _exact(gap["usd"])} for gap in listed[:SHOWN_GAPS]]}


def _confirmed(row: Row) -> Decimal:
    """USD of a cell's calls that its bill confirms."""
    if not row["billed_usd"]:
        return ZERO
    computed: Decimal = row["computed_usd"]
    lacking: Decimal = row["unknown_usd"] + row["late_usd"]
    return max(ZERO, computed + min(ZERO, lacking))


def _share(key: Key | None, confirmed: Mapping[Key, Decimal], computed: Mapping[Key, Decimal]) -> Decimal:
    if key is None or key not in confirmed or computed[key] <= 0:
        return ZERO
    return min(Decimal(1), confirmed[key] / computed[key])


def _exact(usd: Decimal) -> Decimal:
    return usd.quantize(PICO)
