"""What a page's data costs to answer: CPU of every question over synthetic calls.

    python benchmarks/queries.py [--calls 1000000] [--days 30] [--path DIR] [--keep] [--only WORDS]

Calls follow a daily rhythm: 20 features, 8 models of 4 providers, 20,000 users, cascades, retries, cache reads,
lookups and scores. They are inserted by ClickHouse itself, rolled up by the real job, and every question is asked three
times; the smallest figure counts. CPU is that of the whole process, ClickHouse's threads included; its condition cache
is off.
A question that needs more than 1 GB fails.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("sdk", "collector", "analytics")]

from outlay.errors import OutlayError  # noqa: E402
from outlay_analytics.export.focus import focus  # noqa: E402
from outlay_analytics.query.scope import Scope  # noqa: E402
from outlay_analytics.query.window import EVERYTHING, Window  # noqa: E402
from outlay_analytics.questions.cache_thresholds import cache_thresholds  # noqa: E402
from outlay_analytics.questions.caching import caching  # noqa: E402
from outlay_analytics.questions.calls import list_calls  # noqa: E402
from outlay_analytics.questions.cascades import cascades, thresholds  # noqa: E402
from outlay_analytics.questions.changes import Model, ReplaceModel  # noqa: E402
from outlay_analytics.questions.decide import decide  # noqa: E402
from outlay_analytics.questions.experiments import experiment  # noqa: E402
from outlay_analytics.questions.prompts import prompts  # noqa: E402
from outlay_analytics.questions.quality import quality  # noqa: E402
from outlay_analytics.questions.routing import routing  # noqa: E402
from outlay_analytics.questions.showback import showback  # noqa: E402
from outlay_analytics.questions.simulate import simulate  # noqa: E402
from outlay_analytics.questions.spend import spend  # noqa: E402
from outlay_analytics.questions.traces import get_trace, list_traces  # noqa: E402
from outlay_analytics.questions.tradeoff import tradeoff  # noqa: E402
from outlay_analytics.questions.unit_costs import unit_costs  # noqa: E402
from outlay_collector.prices.book import PriceBook  # noqa: E402
from outlay_collector.rollup.hours import Rollup  # noqa: E402
from outlay_collector.store import Store, connect, migrate, open_store  # noqa: E402

END = datetime(2026, 6, 1, tzinfo=UTC)
BATCH = 500_000
OTHER_MODEL = ReplaceModel("model-1", Model("gpt-4o", "openai"))

CALLS = """
INSERT INTO calls (project, trace_id, span_id, n, started_at, duration_ns, name, service, environment, feature, team,
    customer, user, provider, request_model, response_model, model, response_id, operation, input_tokens,
    cache_read_tokens, cache_write_tokens, output_tokens, cost_usd, list_cost_usd, uncached_cost_usd, cost_lines,
    cost_state, attempt, status, cascade_name, cascade_run_id, cascade_tier, cascade_outcome, cascade_confidence, tags,
    prompt, prompt_version, experiment, arm, route_tier, route_propensity, prompt_parts, version, is_deleted)
SELECT
    'default', lower(hex(sipHash128(intDiv(number, 4)))), lower(hex(sipHash64(number))), 0,
    toDateTime64({start:UInt32} + floor((number + 0.5 * sin(number)) * {step:Float64}), 9, 'UTC') AS at,
    toUInt64(exp(7 + 2 * (r / 1000 - 0.5)) * 1000000) AS duration, 'chat',
    concat('service-', toString(f % 4)), if(r % 20 = 0, 'staging', 'prod'), concat('feature-', toString(f)),
    concat('team-', toString(f % 6)), concat('customer-', toString(r % 200)), concat('user-', toString(h % 20000)),
    ['openai', 'anthropic', 'gcp.gemini', 'mistral_ai'][m % 4 + 1], concat('model-', toString(m)),
    concat('model-', toString(m)), concat('model-', toString(m)), concat('resp-', toString(number)), 'chat',
    input, read, if(m % 4 = 1, intDiv(input, 8), 0) AS write, output,
    toDecimal128(input_usd + read_usd + write_usd + output_usd, 12) AS usd, usd,
    toDecimal128((input * 3 + output * 15) / 1000000, 12),
    map('input', toDecimal128(input_usd, 12), 'cache_read', toDecimal128(read_usd, 12),
        'cache_write', toDecimal128(write_usd, 12), 'output', toDecimal128(output_usd, 12)),
    'computed', 1 + (r % 40 = 0), if(r % 50 = 0, 'error', 'ok'),
    if(f < 3, concat('cascade-', toString(f)), ''), if(f < 3, toString(intDiv(number, 4)), ''),
    if(f < 3, toUInt8(number % 4 = 3), NULL), if(f < 3, if(number % 4 = 3, 'accepted', 'escalated'), ''),
    if(f < 3, r / 1000, NULL), map('plan', if(r % 3 = 0, 'pro', 'free')),
    concat('prompt-', toString(f)), if(number > {first:UInt64} + {count:UInt64} / 2, '2', '1'),
    if(f = 4, 'tone', ''), if(f = 4, if(h % 20000 % 2 = 0, 'control', 'warm'), ''),
    if(f = 5, if(h % 10 = 0, 'frontier', 'cheap'), ''), if(f = 5, if(h % 10 = 0, 0.1, 0.9), NULL),
    map('system', intDiv(input, 2), 'history', intDiv(input, 3)), 1, 0
