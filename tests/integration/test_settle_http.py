"""Settle over ClickHouse's HTTP protocol: the same calls, temporary tables in a session that may end."""

from __future__ import annotations

import uuid

import pytest
from tests.clickhouse_http import ClickHouseHttp
from tests.conftest import ENGINE_PATH
from tests.settle_world import World, usage

from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler, pricing
from outlay_collector.store import migrate, open_store


def test_calls_are_settled_the_same_through_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "FEW_CALLS", 0)  # else a run as small as this asks for no table
    with ClickHouseHttp(str(ENGINE_PATH)) as server:
        store = open_store(server.dsn(f"test_{uuid.uuid4().hex[:12]}"))
        migrate(store)
        settler = Settler(store, PriceBook(store))
        world = World(store, settler, store.writer())
        world.span("agent", {**usage(300, 30), "gen_ai.operation.name": "invoke_agent", "outlay.feature": "f"})
        world.span("one", usage(100, 10, gen_ai__response__id="x"), parent="agent", at_ms=1, scope="langsmith")
        assert world.counts() == [("agent", 200, 20), ("one", 100, 10)]
        # The server forgets a session that was idle for long, and its temporary tables with it.
        settler._writer.run(f"DROP TEMPORARY TABLE {pricing.REQUESTS}")
        world.span("two", usage(200, 20), parent="agent", at_ms=2)
        assert world.counts() == [("one", 100, 10), ("two", 200, 20)]
        assert {row["feature"] for row in world.calls()} == {"f"}
        settler.close()
        store.close()
