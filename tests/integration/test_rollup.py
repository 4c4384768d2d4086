"""Rollups equal the calls they were built from, whatever happened in between."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.spend import spend
from outlay_collector.rollup import hours as rollup_module
from outlay_collector.rollup.hours import Rollup
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

START = datetime(2026, 10, 1, tzinfo=UTC)
KEYS = (
    "service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated, cost_state, "
    "status"
)
MEASURES = (
    "calls, errors, priced_calls, assumed_calls, cached_unknown_calls, "
    "input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, "
    "output_tokens, reasoning_tokens, cost_usd, list_cost_usd, uncached_cost_usd, line_input_usd, "
    "line_cache_read_usd, line_cache_write_usd, line_cache_write_1h_usd, line_output_usd, line_other_usd"
)
LINES = ("input", "cache_read", "cache_write", "cache_write_1h", "output")

Call = dict[str, Any]


def _call(rng: random.Random, n: int, hours: int = 60) -> Call:
    state = rng.choice(["computed", "computed", "estimated", "unpriced", "no_usage", "not_billed", "cached"])
    lines = {
        line: Decimal(rng.randrange(1, 10**9)).scaleb(-12)
        for line in rng.sample([*LINES, "web_searches"], rng.randrange(1, 6))
    }
    cost = sum(lines.values(), Decimal(0)) if state in ("computed", "estimated") else None
    tokens = rng.randrange(5000) if state != "no_usage" else None
    return {
        "project": rng.choice(["default", "default", "other"]),
        "trace_id": f"{n:032x}",
        "span_id": f"{n:016x}",
        "n": 0,
        "started_at": START + timedelta(seconds=rng.randrange(hours * 3600)),
        "duration_ns": rng.randrange(1, 10**11),
        "service": "shop",
        "environment": "prod",
        "feature": rng.choice(["search", "chat", ""]),
        "team": "growth",
        "provider": "openai",
        "model": rng.choice(["gpt-4o", "gpt-5"]),
        "operation": "chat",
        "cascade_name": rng.choice(["", "c"]),
        "cascade_tier": rng.choice([None, 0, 1]),
        "attempt": rng.choice([1, 1, 2]),
        "status": rng.choice(["ok", "ok", "error"]),
        "cost_state": state,
        "input_tokens": tokens,
        "cache_read_tokens": tokens and tokens // 3,
        "output_tokens": tokens,
        "cost_usd": Decimal(0) if state in ("not_billed", "cached") else cost,
        "list_cost_usd": cost and cost * 2,
        "uncached_cost_usd": cost and cost * 3,
        "cost_lines": lines if cost is not None else {},
        "match_kind": rng.choice(
            ["exact", "exact+later_list", "dated+write_1h_at_5m", "alias+later_list+overlap_assumed"]
        ),
        "flags": rng.choice([[], ["unknown_library", "cached_input_unknown"]]),
        "version": time.time_ns(),
        "is_deleted": 0,
    }


def _settle(writer: Writer, calls: Iterable[Call]) -> None:
    """Write calls as settle does: their hours are dirty before the calls are there."""
    calls = list(calls)
    hours = {(call["project"], call["started_at"].replace(minute=0, second=0, microsecond=0)) for call in calls}
    now = writer.query("SELECT now64(3, 'UTC') AS at")[0]["at"]
    writer.insert("dirty_hours", [{"project": p, "hour": h, "changed_at": now} for p, h in sorted(hours)])
    writer.insert("calls", calls)


def _tomb(call: Call) -> Call:
    return {**call, "is_deleted": 1, "version": call["version"] + 1}


def _changed(call: Call, **changes: Any) -> Call:
    return {**call, **changes, "version": call["version"] + 1}


def _from_calls(store: Store, start_of: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """What the rollup must say, by a query that shares nothing with it."""
    known = "if(isNull(cost_usd), 0, ifNull({0}, 0))"
    lines = ", ".join(f"sum(cost_lines['{line}']) AS l_{line}" for line in LINES)
    rows = store.query(
        f"SELECT project, {start_of}(started_at) AS at, service, environment, feature, team, provider, model, "
        "operation, cascade_name, ifNull(toInt16(calls.cascade_tier), -1) AS tier, attempt > 1 AS rep, cost_state, "
        "status, count(), countIf(status = 'error'), countIf(cost_usd IS NOT NULL), "
        "countIf(cost_usd IS NOT NULL AND match(match_kind, 'write_1h|overlap')), "
        "countIf(cost_usd IS NOT NULL AND notEmpty(flags)), sum(ifNull(input_tokens, 0)), "
        "sum(ifNull(cache_read_tokens, 0)), sum(ifNull(cache_write_tokens, 0)), sum(ifNull(cache_write_1h_tokens, 0)), "
        "sum(ifNull(output_tokens, 0)), sum(ifNull(reasoning_tokens, 0)), sum(ifNull(cost_usd, 0)) AS c, "
        f"sum({known.format('list_cost_usd')}), sum({known.format('uncached_cost_usd')}), {lines}, "
        f"c - {' - '.join('l_' + line for line in LINES)} FROM calls FINAL GROUP BY ALL"
    )
    listed = [tuple(row.values()) for row in rows]
    return {row[:14]: row[14:] for row in listed}


def _from_rollup(store: Store, table: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    rows = store.query(f"SELECT project, hour, {KEYS}, {MEASURES} FROM {table} FINAL")
    listed = [tuple(row.values()) for row in rows]
    return {row[:14]: row[14:] for row in listed}


def _roll(store: Store, later_s: int = 3600) -> None:
    rollup = Rollup(store)
    while rollup.run_once(datetime.now(UTC) + timedelta(seconds=later_s)):
        pass
    rollup.close()


def _dirty(store: Store) -> int:
    sql = "SELECT count() AS n FROM dirty_hours AS d FINAL LEFT JOIN rolled_hours AS r FINAL USING (project, hour) "
    return int(store.query(sql + "WHERE NOT r.rolled_at > d.changed_at")[0]["n"])


@pytest.mark.parametrize("seed", range(2))
def test_rollups_equal_the_calls_through_changes_retractions_and_late_arrivals(store: Store, seed: int) -> None:
    rng = random.Random(seed)
    writer = store.writer()
    world = [_call(rng, n) for n in range(400)]
    _settle(writer, world[:300])
    time.sleep(0.003)
    _roll(store)
    for _ in range(3):
        kept = rng.sample(world[:300], 60)
        _settle(writer, [_tomb(call) for call in kept[:20]])
        _settle(writer, [_changed(call, model="gpt-6", feature="new", cost_state="unpriced") for call in kept[20:40]])
        _settle(writer, rng.sample(world[300:], 30))
        time.sleep(0.003)
        _roll(store)

        assert _from_rollup(store, "spend_hourly") == _from_calls(store, "toStartOfHour")
        assert _from_rollup(store, "spend_daily") == _from_calls(store, "toStartOfDay")
        assert _durations(store, "latency_daily") == _durations(store, "latency_hours")
        assert _dirty(store) == 0
    counted = store.query("SELECT sum(arraySum(counts)) AS n FROM latency_hours FINAL")[0]["n"]
    assert counted == store.query("SELECT count() AS n FROM calls FINAL")[0]["n"]


def _durations(store: Store, table: str) -> list[dict[str, Any]]:
    return store.query(
        "SELECT toStartOfDay(hour) AS day, feature, model, status, sumMap(buckets, counts) AS histogram "
        f"FROM {table} FINAL GROUP BY day, feature, model, status ORDER BY ALL"
    )


def test_percentiles_of_whole_days_are_read_from_the_rollup_of_days(store: Store) -> None:
    """Those rolled up before there was one are read from their hours, with the same answer."""
    rng = random.Random(5)
    _settle(store.writer(), [_call(rng, n) for n in range(200)])
    _roll(store)
    first, last = (store.query(f"SELECT {name}(hour) AS at FROM spend_daily")[0]["at"] for name in ("min", "max"))
    scope = Scope(Window(first, last + timedelta(days=1)), project="default")
    expected = spend(store, scope, ("feature",), "day")
    assert expected["total"]["p95_ms"]
    writer = store.writer()
    held = writer.query("SELECT * FROM latency_daily FINAL")
    writer.run("TRUNCATE TABLE latency_daily")
    assert spend(store, scope, ("feature",), "day") == expected
    writer.insert("latency_daily", held)
    writer.run("TRUNCATE TABLE latency_hours")
    assert spend(store, scope, ("feature",), "day") == expected


def test_a_retracted_call_makes_spend_calls_and_latency_fall(store: Store) -> None:
    writer = store.writer()
    rng = random.Random(7)
    call = _changed(_call(rng, 1), cost_state="computed", cost_usd=Decimal("0.5"), project="default")
    other = _changed(_call(rng, 2), cost_state="computed", cost_usd=Decimal("0.25"), project="default")
    _settle(writer, [call, other])
    time.sleep(0.003)
    _roll(store)
    assert store.query("SELECT sum(cost_usd) AS usd FROM spend_hourly FINAL")[0]["usd"] == Decimal("0.75")

    _settle(writer, [_tomb(call)])
    time.sleep(0.003)
    _roll(store)

    for table in ("spend_hourly", "spend_daily"):
        row = store.query(f"SELECT sum(cost_usd) AS usd, sum(calls) AS calls FROM {table} FINAL")[0]
        assert (row["usd"], row["calls"]) == (Decimal("0.25"), 1)
    assert store.query("SELECT sum(arraySum(counts)) AS n FROM latency_hours FINAL")[0]["n"] == 1


def test_an_hour_is_rebuilt_only_when_it_was_quiet_for_a_minute_or_waited_five(store: Store) -> None:
    writer = store.writer()
    rollup = Rollup(store)
    _settle(writer, [_call(random.Random(1), 1)])
    now = datetime.now(UTC)

    rollup.run_once(now)
    assert _dirty(store) == 1
    rollup.run_once(now + timedelta(seconds=70))
    assert _dirty(store) == 0

    _settle(writer, [_call(random.Random(1), 2)])
    hour = store.query("SELECT hour FROM dirty_hours FINAL")[0]["hour"]
    writer.insert("dirty_hours", [{"project": "default", "hour": hour, "changed_at": now + timedelta(hours=1)}])
    busy = Rollup(store)
    busy.run_once(now + timedelta(seconds=30))
    assert store.query("SELECT sum(calls) AS n FROM spend_hourly FINAL")[0]["n"] == 1
    busy.run_once(now + timedelta(seconds=340))
    assert store.query("SELECT sum(calls) AS n FROM spend_hourly FINAL")[0]["n"] == 2


def test_a_backfill_over_hundreds_of_days_takes_few_statements_and_keeps_its_budget(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("FAST_S", "SLOW_S"):  # however busy the machine is that runs the tests
        monkeypatch.setattr(rollup_module, bound, math.inf)
    writer = store.writer()
    rng = random.Random(3)
    _settle(writer, [_call(rng, n, hours=24 * 400) for n in range(2000)])
    time.sleep(0.003)
    rollup = Rollup(store, budget_s=0.0)
    later = datetime.now(UTC) + timedelta(hours=1)
    runs = 1
    while rollup.run_once(later):
        runs += 1

    assert 5 < runs <= 20
    assert _dirty(store) == 0
    assert _from_rollup(store, "spend_daily") == _from_calls(store, "toStartOfDay")


def test_an_hour_that_changes_again_after_its_rebuild_began_stays_dirty(store: Store) -> None:
    writer = store.writer()
    _settle(writer, [_call(random.Random(1), 1)])
    time.sleep(0.003)
    _roll(store)
    assert _dirty(store) == 0
    _settle(writer, [_changed(_call(random.Random(1), 1), feature="late")])
    assert _dirty(store) == 1