FROM
(
    SELECT
        number, sipHash64(number, 1) AS h, h % 1000 AS r,
        toUInt8(pow((sipHash64(intDiv(number, 4), 2) % 1000) / 1000, 2) * 20) AS f, toUInt8((f * 3 + r % 3) % 8) AS m,
        200 + h % 6000 AS input, if(r % 2 = 0, intDiv(input, 2), 0) AS read, 20 + intDiv(h, 7) % 700 AS output,
        (input - read) * 3 / 1000000 AS input_usd, read * 0.3 / 1000000 AS read_usd,
        output * 15 / 1000000 AS output_usd,
        if(m % 4 = 1, intDiv(input, 8) * 0.75 / 1000000, 0) AS write_usd
    FROM numbers({first:UInt64}, {count:UInt64})
)
"""
LOOKUPS = """
INSERT INTO lookups (project, trace_id, span_id, started_at, duration_ns, kind, hit, similarity, avoided_usd, feature,
    model, version, is_deleted)
SELECT project, trace_id, span_id, started_at, 1000000, if(r % 3 = 0, 'semantic', 'exact') AS kind, r % 2,
    if(kind = 'semantic', 0.7 + 0.3 * (r % 999983) / 999983, NULL), cost_usd, feature, model, 1, 0
FROM (SELECT *, sipHash64(span_id, 3) AS r FROM calls WHERE sipHash64(span_id) % 10 = 0)
"""
SPANS = """
INSERT INTO spans (project, trace_id, span_id, started_at, duration_ns, name, kind, status, service, environment,
    resource_attributes, attributes, version)
SELECT project, trace_id, span_id, started_at, duration_ns, name, 'client', status, service, environment,
    map('service.name', toString(service)),
    map('gen_ai.request.model', toString(model), 'gen_ai.usage.input_tokens', toString(input_tokens),
        'gen_ai.usage.output_tokens', toString(output_tokens)), 1
FROM calls
"""
SCORES = """
INSERT INTO scores (project, trace_id, span_id, name, value, label, at)
SELECT project, trace_id, if(n_of % 3 = 0, '', span_id), if(n_of % 2 = 0, 'correct', 'helpful'), n_of % 7 != 0, '',
    started_at + INTERVAL 5 MINUTE
