"""Rows of a scenario: what it did cost and would have cost by feature, per window and per month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from outlay_analytics.query.amounts import PICO
from outlay_collector.store import Row

EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)


def feature_row(row: Row, scenario: Decimal, touched: int, per_month: Decimal | None) -> dict[str, Any]:
    known = int(row["priced_calls"]) > 0
    return {
        "feature": row["value"] or None,
        "calls": int(row["calls"]),
        "touched_calls": touched,
        **_figures(
            row["cost_usd"] if known else None, scenario.quantize(PICO, context=EXACT) if known else None, per_month
        ),
    }


def _figures(actual: Decimal | None, scenario: Decimal | None, per_month: Decimal | None) -> dict[str, Any]:
    change = None if actual is None or scenario is None else scenario - actual
    return {
        "actual_usd": actual,
        "scenario_usd": scenario,
        "change_usd": change,
        "change_ratio": float(change / actual) if change is not None and actual else None,
        "actual_per_month_usd": _month(actual, per_month),
        "scenario_per_month_usd": _month(scenario, per_month),
    }


def _month(usd: Decimal | None, per_month: Decimal | None) -> Decimal | None:
    """An amount of the window as one of a month of 365.25 / 12 days."""
    return None if usd is None or per_month is None else (usd * per_month).quantize(PICO, context=EXACT)


def added(rows: Sequence[Mapping[str, Any]], per_month: Decimal | None) -> dict[str, Any]:
    known = [row for row in rows if row["actual_usd"] is not None]
    actual, scenario = (
        sum((row[name] for row in known), Decimal(0)) if known or not rows else None
        for name in ("actual_usd", "scenario_usd")
    )
    counts = {name: sum(row[name] for row in rows) for name in ("calls", "touched_calls")}
    return counts | _figures(actual, scenario, per_month)


def shown(rows: Sequence[dict[str, Any]], limit: int, per_month: Decimal | None) -> list[dict[str, Any]]:
    if len(rows) <= limit:
        return list(rows)
    return [*rows[:limit], {"feature": None, **added(rows[limit:], per_month), "remainder": True}]
