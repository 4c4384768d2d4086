"""A cluster of several shards: the same answers as embedded, each trace settled by its cell, a lost node loses nothing.

All on two shards that one process plays, shared by the module.
"""

from __future__ import annotations

import random
import time
import uuid
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.clickhouse_shards import TwoShards, two_shards
from tests.compared_answers import ask, differences, live
from tests.compared_world import World, make_world
from tests.deployments import Deployment, Said, Way, deployed
from tests.landing import collector
from tests.otlp_bodies import USAGE, body, span

from outlay.errors import StoreError
from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import Store, migrate, open_store
from outlay_collector.store.lease import Lease
from outlay_web.config import OFF, Config, Settings
from outlay_web.server.application import Application

ACROSS = """
SELECT count() AS n FROM repeats AS r FINAL
WHERE of_trace_id != '' AND cityHash64(trace_id) % 2 != cityHash64(of_trace_id) % 2
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoShards]:
    with two_shards(tmp_path_factory.mktemp("shards")) as made:
        yield made


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(datetime.now(UTC))


@pytest.fixture(scope="module")
def right(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    """What is answered embedded."""
    with deployed("embedded", tmp_path_factory.mktemp("embedded"), world.now) as one:
        return live(one, world) | ask(one, world)


@pytest.mark.long
@pytest.mark.parametrize("way", ["shards", "node"])
def test_every_answer_is_the_same_to_the_last_digit(
    way: Way, world: World, right: dict[str, Said], cluster: TwoShards, tmp_path: Path
) -> None:
    with deployed(way, tmp_path, world.now, cluster) as one:
        other = live(one, world) | ask(one, world)
        assert differences(right, other) == {}
        if way == "shards":
            _both_cells_have_work(one)
    assert len(right) > 60
    assert {question for question, said in right.items() if said.status >= 400} == {
        "with the revoked key",
        "/budgets/gone",
    }


def _both_cells_have_work(one: Deployment) -> None:
    for application in one.applications:
        here = application.context.store.local
        for table in ("spans", "calls", "spend_hourly", "cascade_parts", "response_ids"):
            assert here.query(f"SELECT count() > 0 AS there FROM {table}") == [{"there": 1}], table
        foreign = "cityHash64(trace_id) % 2 + 1 != {cell:UInt8}"
        for table in ("spans", "calls", "repeats", "lookups", "scores"):
            rows = here.query(f"SELECT count() AS n FROM {table} WHERE {foreign}", {"cell": here.cells.own})
            assert rows == [{"n": 0}], table
    assert one.first.context.store.query(ACROSS)[0]["n"] > 2


@pytest.fixture(scope="module")
def stores(cluster: TwoShards) -> Iterator[tuple[Store, Store]]:
    """A migrated database, as a node of each shard sees it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    opened = open_store(cluster.dsn(name, 1)), open_store(cluster.dsn(name, 2))
    migrate(opened[0])
    yield opened
    opened[0].writer().run(f"DROP DATABASE {name} SYNC")
    for store in opened:
        store.close()


@pytest.fixture
def settlers(stores: tuple[Store, Store]) -> Iterator[list[Settler]]:
    made = [Settler(store, PriceBook(store)) for store in stores]
    yield made
    for settler in made:
        settler.close()


def settled(settlers: list[Settler]) -> int:
    """Settle until nothing waits in any cell; how often a cell had something to do."""
    runs = 0
    while True:
        before = [settler._version for settler in settlers]
        for settler in settlers:
            while settler.run_once():
                pass
        did = sum(settler._version != version for settler, version in zip(settlers, before, strict=True))
        if not did:
            return runs
        runs += did


def trace_in(store: Store, cell: int, name: str) -> bytes:
    """A trace id that lies in a cell."""
    rows = store.query(
        "SELECT lower(hex(MD5({name:String} || toString(number)))) AS id FROM numbers(100) "
        "WHERE cityHash64(id) % 2 + 1 = {cell:UInt8} LIMIT 1",
        {"name": name, "cell": cell},
    )
    return bytes.fromhex(rows[0]["id"])


def request(rng: random.Random, trace: bytes, response: str, **fields: Any) -> Span:
    """A span of a response; those of different ones count differently, so that nothing else joins them."""
    said = {**USAGE, "gen_ai.response.id": response, "gen_ai.usage.input_tokens": zlib.crc32(response.encode()) % 10**6}
    return span(rng, said, trace_id=trace, **fields)


def test_a_trace_is_where_its_id_says_and_what_every_node_has_is_on_both(stores: tuple[Store, Store]) -> None:
    assert [store.cells.own for store in stores] == [1, 2]
    writer = stores[0].writer()
    for number in range(12):
        row = {"project": "p", "trace_id": f"t{number}", "span_id": "", "name": "n", "value": 1.0, "label": ""}
        writer.insert("scores", [row | {"at": datetime.now(UTC)}])
    here = [{row["trace_id"] for row in store.local.query("SELECT trace_id FROM scores")} for store in stores]
    assert all(here)
    assert here[0] | here[1] == {f"t{number}" for number in range(12)}
    assert not here[0] & here[1]
    writer.insert("silences", [{"project": "p", "fingerprint": "f"}])
    for store in (*stores, *(store.local for store in stores)):
        assert store.query("SELECT fingerprint FROM silences WHERE project = 'p'") == [{"fingerprint": "f"}]