FROM (SELECT *, sipHash64(span_id) AS n_of FROM calls) WHERE n_of % 20 < 3
"""
DIRTY_HOURS = """
INSERT INTO dirty_hours SELECT DISTINCT project, toStartOfHour(started_at), toDateTime64(1, 3, 'UTC') FROM calls
"""


def fill(store: Store, count: int, days: int) -> None:
    writer = store.writer()
    start = int((END - timedelta(days=days)).timestamp())
    for first in range(0, count, BATCH):
        params = {"start": start, "step": days * 86400 / count, "first": first, "count": min(BATCH, count - first)}
        writer.run(CALLS, params)
    for statement in (LOOKUPS, SPANS, SCORES, DIRTY_HOURS):
        writer.run(statement)
    writer.close()
    rollup = Rollup(store, budget_s=3600)
    began = time.process_time()
    while rollup.run_once(datetime(2100, 1, 1, tzinfo=UTC)) or rollup.waiting:
        pass
    print(f"rolled up in {time.process_time() - began:.1f} CPU-s")
    rollup.close()
    # The newest hours are open, as they are in life.
    writer = store.writer()
    open_from = END - timedelta(hours=3)
    writer.run(
        "INSERT INTO dirty_hours SELECT project, hour, now64(3) + 10 FROM rolled_hours FINAL "
        "WHERE hour >= {h:DateTime('UTC')}",
        {"h": open_from},
    )
    writer.close()


def measure(name: str, ask: Callable[[], Any]) -> None:
    cpu, wall = [], []
    for _ in range(3):
        began, clock = time.process_time(), time.perf_counter()
        try:
            ask()
        except OutlayError as exc:
            print(f"{name:<52} failed: {exc}", flush=True)
            return
        cpu.append(time.process_time() - began)
        wall.append(time.perf_counter() - clock)
    print(f"{name:<52} {min(cpu) * 1000:8.1f} ms CPU {min(wall) * 1000:8.1f} ms wall", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--path", default="")
    parser.add_argument("--keep", action="store_true", help="leave the store, and use it if it is there")
    parser.add_argument("--only", default="", help="ask the questions whose name has one of these, split by commas")
    arguments = parser.parse_args()
    path = Path(arguments.path or tempfile.mkdtemp(prefix="outlay-queries-"))
    filled = (path / "filled").exists()
    connect.READ_LIMITS |= {"max_memory_usage": 1_000_000_000, "max_execution_time": 600}  # CPU counts, not the clock
    store = open_store(f"chdb://{path}")
    migrate(store)
    if not filled:
        fill(store, arguments.calls, arguments.days)
        (path / "filled").touch()
    sizes = (
        "calls",
        "spend_hourly",
        "spend_daily",
        "latency_hours",
        "latency_daily",
        "dimension_daily",
        "cascade_hourly",
        "cascade_parts",
        "cascade_runs",
        "cascade_confidences",
    )
    print(", ".join(f"{t} {store.query(f'SELECT count() AS n FROM {t}')[0]['n']:,}" for t in sizes))
    month = Window(END - timedelta(days=arguments.days), END)
    days_3, berlin = Scope(Window(END - timedelta(days=3), END)), Scope(month, timezone="Europe/Berlin")
    feature, tagged = Scope(month, {"feature": ("feature-1",)}), Scope(month, {"tag.plan": ("pro",)})
    scored_badly = Scope(month, {"score.correct": ("<0.5",)})
    scope, odd = Scope(month), Scope(Window(month.start + timedelta(minutes=7), END - timedelta(minutes=7)))
    one = list_calls(store, scope, limit=1)["calls"][0]
    everything, response = Scope(EVERYTHING), one["response_id"]
    name = "cascade-0"
    book, writer = PriceBook(store), store.writer()
    book.ensure(writer)
    questions: list[tuple[str, Callable[[], Any]]] = [
        ("spend, total", lambda: spend(store, scope)),
        ("spend by feature and day", lambda: spend(store, scope, ["feature"], "day")),
        ("the same, unaligned window", lambda: spend(store, odd, ["feature"], "day")),
        ("the same, Europe/Berlin", lambda: spend(store, berlin, ["feature"], "day")),
        ("spend by model, compared", lambda: spend(store, scope, ["model"], compare="previous")),
        ("spend by feature and hour, 3 days", lambda: spend(store, days_3, ["feature"], "hour")),
        ("spend of one feature by model_tier", lambda: spend(store, feature, ["model_tier"])),
        ("spend by user", lambda: spend(store, scope, ["user"], limit=50)),
        ("spend of one tag", lambda: spend(store, tagged, ["feature"])),
        ("unit costs per customer", lambda: unit_costs(store, scope, "customer")),
        ("unit costs per user", lambda: unit_costs(store, scope, "user")),
        ("unit costs per request", lambda: unit_costs(store, scope, "request")),
        ("showback by team", lambda: showback(store, scope, "team", "cost")),
        ("what if one model were another", lambda: simulate(store, book, writer, scope, [OTHER_MODEL], now=END)),
        ("FOCUS of three days", lambda: sum(1 for _ in focus(store, book, writer, days_3).rows)),
        ("caching by feature", lambda: caching(store, scope)),
        ("cascades", lambda: cascades(store, scope)),
        ("cascades by day", lambda: cascades(store, scope, "day")),
        ("cascades of one feature", lambda: cascades(store, feature)),
        ("cascade thresholds", lambda: thresholds(store, scope, name)),
        ("quality by model", lambda: quality(store, scope)),
        ("quality by feature and day", lambda: quality(store, scope, ["feature"], "day")),
        ("quality of three days", lambda: quality(store, days_3)),
        ("spend of what is scored badly", lambda: spend(store, scored_badly, ["feature"])),
        ("trade-off", lambda: tradeoff(store, scope)),
        ("routing", lambda: routing(store, scope)),
        ("an experiment", lambda: experiment(store, scope, "tone")),
        ("two models side by side", lambda: decide(store, scope, "model", "model-1", "model-2")),
        ("prompts by version", lambda: prompts(store, scope)),
        ("cache thresholds", lambda: cache_thresholds(store, scope)),
        ("calls, newest 100", lambda: list_calls(store, scope)),
        ("calls, one user's newest 100", lambda: list_calls(store, Scope(month, {"user": (one["user"],)}))),
        ("calls of a trace", lambda: list_calls(store, everything, trace_id=one["trace_id"])),
        ("call by id, unknown", lambda: list_calls(store, everything, call_id="f" * 32 + ":x:0")),
        ("call by response id, from the index", lambda: list_calls(store, everything, response_id=response)),
        ("traces, newest 100", lambda: list_traces(store, scope)),
        ("one trace", lambda: get_trace(store, "default", one["trace_id"])),
    ]
    for title, ask in questions:
        if any(words.strip() in title for words in arguments.only.split(",")):
            measure(title, ask)
    store.close()
    if not arguments.keep:
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
