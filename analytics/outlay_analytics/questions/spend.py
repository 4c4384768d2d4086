"""Who spent what: cost, calls, tokens and latency by any dimensions and interval, with the share that has a price.

However many groups there are, an answer has a bounded number of rows: the largest groups, and one row (per step) with
`remainder` that holds all others, so that rows add up to the total to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.query.dimensions import check_groups, dimension_value
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.groups import (
    MAX_GROUPS,
    MAX_ROWS,
    Groups,
    Look,
    check_steps,
    chosen,
    fitting,
    look_at,
    top_groups,
)
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import Interval, Window, check_interval
from outlay_analytics.statistics.durations import p95_interval_ms
from outlay_collector.store import Store, load_sql

VALUE_MS = "exp2((bucket + 0.5) / 16) / 1000"
QUANTILES = f"quantilesExactWeightedInterpolatedIf(0.5, 0.95)({VALUE_MS}, bucket_calls, bucket_calls > 0)"
HISTOGRAM = "sumMapIf([bucket], [bucket_calls], bucket_calls > 0)"
NO_HISTOGRAM = "tuple(emptyArrayUInt16(), emptyArrayUInt64())"
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
LESS_SURE = ("estimated_calls", "assumed_calls", "cached_input_unknown_calls")
RANKS = ("cost_usd", "calls", "errors", *TOKENS, "uncached_cost_usd")
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Place:
    """A row's place in the whole list: newest first (Unix seconds), then largest cost, most calls, `tie`."""

    at_s: int
    cost_usd: Decimal
    calls: int
    tie: str


@dataclass
class Measured:
    """What one window holds: sums in total, by group, and of the groups left out; each by (time, dimension values)."""

    total: dict[str, Any] = field(default_factory=lambda: measures({}))
    less_sure: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LESS_SURE, 0))
    rows: dict[Key, dict[str, Any]] = field(default_factory=dict)
    rest: dict[datetime, dict[str, Any]] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    groups_left_out: int = 0


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
    ask = _Ask(store, check_groups(group_by), check_interval(interval), percentiles, p95_interval=p95_interval)
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
    ask = _Ask(store, check_groups(group_by), check_interval(interval), True, by_time=interval != "total")
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
        **(p95_interval_ms(*row["histogram"]) if row.get("histogram", ((), ()))[0] else {}),
    }


def order(row: Mapping[str, Any]) -> tuple[float, bool, Decimal, int]:
    """A row's place: newest first, then largest, what is left out last."""
    at: datetime = row["time"]
    return (-at.timestamp(), bool(row.get("remainder")), -(row["cost_usd"] or Decimal(0)), -row["calls"])


@dataclass(frozen=True)
class _Ask:
    """What is asked of each window."""

    store: Store
    names: tuple[str, ...]
    step: Interval
    percentiles: bool
    by_time: bool = False
    p95_interval: bool = False

    def groups(self) -> Groups:
        return Groups(("time", *(f"d{number}" for number in range(len(self.names)))), self.by_time)

    def measure(
        self,
        scope: Scope,
        shift: timedelta,
        *,
        shown: Sequence[int] | None = None,
        limit: int = MAX_ROWS,
        after: Place | None = None,
    ) -> Measured:
        """Measures in total and by group: of the first `limit` rows after a place, or of those shown and the rest."""
        groups = self.groups()
        source = spend_source(
            self.store,
            scope,
            self.names,
            self.step,
            shift=shift,
            latency=self.percentiles,
            shown=None if shown is None else groups.shown,
        )
        params: dict[str, Any] = {**source.params, "max_rows": limit + 1}
        keys = ", ".join(groups.keys)
        own = {"relation": source.sql, "is_rest": "0", "groups": "0", "sets": f"({keys}), ()", "id": groups.id}
        if shown is not None:
            params |= {"shown": list(shown), "max_rows": 3 * MAX_ROWS}
            own |= {
                "is_rest": "is_rest",
                "groups": "uniqExactIf(group_id, is_rest)",
                "sets": f"({keys}, is_rest), ()",
            }
        sql = load_sql(
            "outlay_analytics.questions.sql",
            "spend",
            **own,
            keys=keys,
            is_total="grouping(time)",
            tie=groups.tie,
            after=_after(after, params),
            times="time DESC, " if self.by_time else "",
            quantiles=QUANTILES if self.percentiles else "[NULL, NULL]",
            histogram=HISTOGRAM if self.p95_interval else NO_HISTOGRAM,
        )
        return self._read(self.store.query(sql, params))

    def _read(self, rows: Sequence[Mapping[str, Any]]) -> Measured:
        found = Measured()
        for row in rows:
            if row["is_total"]:
                found.total, found.groups_left_out = measures(row), row["groups_left_out"]
                found.less_sure = {name: int(row[name]) for name in LESS_SURE}
            elif row["is_rest"]:
                found.rest[row["time"]] = measures(row)
            else:
                values = [dimension_value(name, row[f"d{number}"]) for number, name in enumerate(self.names)]
                found.rows[row["time"], *values] = measures(row)
                found.ids.append(row["id"])
                found.places.append(Place(_seconds(row), Decimal(row["cost_usd"]), int(row["calls"]), row["tie"]))
        return found

    def look(self, scope: Scope, shift: timedelta) -> Look:
        """About how many groups a window has, and how many steps."""
        return look_at(self.store, spend_source(self.store, scope, self.names, self.step, shift=shift, exact=False))

    def top(self, scope: Scope, limit: int, rank: str) -> list[int]:
        """Ids of the largest groups of a window."""
        return top_groups(self.store, spend_source(self.store, scope, self.names), limit, rank)


def _largest(
    ask: _Ask, windows: Sequence[tuple[Scope, timedelta]], limit: int, rank: str
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


def _answer(ask: _Ask, scope: Scope, found: Sequence[Measured], compare: bool) -> dict[str, Any]:
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
    ask: _Ask,
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


def _after(after: Place | None, params: dict[str, Any]) -> str:
    """The condition that a row comes after a place."""
    if after is None:
        return "1"
    params |= {
        "cursor_time": after.at_s,
        "cursor_usd": f"{after.cost_usd:.12f}",
        "cursor_calls": after.calls,
        "cursor_tie": after.tie,
    }
    return (
        "(-toInt64(toUnixTimestamp(time)), -cost_usd, -toInt64(calls), tie) > (-{cursor_time:Int64}, "
        "-toDecimal128({cursor_usd:String}, 12), -{cursor_calls:Int64}, {cursor_tie:String})"
    )


def _seconds(row: Mapping[str, Any]) -> int:
    at: datetime = row["time"]
    return int(at.timestamp())


def _check_compare(compare: str | None) -> None:
    if compare not in (None, "previous"):
        raise BadRequest(f"compare must be previous, not {compare[:SHOWN]!r}")


def _without_counts(answer: dict[str, Any]) -> dict[str, Any]:
    """Drop `priced_calls` where the interface has only `priced_ratio`."""
    for item in (answer["total"], *answer["rows"]):
        item.pop("priced_calls", None)
        item.get("previous", {}).pop("priced_calls", None)
    return answer