def test_an_insert_that_reached_one_shard_only_is_made_again_and_nothing_is_there_twice(
    stores: tuple[Store, Store], tmp_path: Path
) -> None:
    rng, writer = random.Random(1), stores[0].writer()
    traces = [trace_in(stores[0], cell, f"lost {n}") for n in range(3) for cell in (1, 2)]
    with collector(stores[0], tmp_path) as one:
        before = one.ledger()["stored"]
        one.send(body([request(rng, trace, f"lost-{trace.hex()}") for trace in traces]))
        writer.run("TEST LOSE 2")
        with pytest.raises(StoreError, match="shard 2") as caught:
            one.load()
        assert caught.value.retryable
        ids = {"ids": [trace.hex() for trace in traces]}
        count = "SELECT count() AS n FROM spans WHERE trace_id IN {ids:Array(String)}"
        assert [store.local.query(count, ids)[0]["n"] for store in stores] == [3, 0]
        assert one.ledger()["pending"] == 6
        writer.run("TEST LOSE")
        one.load()
        assert [store.local.query(count, ids)[0]["n"] for store in stores] == [3, 3]
        hours = "SELECT sum(spans) AS n FROM trace_hours WHERE trace_id IN {ids:Array(String)}"
        assert stores[0].query(hours, ids) == [{"n": 6}]  # counted by a view: twice inserted would be twelve
        found = one.ledger()
    assert (found["stored"] - before, found["duplicate"], found["pending"]) == (6, 0, 0)
    writer.close()


def test_a_request_seen_from_traces_of_two_cells_is_one_call_whichever_settles_first(
    stores: tuple[Store, Store], settlers: list[Settler], tmp_path: Path
) -> None:
    rng = random.Random(2)
    first, second = (trace_in(stores[0], cell, "shared") for cell in (1, 2))
    at = time.time_ns() - 10**9
    times = {"start_time_unix_nano": at, "end_time_unix_nano": at + 10**8}
    settled(settlers)  # what other tests left
    with collector(stores[1], tmp_path) as one:
        one.send(body([request(rng, first, "shared", **times)], scope="langsmith"))
        one.load()
        assert settled(settlers) == 1
        assert calls_of(stores[0], first, second) == [first.hex()]
        one.send(body([request(rng, second, "shared", **times)], scope="outlay"))
        one.load()
        # The second cell finds the first, which then takes its call back; that tells nobody.
        assert settled(settlers) == 2
    assert calls_of(stores[0], first, second) == [second.hex()]
    repeats = stores[0].query(
        "SELECT reason FROM repeats FINAL WHERE trace_id IN {ids:Array(String)}", {"ids": [first.hex(), second.hex()]}
    )
    assert repeats == [{"reason": "same_response"}]


def calls_of(store: Store, *traces: bytes) -> list[str]:
    sql = "SELECT trace_id FROM calls FINAL WHERE trace_id IN {ids:Array(String)} ORDER BY trace_id"
    return [row["trace_id"] for row in store.query(sql, {"ids": [trace.hex() for trace in traces]})]


def test_each_cell_has_a_lease_of_its_own_and_a_second_process_of_a_cell_stands_by(
    cluster: TwoShards, stores: tuple[Store, Store], tmp_path: Path
) -> None:
    def jobs(node: int, name: str) -> Application:
        dsn = cluster.dsn(stores[0].dsn.database, node)
        settings = Settings(data=tmp_path / name, store_dsn=dsn, grpc_port=OFF, roles=("jobs",))
        return Application(Config(settings, {}), command="serve")

    applications = [jobs(1, "one"), jobs(2, "two"), jobs(2, "standby")]
    try:
        for application in applications[:2]:
            application.lease.wait()
        leases = [application.lease for application in applications]
        assert [isinstance(lease, Lease) and lease.take() for lease in leases] == [True, True, False]
        with pytest.raises(StoreError, match="lease of jobs of cell 2"):
            applications[2]._fenced.local.writer().insert("rolled_hours", [{"project": "p"}])
        applications[0]._fenced.local.writer().insert("rolled_hours", [{"project": "p"}])
    finally:
        for application in applications:
            application.close(60)


def test_a_database_for_another_number_of_shards_is_refused(stores: tuple[Store, Store]) -> None:
    writer = stores[0].local.writer()
    writer.run("TRUNCATE TABLE cluster_shards ON CLUSTER `two`")
    writer.insert("cluster_shards", [{"shards": 3}])
    with pytest.raises(StoreError, match=r"was made for 3 shards and cluster 'two' has 2"):
        migrate(stores[0])
    writer.run("TRUNCATE TABLE cluster_shards ON CLUSTER `two`")
    writer.insert("cluster_shards", [{"shards": 2}])
    assert migrate(stores[1]) == []
    writer.close()


def test_what_another_shard_lacks_is_refused_by_the_played_cluster(stores: tuple[Store, Store]) -> None:
    writer = stores[0].writer()
    writer.run("CREATE TEMPORARY TABLE some_ids (id String) ENGINE = Memory")
    writer.run("INSERT INTO some_ids VALUES ('t1')")
    wanted = "SELECT count() AS n FROM scores WHERE trace_id {} (SELECT id FROM some_ids)"
    with pytest.raises(StoreError, match="some_ids"):
        writer.query(wanted.format("IN"))
    assert len(writer.query(wanted.format("GLOBAL IN"))) == 1
    with pytest.raises(StoreError, match="sharding key"):
        writer.insert("dirty_hours", [{"project": "p"}])
    writer.close()
