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

from outlay_analytics.query.amounts import PICO, per
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Interval, check_interval
from outlay_analytics.questions.cascade_attempts import MAX_ROWS, sums_sql
from outlay_analytics.questions.thresholds import thresholds
from outlay_collector.store import Row, Store, load_sql

__all__ = ["cascades", "thresholds", "whole_and_timed"]

MILLION = 1_000_000
PARTS = ("input", "read", "write", "write_1h", "output")
Key = tuple[Any, str]


def cascades(store: Store, scope: Scope, interval: str = "total") -> dict[str, Any]:
    """What each cascade did, in all or by interval (a run belongs to the interval of its first attempt).

    Returns:
        `window` and `cascades`, newest first, then most expensive: `time name runs escalated_runs escalation_rate
        cost_usd priced_ratio wasted_usd cost_per_accepted_usd top_tier_only_usd saving_usd compared_runs
        break_even_escalation_rate tiers`. `top_tier_only_usd` and `saving_usd` speak of the `compared_runs`: those
        whose cost is known both as they went and at the top tier. What only a top tier could tell is None while no
        run has reached a tier above 0.

    Raises:
        BadRequest: For an unknown interval.
    """
    found = _find(store, scope, check_interval(interval), whole=False)[1]
    return {"window": {"start": scope.window.start, "end": scope.window.end}, "currency": "USD", "cascades": found}


