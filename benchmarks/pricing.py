"""How much CPU it takes to price a million calls: `python benchmarks/pricing.py [calls]`.

Calls of a dozen models in several tiers with cache reads and writes, one in ten with searches or audio, are priced with
`price.sql` into a Null table (as settle and reprice do, without the write). The bar is 2 CPU-seconds per million.
"""

from __future__ import annotations

import sys
import tempfile
import time

from outlay_collector.prices.book import PriceBook
from outlay_collector.store import migrate, open_store

MODELS = [
    ("openai", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5.4"),
    ("openai", "gpt-5.6-luna"),
    ("anthropic", "claude-haiku-4-5-20251001"),
    ("anthropic", "claude-opus-4-5"),
    ("anthropic", "claude-sonnet-4-20250514"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("deepseek", "deepseek-v4-pro"),
    ("ollama", "llama3"),
]
SOURCE = """
    SELECT
        number AS n, 'default' AS project,
        ['{providers}'][number % {count} + 1] AS provider,
        ['{models}'][number % {count} + 1] AS request_model, '' AS response_model,
        ['', '', '', 'flex', 'batch'][number % 5 + 1] AS service_tier, '' AS region,
        toDateTime64('2026-09-01 00:00:00', 9, 'UTC') + number % 6000000 AS started_at,
        toNullable(toUInt64(500 + number * 7919 % 250000)) AS input_tokens,
        toNullable(toUInt64(if(number % 3 = 0, 400, 0))) AS cache_read_tokens,
        toNullable(toUInt64(if(number % 11 = 0, 100, 0))) AS cache_write_tokens,
        toNullable(toUInt64(if(number % 22 = 0, 50, 0))) AS cache_write_1h_tokens,
        toNullable(toUInt64(number % 900)) AS output_tokens,
        toNullable(toUInt64(number % 300)) AS reasoning_tokens,
        CAST(if(number % 10 = 0, map('web_searches', toUInt64(1), 'input_audio_tokens', toUInt64(50)), map()),
            'Map(LowCardinality(String), UInt64)') AS other_usage,
        '' AS state_hint
    FROM numbers({calls})
"""


def main() -> int:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"chdb://{folder}")
        migrate(store)
        writer = store.writer()
        book = PriceBook(store)
        started = time.process_time()
        book.ensure(writer)
        print(f"compile and store the list   {time.process_time() - started:6.2f} CPU-s")
        text = SOURCE.format(
            providers="','".join(provider for provider, _ in MODELS),
            models="','".join(model for _, model in MODELS),
            count=len(MODELS),
            calls=calls,
        )
        writer.run(f"CREATE TABLE source ENGINE = MergeTree ORDER BY n AS {text}")
        source = "SELECT * FROM source"
        started = time.process_time()
        book.prepare(writer, source)
        print(f"resolve the names            {time.process_time() - started:6.2f} CPU-s")
        columns = "cost_usd, list_cost_usd, uncached_cost_usd, cost_lines, cost_state, matched_model, match_kind"
        writer.run(f"CREATE TABLE sink ENGINE = Null AS SELECT {columns} FROM ({book.price_select(source)}) LIMIT 0")
        for run in range(3):
            started, began = time.process_time(), time.perf_counter()
            writer.run(f"INSERT INTO sink SELECT {columns} FROM ({book.price_select(source)})")
            cpu, wall = time.process_time() - started, time.perf_counter() - began
            print(f"price {calls:,} calls, run {run + 1}  {cpu:6.2f} CPU-s  {wall:6.2f} s")
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
