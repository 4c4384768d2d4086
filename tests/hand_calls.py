"""Hand-made rows for `calls`, `lookups` and `scores`, and a plain roll-up of them, for tests of the answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_collector.rollup.prompts import rebuild_prompts
from outlay_collector.rollup.scored import rebuild_scored
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

DAY = datetime(2026, 3, 10, tzinfo=UTC)
CALL: dict[str, Any] = {
    "project": "default",
    "trace_id": "",
    "span_id": "",
    "n": 0,
    "parent_span_id": "",
    "started_at": DAY,
    "duration_ns": 1_000_000_000,
    "time_to_first_token_ms": None,
    "name": "chat",
    "service": "shop",
    "environment": "prod",
    "feature": "",
    "team": "",
    "customer": "",
    "user": "",
    "session": "",
    "task": "",
    "prompt": "",
    "prompt_version": "",
    "provider": "openai",
    "request_model": "gpt-5",
    "response_model": "gpt-5",
    "model": "gpt-5",
    "response_id": "",
    "service_tier": "",
    "region": "",
    "operation": "chat",
    "input_tokens": None,
    "cache_read_tokens": None,
    "cache_write_tokens": None,
    "cache_write_1h_tokens": None,
    "output_tokens": None,
    "reasoning_tokens": None,
    "other_usage": {},
    "cost_usd": None,
    "list_cost_usd": None,
    "uncached_cost_usd": None,
    "cost_lines": {},
    "reported_cost_usd": None,
    "cost_state": "computed",
    "price_version": "v1",
    "matched_model": "openai:gpt-5",
    "match_kind": "exact",
    "streamed": None,
    "attempt": 1,
    "request_id": "",
    "status": "ok",
    "error_type": "",
    "dialect": "otel_genai",
    "tags": {},
    "cascade_name": "",
    "cascade_run_id": "",
    "cascade_tier": None,
    "cascade_outcome": "",
    "cascade_confidence": None,
    "cascade_threshold": None,
    "cascade_forced": 0,
    "cascade_judge": 0,
    "cache_kind": "",
    "cache_hit": None,
    "cache_similarity": None,
    "cache_avoided_input_tokens": None,
    "cache_avoided_output_tokens": None,
    "cache_avoided_usd": None,
    "experiment": "",
    "arm": "",
    "arm_propensity": None,
    "route_tier": "",
    "route_reason": "",
    "route_propensity": None,
    "prompt_parts": {},
    "prompt_hash": 0,
    "prefix_hash": 0,
    "flags": [],
    "version": 1,
    "is_deleted": 0,
}
LOOKUP: dict[str, Any] = {
    "project": "default",
    "trace_id": "",
    "span_id": "",
    "started_at": DAY,
    "duration_ns": 1_000_000,
    "kind": "exact",
    "hit": True,
    "similarity": None,
    "avoided_usd": None,
    "service": "shop",
    "environment": "prod",
    "feature": "",
    "team": "",
    "customer": "",
    "user": "",
    "session": "",
    "task": "",
    "prompt": "",
    "prompt_version": "",
    "provider": "openai",
    "model": "gpt-5",
    "tags": {},
    "version": 1,
    "is_deleted": 0,
}
MONEY = ("cost_usd", "list_cost_usd", "uncached_cost_usd", "reported_cost_usd", "cache_avoided_usd", "avoided_usd")
_ids = iter(range(1, 1 << 40))
_marked = datetime(2020, 1, 1, tzinfo=UTC)


def call(at: datetime | timedelta = timedelta(0), cost: str | None = None, **fields: Any) -> dict[str, Any]:
    """One row of `calls`; `at` counts from 10 March 2026, `cost` is all three costs, unknown when None."""
    number = next(_ids)
    row = {**CALL, "trace_id": f"{number:032x}", "span_id": f"{number:016x}"}
    row["cost_usd"] = row["list_cost_usd"] = row["uncached_cost_usd"] = cost
    row["cost_state"] = "unpriced" if cost is None else "computed"
    return _row(row, at, fields)


def lookup(at: datetime | timedelta = timedelta(0), **fields: Any) -> dict[str, Any]:
    """One row of `lookups`."""
    number = next(_ids)
    return _row({**LOOKUP, "trace_id": f"{number:032x}", "span_id": f"{number:016x}"}, at, fields)


def _row(row: dict[str, Any], at: datetime | timedelta, fields: dict[str, Any]) -> dict[str, Any]:
    unknown = set(fields) - set(row)
    assert not unknown, f"no such column: {unknown}"
    row["started_at"] = DAY + at if isinstance(at, timedelta) else at
    row |= fields
    for name in MONEY:
        if isinstance(row.get(name), str):
            row[name] = Decimal(row[name])
    row["started_at"] = row["started_at"].astimezone(UTC)
    if "cost_lines" in row:
        row["cost_lines"] = {line: Decimal(usd) for line, usd in row["cost_lines"].items()}
    return row


def put(store: Store, *rows: dict[str, Any]) -> None:
    """Insert rows of `calls` and `lookups` as settle does: the hours turn dirty first.

    They turn dirty again behind the rows, so that a running server which rolled them up in between does it once more.
    """
    writer = store.writer()
    calls = [row for row in rows if "call_id" not in row and "cost_state" in row]
    lookups = [row for row in rows if "cost_state" not in row]
    hours = {
        (row["project"], row["started_at"].replace(minute=0, second=0, microsecond=0)) for row in (*calls, *lookups)
    }
    mark(writer, "dirty_hours", "changed_at", hours)
    writer.insert("trace_hours", [_place(row) for row in calls if not row["is_deleted"]])
    writer.insert("calls", calls)
    writer.insert("lookups", lookups)
    mark(writer, "dirty_hours", "changed_at", hours)
    writer.close()


def _place(row: dict[str, Any]) -> dict[str, Any]:
    """Where a call's trace lies, as load notes it."""
    hour = row["started_at"].replace(minute=0, second=0, microsecond=0)
    trace = {"project": row["project"], "trace_id": row["trace_id"]}
    return {**trace, "first_hour": hour, "last_hour": hour, "spans": 1}