def whole_and_timed(store: Store, scope: Scope, interval: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What `cascades` lists for the whole window and by interval, read once.

    Raises:
        BadRequest: For an unknown interval.
    """
    return _find(store, scope, check_interval(interval), whole=True)


def _find(store: Store, scope: Scope, step: Interval, whole: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    sums, params = sums_sql(store, scope, step)
    sets = ", (s.cascade, s.tier, s.model), (s.cascade, s.run_tier)" if whole else ""
    sql = load_sql("outlay_analytics.questions.sql", "cascades", sums=sums, whole=sets)
    rows = store.query(sql, {**params, "max_rows": MAX_ROWS})
    tops: dict[str, int] = defaultdict(int)
    for row in rows:
        tops[row["cascade"]] = max(tops[row["cascade"]], row["tier"] if row["of_tiers"] else 0)
    rates = _top_rates(store, scope, [row for row in rows if row["of_whole"] == whole], tops)
    out: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for part, of_whole in zip(out, (1, 0), strict=True):
        tiers: dict[Key, list[Row]] = defaultdict(list)
        runs: dict[Key, list[Row]] = defaultdict(list)
        for row in rows:
            if row["of_whole"] == of_whole:
                (tiers if row["of_tiers"] else runs)[row["time"], row["cascade"]].append(row)
        for (time, name), own in tiers.items():
            at = scope.window.start if of_whole or step == "total" else time
            figures = _figures(runs[time, name], own, tops[name], rates.get(name, Rates({})))
            part.append({"time": at, "name": name, **figures})
        part.sort(key=lambda one: (*order(one), one["name"]))
    return out


def order(one: Mapping[str, Any]) -> tuple[float, Decimal]:
    """A cascade's place in the list: newest first, then most expensive."""
    return (-one["time"].timestamp(), -(one["cost_usd"] or Decimal(0)))


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
        return (Decimal(total.numerator) / Decimal(total.denominator)).quantize(PICO, ROUND_HALF_UP)


def _top_rates(store: Store, scope: Scope, rows: Iterable[Row], tops: Mapping[str, int]) -> dict[str, Rates]:
    """What the top tiers charge: from their calls, and from their price lists for parts that those did not use."""
    charged: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["of_tiers"] and row["tier"] == tops[row["cascade"]] > 0:
            charged[row["cascade"]].append(row)
    newest = {name: max(own, key=lambda row: row["rate_at"]) for name, own in charged.items()}
    if not newest:
        return {}
    params = {
        "versions": [row["rate_version"] for row in newest.values()],
        "models": [row["rate_model"] for row in newest.values()],
        "end": sql_instant(scope.window.end),
    }
    prices = store.query(load_sql("outlay_analytics.questions.sql", "cascade_prices"), params)
    listed = {(row["version"], row["listed"]): row for row in prices}
    return {
        name: _rates(own, listed.get((newest[name]["rate_version"], newest[name]["rate_model"]), {}))
        for name, own in charged.items()
    }


def _rates(charged: Sequence[Row], listed: Mapping[str, Any]) -> Rates:
    tokens = _tokens(charged, "rate_tokens")
    rates = {part: Fraction(listed[part]) / MILLION for part in PARTS if listed.get(part) is not None}
    for number, part in enumerate(PARTS):
        usd = sum((Decimal(row["rate_usd"][number]) for row in charged), Decimal(0))
        if tokens[part] > 0 and usd > 0:
            rates[part] = Fraction(usd) / tokens[part]
    return Rates(rates)


def _tokens(rows: Iterable[Row], name: str) -> dict[str, int]:
    """Disjoint token counts by part from arrays in which input and writes include their parts."""
    given, read, write, write_1h, output = (sum(int(row[name][number]) for row in rows) for number in range(len(PARTS)))
    plain = max(given - read - write, 0)
    return dict(zip(PARTS, (plain, read, max(write - write_1h, 0), write_1h, output), strict=True))


def _figures(runs: Sequence[Row], tiers: Sequence[Row], top: int, rates: Rates) -> dict[str, Any]:
    count = sum(row["runs"] for row in runs)
    escalated = sum(row["runs"] for row in runs if row["run_tier"] > 0)
    accepted = sum(row["accepted_runs"] for row in runs)
    priced = sum(row["all_priced"] for row in runs)
    cost = _usd(runs, "usd") if priced else None
    compared = _compared(runs, top, rates)
    return {
        "runs": count,
        "escalated_runs": escalated,
        "escalation_rate": escalated / count,
        "cost_usd": cost,
        "priced_ratio": priced / sum(row["all_calls"] for row in runs),
        "wasted_usd": None if cost is None else _usd(runs, "wasted_usd"),
        "accepted_runs": accepted,
        "forced_runs": sum(row["forced_runs"] for row in runs),
        "cost_per_accepted_usd": per(cost, accepted),
        "top_tier_only_usd": compared.alone_usd,
        "saving_usd": None if compared.alone_usd is None else compared.alone_usd - compared.usd,
        "compared_runs": compared.runs,
        "break_even_escalation_rate": _break_even(tiers, top),
        "tiers": [_tier(tier) for tier in tiers],
    }


def _tier(row: Row) -> dict[str, Any]:
    return {
        "tier": row["tier"],
        "model": row["model"] or None,
        "attempts": row["attempts"],
        "accepted": row["accepted_attempts"],
        "acceptance_rate": row["accepted_attempts"] / row["attempts"],
        "cost_usd": Decimal(row["usd"]) if row["priced_attempts"] else None,
        "p95_ms": round(row["p95_ms"], 3),
    }


@dataclass(frozen=True)
class Compared:
    """Runs known on both sides: what they cost, and what the top tier alone would have."""

    runs: int
    usd: Decimal
    alone_usd: Decimal | None


def _compared(runs: Sequence[Row], top: int, rates: Rates) -> Compared:
    """At the top tier alone: its attempts where they exist, else the first attempt's tokens at its rates."""
    reached = [row for row in runs if row["run_tier"] == top and row["priced_runs"]]
    below = [row for row in runs if row["run_tier"] < top and row["counted_runs"]]
    repriced = rates.cost(_tokens(below, "first_tokens")) if below else Decimal(0)
    count = sum(row["priced_runs"] for row in reached) + sum(row["counted_runs"] for row in below)
    if top == 0 or repriced is None or not count:
        return Compared(0, Decimal(0), None)
    usd = _usd(reached, "priced_runs_usd") + _usd(below, "counted_runs_usd")
    return Compared(count, usd, _usd(reached, "last_usd") + repriced)


def _break_even(tiers: Sequence[Row], top: int) -> float | None:
    """1 - mean cost of a tier-0 attempt ÷ mean cost of a top-tier attempt, over priced attempts."""
    first, last = (_mean_cost([row for row in tiers if row["tier"] == tier]) for tier in (0, top))
    if top == 0 or first is None or not last:
        return None
    return float(1 - first / last)


def _mean_cost(tiers: Sequence[Row]) -> Decimal | None:
    return per(_usd(tiers, "usd"), sum(row["priced_attempts"] for row in tiers))


def _usd(rows: Iterable[Row], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows), Decimal(0))
