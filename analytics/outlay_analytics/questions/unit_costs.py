"""What one of something costs: a customer, a user, a session, a request, a successful request.

::

    unit cost = cost of the calls that belong to units ÷ units

Calls that say nothing of a unit are shown as unallocated and are in no unit cost. The cost of a success is that of all
requests, the failed ones included, over those that succeeded; where a score is named, that of the answers that it
judges over those that it says are a success (see `quality`). Percentiles are over units, by nearest rank: the smallest
cost that at least that share of them does not exceed. A sum is over the calls whose cost is known; a unit none of whose
calls has one is in no average and no percentile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from outlay_analytics.query.amounts import PICO
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.groups import MAX_ROWS, check_steps
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Interval, bucket_sql, check_interval
from outlay_analytics.questions.revenue import Revenue, earned
from outlay_analytics.questions.scores import Score, about, choose, list_scores, scored
from outlay_collector.store import Row, Store, load_sql

SQL = "outlay_analytics.questions.sql"
DIMENSIONS = ("customer", "user", "session")
REQUESTS = {
    "request": "1",
    "success": "NOT argMax(failed, at) AND (countIf(outcome != '') = 0 OR countIf(outcome = 'accepted') > 0)",
}
REQUESTS_ALONE = {"request": "1", "success": "c.status != 'error' AND c.cascade_outcome IN ('', 'accepted')"}
PER = (*DIMENSIONS, *REQUESTS)
COMPARED = ("customer", "user")  # of which the same ones come back
CANDIDATES = 1000
MOVERS = 10


@one_look()
def unit_costs(
    store: Store,
    scope: Scope,
    per: str = "customer",
    interval: str = "total",
    limit: int = 100,
    revenue: Sequence[Revenue] = (),
    score: str = "",
    success: str = "",
) -> dict[str, Any]:
    """Unit costs of a scope.

    Args:
        store: The store.
        scope: Window, filters, project, time zone.
        per: `customer`, `user`, `session`, `request` or `success`.
        interval: `total`, or the steps of `history`.
        limit: Most units to list, the largest.
        revenue: What customers pay, for their margin.
        score: Of `success`: the score that tells what one is; what it does not judge is left out.
        success: From which value on, or which label; see `quality`.

    Returns:
        `window`, `currency`, `per`, `score`, `success`, `scores` (those that could be named), `total` (`units`,
        `unit_cost_usd`, `cost_usd`, `allocated_usd`, `unallocated_usd`, `calls`, `unallocated_calls`, `priced_ratio`),
        `distribution` over units, `rows` (the largest units, then what no unit has and all others, so that they add
        up), `history`, `movers` (against the window just before), `margins` (of customers whose revenue is known, the
        lowest first) and their sum `margin`.

    Raises:
        BadRequest: For a unit, an interval or a score that there is none of, and a score of anything but successes.
    """
    if per not in PER:
        raise BadRequest(f"per must be one of {', '.join(PER)}, not {per[:SHOWN]!r}")
    if (score or success) and per != "success":
        raise BadRequest(f"score and success say what a success is; per is {per}")
    if success and not score:
        raise BadRequest("success is about one score: name it with score=")
    scores = list_scores(store, scope, success) if per == "success" else []
    chosen = choose(scores, score, success) if score else None
    if chosen is not None and chosen.success is None:
        raise BadRequest(f"score {chosen.name!r} does not say what a success is; name a value or a label with success=")
    ask = _Ask(store, per, chosen)
    found = ask.sums(scope, "total")
    whole = found[0] if found else {}
    top = ask.top(scope, limit)
    history = [] if interval == "total" else ask.sums(scope, check_interval(interval))
    margins = _margins(ask, scope, revenue) if per == "customer" else []
    return {
        **about(scope, chosen, scores),
        "per": per,
        "total": _total(whole, per),
        "distribution": _distribution(whole),
        "rows": _rows(top, whole, per),
        "history": [{"time": row["time"], **_total(row, per)} for row in history],
        "movers": _movers(ask, scope) if per in COMPARED else [],
        "margins": margins,
        "margin": _margin_of_all(margins),
    }


@dataclass(frozen=True)
class _Ask:
    """Units of one kind, in any window."""

    store: Store
    per: str
    score: Score | None = None

    def relation(self, scope: Scope, step: Interval, params: dict[str, Any]) -> str:
        if self.per in DIMENSIONS:
            source = spend_source(self.store, scope, (self.per,), step)
            params |= source.params
            return load_sql(SQL, "unit_costs_of_dimension", source=source.sql)
        if self.score is not None:
            relation = scored(self.store, scope, self.score, interval=step)
            params |= relation.params
            parts = {"scored": relation.sql, "success": relation.success, "judged": relation.judged}
            return load_sql(SQL, "unit_costs_of_scored", **parts)
        params |= {"project": scope.project, "timezone": scope.timezone}
        params |= {"start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
        return load_sql(
            SQL,
            "unit_costs_of_requests",
            time=bucket_sql(step, "min(at)"),
            alone=bucket_sql(step, "c.started_at"),
            filters=filter_sql(scope, "calls", params) or "1",
            is_unit=REQUESTS[self.per],
            is_unit_alone=REQUESTS_ALONE[self.per],
        )

    def sums(self, scope: Scope, step: Interval) -> list[Row]:
        params: dict[str, Any] = {"max_rows": MAX_ROWS + 1}
        sql = load_sql(SQL, "unit_costs", relation=self.relation(scope, step, params))
        rows = self.store.query(sql, params)
        check_steps(step, len(rows))
        return rows

    def top(self, scope: Scope, limit: int, units: Sequence[str] | None = None) -> list[Row]:
        """The largest units, or those that are named."""
        params: dict[str, Any] = {"max_rows": limit}
        relation = self.relation(scope, "total", params)
        if units is not None:
            params["units"] = list(units)
        only = "1" if units is None else "unit IN {units:Array(String)}"
        return self.store.query(load_sql(SQL, "unit_costs_top", relation=relation, only=only), params)


def _total(row: Mapping[str, Any], per: str) -> dict[str, Any]:
    calls, priced = int(row.get("calls", 0)), int(row.get("priced_calls", 0))
    units = int(row.get("units", 0))
    known = priced > 0 or calls == 0
    cost, loose = Decimal(row.get("cost_usd", 0)), Decimal(row.get("unallocated_usd", 0))
    apart = int(row.get("unallocated_calls", 0))
    # A unit without a known cost would make the others look cheaper. What a success costs is the cost of all requests.
    shared_by = int(row.get("known_units", 0))
    return {
        "units": units,
        "unit_cost_usd": ((cost - loose) / shared_by).quantize(PICO) if shared_by and known else None,
        "cost_usd": cost if known else None,
        "allocated_usd": cost - loose if known else None,
        "unallocated_usd": loose if not apart or row["unallocated_priced_calls"] else None,
        "calls": calls,
        "errors": None if row.get("errors", 0) is None else int(row.get("errors", 0)),
        "unallocated_calls": apart,
        "priced_ratio": priced / calls if calls else None,
    }


def _distribution(row: Mapping[str, Any]) -> dict[str, Any]:
    units = int(row.get("known_units", 0))
    names = ("p50_usd", "p90_usd", "p99_usd", "max_usd")
    found = {name: Decimal(row[name]) if units else None for name in names}
    return {"units": units, "mean_usd": (row["known_usd"] / units).quantize(PICO) if units else None, **found}


def _rows(top: Sequence[Row], whole: Mapping[str, Any], per: str) -> list[dict[str, Any]]:
    """The largest units; what belongs to none, and all others, as rows of their own."""
    total = Decimal(whole.get("cost_usd", 0))
    names = ("calls", "errors", "priced_calls", "cost_usd")
    rows = [_row(row["unit"], {name: row[name] for name in names}, total) for row in top]
    for row, unit in zip(rows, top, strict=True):
        row["trace_id"] = unit["trace_id"] or None
    loose = {
        "calls": whole.get("unallocated_calls", 0),
        "errors": None,
        "priced_calls": whole.get("unallocated_priced_calls", 0),
        "cost_usd": whole.get("unallocated_usd", Decimal(0)),
    }
    if loose["calls"]:
        rows.append(_row(None, loose, total) | {"unallocated": True})
    others = {
        name: whole.get(name, 0) - sum(row[name] for row in top) - loose[name]
        for name in ("calls", "priced_calls", "cost_usd")
    }
    if others["calls"]:
        rows.append(_row(None, {**others, "errors": None}, total) | {"remainder": True})
    return rows


def _row(unit: str | None, sums: Mapping[str, Any], total: Decimal) -> dict[str, Any]:
    calls, priced = int(sums["calls"]), int(sums["priced_calls"])
    cost = Decimal(sums["cost_usd"]) if priced else None
    return {
        "unit": unit,
        "trace_id": None,
        "cost_usd": cost,
        "share": float(cost / total) if cost is not None and total else None,
        "calls": calls,
        "errors": None if sums["errors"] is None else int(sums["errors"]),
        "priced_ratio": priced / calls if calls else None,
    }


def _movers(ask: _Ask, scope: Scope) -> list[dict[str, Any]]:
    """The units whose cost changed most against the window just before.

    Looked for among the 1,000 largest of either window: a unit's cost cannot change by more than the larger of the two.
    """
    earlier = replace(scope, window=scope.window.previous())
    windows = (scope, earlier)
    units = dict.fromkeys(row["unit"] for one in windows for row in ask.top(one, CANDIDATES))
    now, before = ({row["unit"]: row for row in ask.top(one, len(units), list(units))} for one in windows)
    found = []
    for unit in units:
        costs = [_cost_of(side.get(unit)) for side in (now, before)]
        if None not in costs:
            found.append(
                {"unit": unit, "cost_usd": costs[0], "previous_usd": costs[1], "change_usd": costs[0] - costs[1]}
            )
    found = [one for one in found if one["change_usd"]]
    return sorted(found, key=lambda one: (-abs(one["change_usd"]), one["unit"]))[:MOVERS]


def _cost_of(row: Row | None) -> Any:
    """What a unit cost: nothing without calls, None where none of them has a known cost."""
    return Decimal(0) if row is None else row["cost_usd"] if row["priced_calls"] else None


def _margins(ask: _Ask, scope: Scope, revenue: Sequence[Revenue]) -> list[dict[str, Any]]:
    incomes = earned(revenue, scope)
    chosen = scope.filters.get("customer")
    incomes = {name: usd for name, usd in incomes.items() if chosen is None or name in chosen}
    if not incomes:
        return []
    found = {row["unit"]: row for row in ask.top(scope, len(incomes), list(incomes))}
    rows = []
    for customer, income in incomes.items():
        row = found.get(customer)
        cost = _cost_of(row)
        rows.append(
            {
                "customer": customer,
                **_margin(income, cost),
                "calls": int(row["calls"]) if row else 0,
                "priced_ratio": row["priced_calls"] / row["calls"] if row else None,
            }
        )
    last = max(income for income in incomes.values()) + 1
    return sorted(rows, key=lambda one: (last if one["margin_usd"] is None else one["margin_usd"], one["customer"]))


def _margin(income: Decimal, cost: Decimal | None) -> dict[str, Any]:
    """Margin = revenue − cost; its ratio is of the revenue."""
    margin = None if cost is None else income - cost
    return {
        "revenue_usd": income,
        "cost_usd": cost,
        "margin_usd": margin,
        "margin_ratio": float(margin / income) if margin is not None and income else None,
    }


def _margin_of_all(margins: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The sum over customers whose revenue and cost are known."""
    known = [row for row in margins if row["cost_usd"] is not None]
    if not known:
        return None
    income, cost = (sum((row[name] for row in known), Decimal(0)) for name in ("revenue_usd", "cost_usd"))
    return {"customers": len(known), **_margin(income, cost)}