def mark(writer: Writer, table: str, column: str, hours: Iterable[tuple[str, datetime]]) -> None:
    """Write one row per hour into `dirty_hours` or `rolled_hours`, each time a little later."""
    at = _later()
    writer.insert(table, [{"project": project, "hour": hour, column: at} for project, hour in sorted(hours)])


def _later() -> datetime:
    """Now, and later than ever before: a server at work marks the same hours by its own clock."""
    global _marked
    _marked = max(_marked + timedelta(milliseconds=1), datetime.now(UTC))
    return _marked


def roll_up(store: Store, hours: Sequence[datetime] | None = None) -> None:
    """Rebuild hours (all by default) and their days from `calls` and `lookups`, and mark them clean."""
    writer = store.writer()
    known = writer.query("SELECT project, hour FROM dirty_hours FINAL")
    chosen = {(row["project"], row["hour"]) for row in known if hours is None or row["hour"] in hours}
    for project in sorted({project for project, _ in chosen}):
        mine = sorted(hour for name, hour in chosen if name == project)
        params = {"p": project, "hours": mine, "days": sorted({hour.replace(hour=0) for hour in mine})}
        for statement in (*ROLL_UP, ROLL_DAY):
            writer.run(statement, params)
        rebuilt = {"project": project, "hours": mine, "first": mine[0], "last": mine[-1], "version": time.time_ns()}
        rebuild_prompts(writer, rebuilt)
        rebuild_scored(writer, rebuilt)
    mark(writer, "rolled_hours", "rolled_at", chosen)
    writer.close()


