"""What one window holds: measures in total and by group, the groups it has, and its largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.query.dimensions import dimension_value
from outlay_analytics.query.groups import MAX_ROWS, Groups, Look, look_at, top_groups
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import Interval
from outlay_analytics.statistics.durations import p95_interval_ms
from outlay_collector.store import Store, load_sql

VALUE_MS = "exp2((bucket + 0.5) / 16) / 1000"
QUANTILES = f"quantilesExactWeightedInterpolatedIf(0.5, 0.95)({VALUE_MS}, bucket_calls, bucket_calls > 0)"
HISTOGRAM = "sumMapIf([bucket], [bucket_calls], bucket_calls > 0)"
NO_HISTOGRAM = "tuple(emptyArrayUInt16(), emptyArrayUInt64())"
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
LESS_SURE = ("estimated_calls", "assumed_calls", "cached_input_unknown_calls")
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


@dataclass(frozen=True)
class Ask:
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
            zeros=True,
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
