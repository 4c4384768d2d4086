"""The filter of noted keys never misses one, whoever noted it, and spares a look for what is new."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.landing import Collector
from tests.otlp_bodies import body, span

from outlay_collector.handover import Handover
from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler, noted
from outlay_collector.settle.noted import Noted
from outlay_collector.store import Params, Store
from outlay_collector.store.client import Writer

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 900,
    "gen_ai.usage.output_tokens": 90,
}
LIBRARY = "opentelemetry.instrumentation.openai"
HOUR = 1_790_000_000 // 3600 * 3600
KEYS = np.array([11, 12, 2**63 + 5], np.uint64)


def put(writer: Writer, hour: int, *keys: int) -> None:
    row = {"hour": hour, "project": "p", "trace_id": "t", "span_id": "s", "version": 1, "is_deleted": 0}
    writer.insert("response_ids", [{**row, "key": key, "started_at": hour, "ended_at": hour} for key in keys])


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    made = store.writer()
    yield made
    made.close()


def test_keys_are_found_that_are_stored_or_were_added(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    put(writer, HOUR, 11, 2**63 + 5)
    held = Noted(writer)
    hours = np.array([HOUR, HOUR + 3600], np.int64)
    assert [held.may_have(hours, KEYS[n : n + 1]) for n in range(3)] == [True, False, True]
    held.add(hours[1:], KEYS[1:2])
    assert held.may_have(hours, KEYS[1:2])
    assert not held.may_have(hours[:1], KEYS[1:2])
    monkeypatch.setattr(noted, "MOST_KEYS", 1)
    assert Noted(writer).may_have(hours[:1], KEYS[1:2]), "of so many keys the store is asked"


def test_what_another_settler_of_this_process_noted_is_found_too(writer: Writer) -> None:
    first, second = Noted(writer), Noted(writer)
    hours = np.array([HOUR], np.int64)
    assert not first.may_have(hours, KEYS)
    second.add(hours, KEYS[:1])
    put(writer, HOUR, 11)
    assert first.may_have(hours, KEYS[:1])
    assert not first.may_have(hours, KEYS[1:])


def test_new_responses_are_not_looked_for_and_one_that_comes_again_is_counted_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    arrow = Writer.arrow

    def counted(self: Writer, sql: str, params: Params | None = None) -> pa.Table:
        asked.append(sql)
        return arrow(self, sql, params)

    monkeypatch.setattr(Writer, "arrow", counted)
    handover, rng = Handover(), random.Random(5)
    collector = Collector(store, tmp_path / "spool", handover=handover)
    settler = Settler(store, PriceBook(store), handover=handover)
    looked_for = []
    start = time.time_ns() - 10**10
    when = {"start_time_unix_nano": start, "end_time_unix_nano": start + 10**9}
    for scope, response, tokens in ((LIBRARY, "r-1", 900), (LIBRARY, "r-2", 901), ("outlay", "r-1", 900)):
        counts = {"gen_ai.usage.input_tokens": tokens, "gen_ai.response.id": response}
        collector.send(body([span(rng, attributes={**CALL, **counts}, **when)], scope=scope))
        collector.load()
        del asked[:]
        while settler.run_once():
            pass
        looked_for.append(any("FROM response_ids FINAL" in sql for sql in asked))
    assert looked_for == [False, False, True]
    assert store.query("SELECT count() AS n FROM calls FINAL") == [{"n": 2}]
    settler.close()
    collector.close()
