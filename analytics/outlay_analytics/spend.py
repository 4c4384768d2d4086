"""Who spent what: cost, calls, tokens and latency by any dimensions and interval, with the share that has a price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.spend_source import spend_source
from outlay_analytics.window import (
    SHOWN,
    BadRequest,
    Interval,
    Scope,
    check_groups,
    check_interval,
    dimension_value,
)
from outlay_collector.store import Store, load_sql

MAX_ROWS = 20_000
VALUE_MS = "exp2((bucket + 0.5) / 16) / 1000"
QUANTILES = f"quantilesExactWeightedInterpolatedIf(0.5, 0.95)({VALUE_MS}, bucket_calls, bucket_calls > 0)"
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
Key = tuple[Any, ...]


def spend(
    store: Store,
    scope: Scope,
    group_by: Sequence[str] = (),
    interval: str = "total",
    compare: str | None = None,
    limit: int = MAX_ROWS,
    percentiles: bool = True,
) -> dict[str, Any]:
    """Spend of a scope, in total and by group and interval.

    Args:
        store: The store.
        scope: Window, filters, project, time zone.
        group_by: Dimensions of the interface.
        interval: `hour`, `day`, `week`, `month` or `total`.
        compare: `previous` adds the measures of the window just before to the total and to each row; what was there
            only before appears with zeros, so that rows always add up to the total.
        limit: Most rows to return: the most expensive ones. Where some are left out, `rows_left_out` is true.
        percentiles: Without them `p50_ms` and `p95_ms` are None, at half the cost; for charts that do not show them.

    Returns:
        `window`, `currency`, `total`, `coverage`, `rows` (newest first, then largest).

    Raises:
        BadRequest: For an unknown dimension, interval or comparison.
    """
    names = check_groups(group_by)
    step = check_interval(interval)
    if compare not in (None, "previous"):
        raise BadRequest(f"compare must be previous, not {compare[:SHOWN]!r}")
    total, groups = _measure(store, scope, names, step, timedelta(0), limit, percentiles)
    answer: dict[str, Any] = {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        "total": total,
        "coverage": coverage(total),
    }
    before: dict[Key, dict[str, Any]] = {}
    if compare:
        earlier = replace(scope, window=scope.window.previous())
        total["previous"], before = _measure(store, earlier, names, step, scope.window.length, limit, percentiles)
    rows = []
    for key in [*groups, *(key for key in before if key not in groups)]:
        row = {"time": key[0] if step != "total" else scope.window.start, **dict(zip(names, key[1:], strict=True))}
        row |= groups.get(key) or measures({})
        if compare:
            row["previous"] = before.get(key) or measures({})
        rows.append(row)
    rows.sort(key=order)
    answer["rows"] = rows[:limit]
    if len(rows) > limit:
        answer["rows_left_out"] = True
    return _without_counts(answer)


def coverage(total: Mapping[str, Any]) -> dict[str, Any]:
    """How much of a total has a price: `calls`, `priced_calls`, `priced_ratio`."""
    return {name: total[name] for name in ("calls", "priced_calls", "priced_ratio")}


def measures(row: Mapping[str, Any]) -> dict[str, Any]:
    """The interface's measures from sums: a cost is "0" without calls, None with calls of which none is priced."""
    calls, priced = int(row.get("calls", 0)), int(row.get("priced_calls", 0))
    silent = calls > 0 and calls == int(row.get("no_usage_calls", 0))
    p50, p95 = row.get("quantiles_ms", (None, None)) if calls else (None, None)
    known = priced > 0 or calls == 0
    return {
        "cost_usd": Decimal(row.get("cost_usd", 0)) if known else None,
        "calls": calls,
        "errors": int(row.get("errors", 0)),
        **{name: None if silent and not row[name] else int(row.get(name, 0)) for name in TOKENS},
        "uncached_cost_usd": Decimal(row.get("uncached_cost_usd", 0)) if known else None,
        "p50_ms": None if p50 is None else round(float(p50), 3),
        "p95_ms": None if p95 is None else round(float(p95), 3),
        "priced_calls": priced,
        "priced_ratio": priced / calls if calls else None,
    }


def _measure(
    store: Store,
    scope: Scope,
    names: Sequence[str],
    step: Interval,
    shift: timedelta,
    limit: int,
    percentiles: bool,
) -> tuple[dict[str, Any], dict[Key, dict[str, Any]]]:
    """Measures in total, and by (time, dimension values)."""
    source = spend_source(store, scope, names, step, shift=shift, latency=percentiles)
    keys = ", ".join(source.keys)
    sql = load_sql(
        "outlay_analytics.sql",
        "spend",
        source=source.sql,
        keys=keys,
        sets=f"({keys}), ()",
        is_total="grouping(time)",
        quantiles=QUANTILES if percentiles else "[NULL, NULL]",
    )
    total = measures({})
    groups: dict[Key, dict[str, Any]] = {}
    for row in store.query(sql, {**source.params, "max_rows": limit + 2}):
        if row["is_total"]:
            total = measures(row)
        else:
            values = [dimension_value(name, row[f"d{number}"]) for number, name in enumerate(names)]
            groups[row["time"], *values] = measures(row)
    return total, groups


def order(row: Mapping[str, Any]) -> tuple[float, Decimal, int]:
    """A row's place: newest first, then largest."""
    at: datetime = row["time"]
    return (-at.timestamp(), -(row["cost_usd"] or Decimal(0)), -row["calls"])


def _without_counts(answer: dict[str, Any]) -> dict[str, Any]:
    """Drop `priced_calls` where the interface has only `priced_ratio`."""
    for item in (answer["total"], *answer["rows"]):
        item.pop("priced_calls", None)
        item.get("previous", {}).pop("priced_calls", None)
    return answer
