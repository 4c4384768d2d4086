"""Whom the money was spent for: each team's (customer's, feature's …) own cost, and its part of what is shared.

Shared is what no call says a team of, and what the teams that are named as shared cost. It is split by a stated key:
evenly, by calls or by own cost; without a key it stays apart, shown as unallocated. Parts are rounded to 12 decimals
by largest remainder, so that rows add up to the total to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_analytics.query.dimensions import check_dimension, dimension_value
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.groups import MAX_ROWS
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_collector.store import Store, load_sql

KEYS = ("even", "calls", "cost")
PICOS = 10**12


def showback(
    store: Store, scope: Scope, by: str = "team", split: str = "", shared: Sequence[str] = ()
) -> dict[str, Any]:
    """The cost of a scope by a dimension, shared cost split.

    Args:
        store: The store.
        scope: Window, filters, project.
        by: A dimension.
        split: `even`, `calls` or `cost`; empty leaves shared cost where it is.
        shared: Values whose cost is for all others: a platform team.

    Returns:
        `window`, `currency`, `by`, `split` (None where nothing could be split), `total_usd`, `shared_usd`,
        `unallocated_usd`, `coverage`, and `rows` with `direct_usd`, `shared_usd` (negative where it was taken from),
        `total_usd`, `share`, `calls`, `priced_ratio`; `unallocated` and `shared` mark what the split shares out.

    Raises:
        BadRequest: For an unknown dimension or key, shared values that nothing has, or more than 20,000 rows.
    """
    check_dimension(by, "by")
    if split and split not in KEYS:
        raise BadRequest(f"split must be one of {', '.join(KEYS)}, not {split[:SHOWN]!r}")
    source = spend_source(store, scope, (by,))
    sql = load_sql("outlay_analytics.questions.sql", "showback", source=source.sql)
    found = store.query(sql, {**source.params, "max_rows": MAX_ROWS + 1})
    if len(found) > MAX_ROWS:
        raise BadRequest(f"by={by} has more than {MAX_ROWS} values in this window; filter, or choose another")
    unknown = sorted(set(shared) - {row["value"] for row in found if row["value"]})
    if unknown and found:
        raise BadRequest(f"shared: no call has {by} {unknown[0][:SHOWN]!r} in this window")
    taken = [row for row in found if not row["value"] or row["value"] in shared]
    given = [row for row in found if row["value"] and row["value"] not in shared]
    pot = sum((row["cost_usd"] for row in taken), Decimal(0))
    weights = [_weight(row, split) for row in given]
    parts = share_out(pot, weights) if split and sum(weights) else None
    total = sum((row["cost_usd"] for row in found), Decimal(0))
    rows = [_row(by, row, parts[place] if parts else Decimal(0), total) for place, row in enumerate(given)]
    rows.sort(key=lambda row: (-(row["total_usd"] or 0), str(row[by])))
    for row in taken:
        marks = {"shared": True} if row["value"] else {"unallocated": True}
        rows.append(_row(by, row, -row["cost_usd"] if parts else Decimal(0), total) | marks)
    calls, priced = (sum(int(row[name]) for row in found) for name in ("calls", "priced_calls"))
    return {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        "by": by,
        "split": split if parts else None,
        "total_usd": total if priced or not calls else None,
        "shared_usd": pot,
        "unallocated_usd": sum((row["cost_usd"] for row in taken if not row["value"]), Decimal(0)),
        "coverage": {"calls": calls, "priced_calls": priced, "priced_ratio": priced / calls if calls else None},
        "rows": rows,
    }


def share_out(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split an amount by weights, to 12 decimals, without a rest: what rounding leaves goes to the largest remainders.

    >>> share_out(Decimal("0.000000000002"), [Decimal(1)] * 3)
    [Decimal('1E-12'), Decimal('1E-12'), Decimal('0E-12')]
    """
    whole = int(amount * PICOS)
    # Whole numbers, so that nothing is lost to a context's precision.
    scaled = [int(weight * PICOS) for weight in weights]
    total = sum(scaled)
    parts = [whole * one // total for one in scaled]
    remainders = [whole * one % total for one in scaled]
    largest = sorted(range(len(parts)), key=lambda place: (-remainders[place], place))
    for place in largest[: whole - sum(parts)]:
        parts[place] += 1
    return [Decimal(part).scaleb(-12) for part in parts]


def _weight(row: Mapping[str, Any], split: str) -> Decimal:
    return Decimal(1) if split == "even" else Decimal(row["calls"] if split == "calls" else row["cost_usd"])


def _row(by: str, row: Mapping[str, Any], part: Decimal, total: Decimal) -> dict[str, Any]:
    calls, priced = int(row["calls"]), int(row["priced_calls"])
    whole = row["cost_usd"] + part
    return {
        by: dimension_value(by, row["value"]),
        "direct_usd": row["cost_usd"] if priced else None,
        "shared_usd": part,
        "total_usd": whole if priced or part or not calls else None,
        "share": float(whole / total) if total else None,
        "calls": calls,
        "priced_ratio": priced / calls if calls else None,
    }
