# ruff: noqa: E501
"""CPU of settle per 100,000 spans, pricing included, and what a run costs however little there is to do.

    .venv/bin/python benchmarks/settle.py [--spans 100000]
    .venv/bin/python benchmarks/settle.py --giant     ten batches of 10,000 spans, all of one trace
    .venv/bin/python benchmarks/settle.py --stored 6000000     with response ids of an earlier month stored before

Four spans a trace: a request, an agent that repeats its calls' sums, a framework call and the provider's span below it,
in four dialects, 25 attributes a span and prompts of 2 KB. The spans are written straight into `spans`; load is not measured.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time

from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import migrate, open_store

BATCH = 100_000
SPANS = """
INSERT INTO spans (project, trace_id, span_id, parent_span_id, started_at, duration_ns, name, kind, status, service,
    environment, scope_name, scope_version, attributes, texts, version, received_at)
WITH
    intDiv(number, 4) AS trace,
    number % 4 AS place,
    trace % 2 AS openinference,
    100 + trace % 4000 AS tokens_in,
    10 + trace % 400 AS tokens_out,
    mapFromArrays(
        arrayMap(x -> concat('app.attribute.', toString(x)), range(15)),
        arrayMap(x -> concat('value ', toString(cityHash64(number, x) % 1000)), range(15))
    ) AS other,
    multiIf(
        place = 0, map('http.route', '/answer', 'outlay.feature', concat('feature ', toString(trace % 20)), 'user.id', toString(trace % 999)),
        place = 1, map('gen_ai.operation.name', 'invoke_agent', 'gen_ai.usage.input_tokens', toString(tokens_in), 'gen_ai.usage.output_tokens', toString(tokens_out)),
        openinference AND place = 2,
            map('openinference.span.kind', 'LLM', 'llm.model_name', 'gpt-4o-mini-2024-07-18', 'llm.provider', 'openai',
                'llm.token_count.prompt', toString(tokens_in), 'llm.token_count.completion', toString(tokens_out),
                'llm.token_count.prompt_details.cache_read', toString(intDiv(tokens_in, 2)), 'llm.token_count.total', toString(tokens_in + tokens_out)),
        map('gen_ai.operation.name', 'chat', 'gen_ai.provider.name', 'openai', 'gen_ai.request.model', 'gpt-4o-mini',
            'gen_ai.response.model', 'gpt-4o-mini-2024-07-18', 'gen_ai.response.id', concat('chatcmpl-', toString(trace)),
            'gen_ai.usage.input_tokens', toString(tokens_in), 'gen_ai.usage.output_tokens', toString(tokens_out),
            'gen_ai.usage.cache_read.input_tokens', toString(intDiv(tokens_in, 2)), 'gen_ai.request.stream', 'true')
    ) AS own
SELECT
    'default',
    if({giant:Bool}, leftPad('f', 32, '0'), leftPad(lower(hex(cityHash64(trace, {seed:UInt64}))), 32, '0')),
    leftPad(lower(hex(number + {seed:UInt64} * 1000000)), 16, 'a'),
    if(place = 0, '', leftPad(lower(hex(number - 1 + {seed:UInt64} * 1000000)), 16, 'a')),
    toDateTime64('2026-03-02 12:00:00', 9, 'UTC') + toIntervalMillisecond({seed:UInt64} * 3600000 + trace * 20 + place),
    (10 - place) * 1000000,
    ['POST /answer', 'invoke_agent', 'ChatOpenAI', 'chat gpt-4o-mini'][place + 1],
    'internal', 'unset', 'shop', 'prod',
    ['my.app', 'my.agents', if(openinference, 'openinference.instrumentation.langchain', 'opentelemetry.instrumentation.langchain'), 'opentelemetry.instrumentation.genai.openai'][place + 1],
    '1',
    CAST(mapUpdate(other, own) AS Map(LowCardinality(String), String)),
    CAST(if(place >= 2, map('gen_ai.input.messages', concat(repeat('lorem ipsum dolor ', 110), toString(number))), map()) AS Map(LowCardinality(String), String)),
    1,
    toDateTime64('2026-03-02 12:00:00', 3, 'UTC') + toIntervalSecond({seed:UInt64})
FROM numbers({spans:UInt64})
"""
DIRTY = """
INSERT INTO dirty_traces (loader, seq, project, trace_id, spans, received_from)
SELECT 'bench', {seed:UInt64} * 1000 + intDiv(rowNumberInAllBlocks(), {batch:UInt64}) + 1, project, trace_id, count(),
    toDateTime64('2026-03-02 12:00:00', 3, 'UTC') + toIntervalSecond({seed:UInt64})
FROM spans
WHERE toStartOfHour(started_at) >= toDateTime('2026-03-02 12:00:00', 'UTC') + toIntervalHour({seed:UInt64})
GROUP BY project, trace_id
"""


STORED = """
INSERT INTO response_ids (hour, key, project, trace_id, span_id, started_at, ended_at, version, is_deleted)
WITH toDateTime64('2026-02-02 12:00:00', 9, 'UTC') + toIntervalMillisecond(number * 20) AS at
SELECT toStartOfHour(at), sipHash64(number), 'default', leftPad(lower(hex(sipHash64(number, 1))), 32, '0'),
    leftPad(lower(hex(number)), 16, 'a'), at, at + toIntervalMillisecond(900), 1, 0
FROM numbers({stored:UInt64})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--giant", action="store_true")
    parser.add_argument("--stored", type=int, default=0)
    options = parser.parse_args()
    spans, giant = options.spans, options.giant
    batches = [(0, 400), (100, 4), (200, spans), (400, spans), (600, 4)]
    if giant:
        batches = [(seed, 10_000) for seed in range(1, 11)]
    path = tempfile.mkdtemp(prefix="outlay-bench-")
    store = open_store(f"chdb://{path}")
    migrate(store)
    writer = store.writer()
    settler = Settler(store, PriceBook(store))
    try:
        if options.stored:
            writer.run(STORED, {"stored": options.stored})
            writer.run("OPTIMIZE TABLE response_ids FINAL")  # or its merges would run beside what is measured
        for seed, count in batches:
            writer.run(SPANS, {"seed": seed, "spans": count, "giant": giant})
            writer.run(DIRTY, {"seed": seed, "batch": BATCH // 4})
            cpu, wall = time.process_time(), time.perf_counter()
            while settler.run_once():
                pass
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            per = f", {cpu * 100_000 / count:.2f} CPU-s per 100k spans" if count > 1000 else ""
            print(f"{count:>7} spans: {cpu:.2f} CPU-s, {wall:.2f} s{per}")
        print(
            store.query(
                "SELECT cost_state, count() AS calls, sum(cost_usd) AS usd FROM calls FINAL GROUP BY cost_state"
            )
        )
        print(store.query("SELECT reason, count() AS spans FROM repeats FINAL GROUP BY reason ORDER BY reason"))
    finally:
        settler.close()
        store.close()
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
