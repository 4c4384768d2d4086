"""Cascades: cheap model first, a stronger one when unsure. How often that escalates, what it costs, and what it saves.

The cost of a cascade counts the cheap attempt of escalated requests too; the usual back-of-envelope formula forgets it.
An attempt is the calls of a run that share tier and outcome, since its attributes may sit on a span around them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from outlay_collector.store import Row, Store, load_sql

from outlay_analytics.cascade_attempts import attempts_sql
from outlay_analytics.thresholds import thresholds
from outlay_analytics.window import Interval, Scope, check_interval, filter_sql

__all__ = ["cascades", "thresholds"]

MILLION = 1_000_000
DIGITS = Decimal("0.000000000001")
PARTS = ("input", "read", "write", "write_1h", "output")


def cascades(store: Store, scope: Scope, interval: str = "total") -> dict[str, Any]:
    """What each cascade did, in all or by interval (a run belongs to the interval of its first attempt).

    Returns:
        `window` and `cascades`, newest first, then most expensive: `time name runs escalated_runs escalation_rate
        cost_usd priced_ratio wasted_usd cost_per_accepted_usd top_tier_only_usd saving_usd break_even_escalation_rate
        tiers`. What only a top tier could tell is None while no run has reached a tier above 0.

    Raises:
        BadRequest: For an unknown interval.
    """
    step = check_interval(interval)
    attempts, params = attempts_sql(scope, step)
    tiers: dict[tuple[Any, str], list[Row]] = defaultdict(list)
    for row in store.query(load_sql("outlay_analytics.sql", "cascade_tiers", attempts=attempts), params):
        tiers[row["time"], row["cascade"]].append(row)
    tops: dict[str, int] = {}
    for (_, name), rows in tiers.items():
        tops[name] = max(tops.get(name, 0), *(row["tier"] for row in rows))
    everything: dict[str, list[Row]] = defaultdict(list)
    for (_, name), rows in tiers.items():
        everything[name] += rows
    rates = {name: _top_rates(store, scope, name, tops[name], rows) for name, rows in everything.items()}
    params |= {"cascades": list(tops), "tops": list(tops.values())}
    found = [
        _cascade(scope, step, row, tiers[row["time"], row["cascade"]], tops[row["cascade"]], rates[row["cascade"]])
        for row in store.query(load_sql("outlay_analytics.sql", "cascade_runs", attempts=attempts), params)
        if (row["time"], row["cascade"]) in tiers
    ]
    found.sort(key=lambda one: (-one["time"].timestamp(), -(one["cost_usd"] or 0), one["name"]))
    return {"window": {"start": scope.window.start, "end": scope.window.end}, "currency": "USD", "cascades": found}


@dataclass(frozen=True)
class Rates:
    """USD per token by part, as far as known."""

    of: Mapping[str, Fraction]

    def cost(self, tokens: Mapping[str, int]) -> Decimal | None:
        """What these tokens would cost; a cached part without a rate of its own costs what plain input does."""
        total = Fraction(0)
        for part, count in tokens.items():
            rate = self.of.get(part, None if part == "output" else self.of.get("input"))
            if count and rate is None:
                return None
            total += count * (rate or 0)
        return (Decimal(total.numerator) / Decimal(total.denominator)).quantize(DIGITS, ROUND_HALF_UP)


def _top_rates(store: Store, scope: Scope, name: str, top: int, tiers: Sequence[Row]) -> Rates:
    """What the top tier charges: from its attempts, and from its price list for parts they did not use."""
    rows = [row for row in tiers if row["tier"] == top]
    if top == 0:
        return Rates({})
    rates: dict[str, Fraction] = {}
    tokens = _tokens(rows, "")
    for part in PARTS:
        usd = sum((Decimal(row[f"usd_{part}"]) for row in rows), Decimal(0))
        if tokens[part] > 0 and usd > 0:
            rates[part] = Fraction(usd) / tokens[part]
    if len(rates) < len(PARTS):
        _, params = attempts_sql(scope, name=name)
        filters = filter_sql(scope, "calls", params) or "1"
        listed = store.query(
            load_sql("outlay_analytics.sql", "cascade_prices", filters=filters), {**params, "tier": top}
        )
        for part, usd_per_mtok in listed[0].items() if listed else ():
            if usd_per_mtok is not None:
                rates.setdefault(part, Fraction(usd_per_mtok) / MILLION)
    return Rates(rates)


def _tokens(rows: Iterable[Mapping[str, Any]], prefix: str) -> dict[str, int]:
    """Disjoint token counts by part from columns where input and writes include their parts."""
    sums = {part: sum(int(row[prefix + part]) for row in rows) for part in PARTS}
    return {
        "input": max(sums["input"] - sums["read"] - sums["write"], 0),
        "read": sums["read"],
        "write": max(sums["write"] - sums["write_1h"], 0),
        "write_1h": sums["write_1h"],
        "output": sums["output"],
    }


def _cascade(scope: Scope, step: Interval, row: Row, tiers: Sequence[Row], top: int, rates: Rates) -> dict[str, Any]:
    cost = Decimal(row["cost_usd"]) if row["priced_calls"] else None
    alone = _top_tier_only(row, top, rates)
    return {
        "time": row["time"] if step != "total" else scope.window.start,
        "name": row["cascade"],
        "runs": row["runs"],
        "escalated_runs": row["escalated_runs"],
        "escalation_rate": row["escalated_runs"] / row["runs"],
        "cost_usd": cost,
        "priced_ratio": row["priced_calls"] / row["calls"],
        "wasted_usd": None if cost is None else Decimal(row["wasted_usd"]),
        "accepted_runs": row["accepted_runs"],
        "cost_per_accepted_usd": _per(cost, row["accepted_runs"]),
        "top_tier_only_usd": alone,
        "saving_usd": None if alone is None or cost is None else alone - cost,
        "break_even_escalation_rate": _break_even(tiers, top),
        "tiers": [_tier(tier) for tier in tiers],
    }


def _tier(row: Row) -> dict[str, Any]:
    return {
        "tier": row["tier"],
        "model": row["model"] or None,
        "attempts": row["attempts"],
        "accepted": row["accepted"],
        "acceptance_rate": row["accepted"] / row["attempts"],
        "cost_usd": Decimal(row["tier_cost_usd"]) if row["priced_attempts"] else None,
        "p95_ms": round(row["p95_ms"], 3),
    }


def _top_tier_only(row: Row, top: int, rates: Rates) -> Decimal | None:
    """The runs at the top tier alone: its attempts where they exist, else the first attempt's tokens at its rates."""
    if top == 0:
        return None
    known = Decimal(row["top_usd"]) if row["top_runs"] else None
    if row["repriced_runs"]:
        repriced = rates.cost(_tokens([row], "first_"))
        known = known if repriced is None else (known or Decimal(0)) + repriced
    return known


def _break_even(tiers: Sequence[Row], top: int) -> float | None:
    """1 - mean cost of a tier-0 attempt ÷ mean cost of a top-tier attempt, over priced attempts."""
    first, last = _mean_cost(tiers, 0), _mean_cost(tiers, top)
    if top == 0 or first is None or not last:
        return None
    return float(1 - first / last)


def _mean_cost(tiers: Sequence[Row], tier: int) -> Decimal | None:
    rows = [row for row in tiers if row["tier"] == tier]
    return _per(sum((Decimal(row["tier_cost_usd"]) for row in rows), Decimal(0)), sum(r["priced_attempts"] for r in rows))


def _per(usd: Decimal | None, count: int) -> Decimal | None:
    return (usd / count).quantize(DIGITS, ROUND_HALF_UP) if usd is not None and count else None