KEYS = (
    "service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated, "
    "cost_state, status"
)
FROM_CALLS = (
    "service, environment, feature, team, provider, model, operation, cascade_name AS cascade, "
    "ifNull(toInt16(calls.cascade_tier), -1) AS cascade_tier, attempt > 1 AS repeated, cost_state, status"
)
LINES = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
TOKENS = ["input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning"]
WHERE = "FROM calls FINAL WHERE project = {p:String} AND toStartOfHour(started_at) IN {hours:Array(DateTime('UTC'))}"
SUMS = ", ".join(
    [
        "count() AS calls",
        "countIf(status = 'error') AS errors",
        "count(calls.cost_usd) AS priced_calls",
        "sum(calls.assumed) AS assumed_calls",
        "sum(calls.cached_unknown) AS cached_unknown_calls",
        *(f"sum(ifNull(calls.{name}_tokens, 0)) AS {name}_tokens" for name in TOKENS),
        "sum(ifNull(calls.cost_usd, 0)) AS cost_usd",
        "sumIf(ifNull(calls.list_cost_usd, 0), isNotNull(calls.cost_usd)) AS list_cost_usd",
        "sumIf(ifNull(calls.uncached_cost_usd, 0), isNotNull(calls.cost_usd)) AS uncached_cost_usd",
        *(f"sum(cost_lines['{line}']) AS line_{line}_usd" for line in LINES),
        "cost_usd - " + " - ".join(f"line_{line}_usd" for line in LINES) + " AS line_other_usd",
    ]
)
COLUMNS = (
    "calls, errors, priced_calls, assumed_calls, cached_unknown_calls, "
    + ", ".join(f"{name}_tokens" for name in TOKENS)
    + ", cost_usd, list_cost_usd, uncached_cost_usd, "
    + ", ".join(f"line_{line}_usd" for line in (*LINES, "other"))
)
VERSION = "toUInt64(toUnixTimestamp64Milli(now64(3)))"
BUCKET = "toUInt16(floor(log2(greatest(duration_ns / 1000, 1)) * 16))"
HOUR_OF = "toStartOfHour(started_at) AS hour"
BUCKETS = f"SELECT {HOUR_OF}, {FROM_CALLS}, {BUCKET} AS bucket, count() AS times {WHERE} GROUP BY hour, {KEYS}, bucket"
LOOKED_UP = "project, hour, kind, service, environment, feature, team, provider, model"
ROLL_UP = (
    f"INSERT INTO spend_hourly (project, hour, {KEYS}, {COLUMNS}, version, is_deleted) "
    f"SELECT {{p:String}}, {HOUR_OF}, {FROM_CALLS}, {SUMS}, {VERSION}, 0 {WHERE} GROUP BY hour, {KEYS}",
    f"INSERT INTO latency_hours (project, hour, {KEYS}, buckets, counts, version, is_deleted) "
    f"SELECT {{p:String}}, hour, {KEYS}, groupArray(bucket), groupArray(times), {VERSION}, 0 "
    f"FROM ({BUCKETS}) GROUP BY hour, {KEYS}",
    f"INSERT INTO lookup_hourly ({LOOKED_UP}, lookups, hits, known_hits, avoided_usd, version, is_deleted) "
    f"SELECT {LOOKED_UP.replace('hour', HOUR_OF)}, count(), countIf(hit), countIf(hit AND isNotNull(avoided_usd)), "
    f"sumIf(ifNull(avoided_usd, 0), hit), {VERSION}, 0 {WHERE.replace('calls', 'lookups')} GROUP BY {LOOKED_UP}",
)
ROLL_DAY = (
    f"INSERT INTO spend_daily (project, hour, {KEYS}, {COLUMNS}, version, is_deleted) "
    f"SELECT {{p:String}}, toStartOfDay(h.hour) AS day, {KEYS}, "
    + ", ".join(f"sum(h.{name})" for name in COLUMNS.split(", "))
    + f", {VERSION}, 0 FROM spend_hourly AS h FINAL WHERE project = {{p:String}} AND "
    f"toStartOfDay(h.hour) IN {{days:Array(DateTime('UTC'))}} GROUP BY day, {KEYS}"
)
