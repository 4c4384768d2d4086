"""Who spent what: cost, calls, tokens and latency by any dimensions and interval, with the share that has a price.

However many groups there are, an answer has a bounded number of rows: the largest groups, and one row (per step) with
`remainder` that holds all others, so that rows add up to the total to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.query.dimensions import check_groups
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.groups import (
    MAX_GROUPS,
    MAX_ROWS,
    check_steps,
    chosen,
    fitting,
)
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window, check_interval
from outlay_analytics.questions.measured import TOKENS, Ask, Measured, Place, coverage, measures
from outlay_collector.store import Store

RANKS = ("cost_usd", "calls", "errors", *TOKENS, "uncached_cost_usd")


def spend(
    store: Store,
    scope: Scope,
    group_by: Sequence[str] = (),
    interval: str = "total",
    compare: str | None = None,
    limit: int = MAX_GROUPS,
    percentiles: bool = True,
    rank: str = "cost_usd",
    base: Window | None = None,
    p95_interval: bool = False,
) -> dict[str, Any]:
    """Spend of a scope, in total and by group and interval.

    Args:
        store: The store.
        scope: Window, filters, project, time zone.
        group_by: Dimensions of the interface.
        interval: `hour`, `day`, `week`, `month` or `total`.
        compare: `previous` adds the measures of the window just before to the total and to each row; what was there
            only before appears with zeros, so that rows always add up to the total.
        limit: Most groups to show: those that are largest in the whole window. Where some are left out,
            `rows_left_out` is true, `groups_left_out` counts them, and each step has a row with `remainder`.
        percentiles: Without them `p50_ms` and `p95_ms` are None, at half the cost; for charts that do not show them.
        rank: The measure that says which groups are largest.
        p95_interval: Adds `p95_ci_low_ms` and `p95_ci_high_ms`, the 95 % interval of `p95_ms`.
        base: A window to compare with in place of that just before, as long (see `bases.comparable`).

    Returns:
        `window`, `currency`, `total`, `coverage` (with calls whose known cost is less sure: estimated tokens, a price
        that stands in, cached input that nobody tells of), `rows` (newest first, then largest, the remainder last).

    Raises:
        BadRequest: For an unknown dimension, interval or comparison, and for more than 20,000 steps.
    """
    ask = Ask(store, check_groups(group_by), check_interval(interval), percentiles, p95_interval=p95_interval)
    _check_compare(compare)
    if rank not in RANKS:
        raise BadRequest(f"rank must be one of {', '.join(RANKS)}, not {rank[:SHOWN]!r}")
    against = base or (scope.window.previous() if compare else None)
    windows = [(scope, timedelta(0))]
    if against is not None:
        windows.append((replace(scope, window=against), scope.window.start - against.start))
    with one_look():
        found, shown = _largest(ask, windows, limit, rank)
        if shown is not None:
            found = [ask.measure(*window, shown=shown) for window in windows]
    return _answer(ask, scope, found, against is not None)


def spend_page(
    store: Store,
    scope: Scope,
    group_by: Sequence[str] = (),
    interval: str = "total",
    compare: str | None = None,
    *,
    limit: int,
    after: Place | None = None,
) -> tuple[dict[str, Any], Place | None]:
    """One page of all rows, as many as there are, and the place of its last row where more follow.

    Whatever is on no row of the page, of any time, is in its one row with `remainder`; so is what was there only in
    the window before.
    """
    ask = Ask(store, check_groups(group_by), check_interval(interval), True, by_time=interval != "total")
    _check_compare(compare)
    page = ask.measure(scope, timedelta(0), limit=limit + 1, after=after)
    more = len(page.ids) > limit
    windows = [(scope, timedelta(0))]
    if compare:
        windows.append((replace(scope, window=scope.window.previous()), scope.window.length))
    found = [page]
    if more or after is not None or compare:
        found = [ask.measure(*window, shown=page.ids[:limit]) for window in windows]
    return _answer(ask, scope, found, bool(compare)), page.places[limit - 1] if more else None


def order(row: Mapping[str, Any]) -> tuple[float, bool, Decimal, int]:
    """A row's place: newest first, then largest, what is left out last."""
    at: datetime = row["time"]
    return (-at.timestamp(), bool(row.get("remainder")), -(row["cost_usd"] or Decimal(0)), -row["calls"])


def _largest(
    ask: Ask, windows: Sequence[tuple[Scope, timedelta]], limit: int, rank: str
) -> tuple[list[Measured], list[int] | None]:
    """What the windows hold where all groups fit; else nothing, and the ids of the groups to show."""
    if not ask.names:
        found = [ask.measure(*window, limit=MAX_ROWS + 1) for window in windows]
        check_steps(ask.step, *(len(one.rows) for one in found))
        return found, None
    looks = [ask.look(*window) for window in windows]
    most = fitting(limit, check_steps(ask.step, *(look.steps for look in looks)))
    if all(look.groups <= most for look in looks):
        found = [ask.measure(*window, limit=MAX_ROWS + most) for window in windows]
        if len({key[1:] for one in found for key in one.rows}) <= most:
            return found, None
    rankings = [ask.top(scope, most, rank) for scope, _ in windows]
    if len(set().union(*rankings)) <= most:
        return [ask.measure(*window) for window in windows], None
    return [], chosen(*rankings, limit=most)


def _answer(ask: Ask, scope: Scope, found: Sequence[Measured], compare: bool) -> dict[str, Any]:
    """The answer's rows: those of the window, those that were there only before, and what is left out."""
    now, before = found[0], found[-1] if compare else Measured()
    total = now.total | ({"previous": before.total} if compare else {})
    rows = [
        _row(ask, scope, key[0], key[1:], now.rows.get(key), before.rows.get(key) if compare else None, compare)
        for key in dict.fromkeys((*now.rows, *before.rows))
    ]
    for time in dict.fromkeys((*now.rest, *before.rest)):
        values = (None,) * len(ask.names)
        row = _row(ask, scope, time, values, now.rest.get(time), before.rest.get(time) if compare else None, compare)
        rows.append(row | {"remainder": True})
    rows.sort(key=order)
    answer: dict[str, Any] = {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        "total": total,
        "coverage": coverage(total) | now.less_sure,
        "rows": rows,
    }
    if now.rest or before.rest:
        answer |= {"rows_left_out": True, "groups_left_out": max(one.groups_left_out for one in found)}
        if ask.by_time:
            rows[-1]["time"] = None  # of any time that is not on this page
            del answer["groups_left_out"]
    return _without_counts(answer)


def _row(
    ask: Ask,
    scope: Scope,
    time: datetime,
    values: Sequence[Any],
    now: Mapping[str, Any] | None,
    before: Mapping[str, Any] | None,
    compare: bool,
) -> dict[str, Any]:
    row = {"time": time if ask.step != "total" else scope.window.start, **dict(zip(ask.names, values, strict=True))}
    row |= now or measures({})
    return row | ({"previous": before or measures({})} if compare else {})


def _check_compare(compare: str | None) -> None:
    if compare not in (None, "previous"):
        raise BadRequest(f"compare must be previous, not {compare[:SHOWN]!r}")


def _without_counts(answer: dict[str, Any]) -> dict[str, Any]:
    """Drop `priced_calls` where the interface has only `priced_ratio`."""
    for item in (answer["total"], *answer["rows"]):
        item.pop("priced_calls", None)
        item.get("previous", {}).pop("priced_calls", None)
    return answer
