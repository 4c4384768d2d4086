"""Calls whose bill is tests/data/bills/openai.csv: one gap of each kind is planted, and known to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from outlay_collector.store import Store
from tests.hand_calls import call, put

BILLS = Path(__file__).parent / "data" / "bills"
DAY = datetime(2026, 11, 3, tzinfo=UTC)
# What each planted gap comes to in USD; what is not recorded is the model nobody called, and
# the fee is for searches nobody reported.
PLANTED = {
    "unpriced": Decimal("0.09"),
    "no_usage": Decimal("0.00021"),
    "estimated": Decimal("0.00045"),
    "failed_but_billed": Decimal("0.002"),
    "tier_mismatch": Decimal("-0.0009"),
    "discount": Decimal("-0.000924"),
    "fee": Decimal("0.02"),
    "not_recorded": Decimal("0.01"),
}
BILLED = Decimal("0.176986")


def fill(store: Store) -> None:
    """The calls of three days."""
    calls = [_priced("gpt-4o", "0.0035", "0.0025") for _ in range(10)]
    calls += [_priced("gpt-4o-mini", "0.00021", "0.00015") for _ in range(4)]
    calls += [_one("gpt-4o-mini", cost_state="no_usage")]
    calls += [_one("house-model-9", cost_state="unpriced", matched_model="") for _ in range(3)]
    calls += [_priced("gpt-5", "0.00225", "0.00125") for _ in range(2)]
    calls += [{**_priced("gpt-5", "0.00225", "0.00125"), "cost_state": "estimated"}]
    calls += [_priced("gpt-4.1", "0.0028", "0.002") for _ in range(2)]
    calls += [_one("gpt-4.1", cost="0", cost_state="not_billed", status="error")]
    calls += [_priced("gpt-5-mini", "0.00045", "0.00025") for _ in range(4)]
    for day, count in ((0, 1), (1, 1), (2, 2)):
        calls += [_priced("o3-mini", "0.00154", "0.0011", days=day) for _ in range(count)]
    calls += [_priced("claude-haiku-4-5", "0.0015", "0.001", provider="anthropic") for _ in range(2)]
    put(store, *calls)


def _priced(model: str, cost: str, line: str, **more: Any) -> dict[str, Any]:
    rest = Decimal(cost) - Decimal(line)
    lines = {"input": Decimal(line), "output": rest}
    return _one(model, cost=cost, cost_state="computed", cost_lines=lines, input_tokens=1000, output_tokens=100, **more)


def _one(
    model: str, *, days: int = 0, provider: str = "openai", cost: str | None = None, **more: Any
) -> dict[str, Any]:
    names = {"provider": provider, "request_model": model, "response_model": model, "model": model}
    fields = {**names, "matched_model": f"{provider}:{model}", **more}
    return call(DAY + timedelta(days=days, hours=5), cost, **fields)
