"""`?cluster=NAME` of one shard with any number of replicas: every table on every node. Several: test_cells.py."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from tests.clickhouse_cluster import ClickHouseCluster
from tests.conftest import ENGINE_PATH

from outlay.errors import ConfigError, StoreError
from outlay_collector.store import migrate, open_store
from outlay_collector.store.migrate import MIGRATIONS, _files, expand
from outlay_collector.store.placement import Placement, placements


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClickHouseCluster]:
    with ClickHouseCluster(str(ENGINE_PATH)) as server:
        yield server


@pytest.fixture
def database(cluster: ClickHouseCluster) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    cleaner = open_store(cluster.dsn(name))
    cleaner.writer().run(f"DROP DATABASE {name} SYNC")
    cleaner.close()


def test_a_cluster_that_the_server_does_not_know_is_refused_with_those_it_knows(cluster: ClickHouseCluster) -> None:
    with pytest.raises(ConfigError, match=r"knows no cluster 'two', but: one"):
        open_store(cluster.dsn("outlay", "two").replace("default:", "default:secret"))


def test_every_table_is_replicated_under_its_own_name_on_every_node(cluster: ClickHouseCluster, database: str) -> None:
    store = open_store(cluster.dsn(database, "one"))
    cluster.statements.clear()
    migrate(store)
    tables = store.query("SELECT name, engine FROM system.tables WHERE database = currentDatabase()")
    changes = [sql for sql in cluster.statements if re.search(r"^(CREATE|ALTER)", sql, re.MULTILINE)]
    store.close()
    kept = [row for row in tables if row["engine"].endswith("MergeTree")]
    assert len(kept) > 30
    assert [row["name"] for row in kept if not row["engine"].startswith("Replicated")] == []
    assert [row["name"] for row in tables if row["engine"] == "Distributed" or row["name"].endswith("_local")] == []
    lasting = [sql for sql in changes if "TEMPORARY" not in sql]
    assert len(lasting) > len(kept)
    assert [sql[:90] for sql in lasting if "ON CLUSTER `one`" not in sql] == []


def test_a_table_that_was_made_without_the_cluster_stops_the_start(cluster: ClickHouseCluster, database: str) -> None:
    alone = open_store(cluster.dsn(database))
    alone.writer().run("CREATE TABLE calls_of_old (a UInt8) ENGINE = MergeTree ORDER BY a")
    alone.close()
    store = open_store(cluster.dsn(database, "one"))
    with pytest.raises(StoreError, match=rf"calls_of_old of database {database} was made without \?cluster="):
        migrate(store)
    store.close()


def test_what_is_written_on_a_cluster_waits_for_most_replicas(cluster: ClickHouseCluster, database: str) -> None:
    question = "SELECT value FROM system.settings WHERE name = 'insert_quorum'"
    for name, quorum in (("one", "auto"), ("", "0")):
        store = open_store(cluster.dsn(database, name))
        assert store.writer().query(question) == [{"value": quorum}]
        store.close()


def test_roles_that_start_at_once_migrate_once(cluster: ClickHouseCluster, database: str) -> None:
    stores = [open_store(cluster.dsn(database, "one")) for _ in range(3)]
    ran: list[list[str]] = []
    threads = [threading.Thread(target=lambda store=store: ran.append(migrate(store))) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert len(ran) == 3
    assert [bool(names) for names in sorted(ran, key=len)] == [False, False, True]


def test_a_question_that_nobody_waits_for_is_ended_on_whichever_node_it_runs(
    cluster: ClickHouseCluster, database: str
) -> None:
    for name, clause in (("one", " ON CLUSTER `one`"), ("", "")):
        store = open_store(cluster.dsn(database, name))
        cluster.statements.clear()
        done: Future[None] = Future()
        store._end(done, "some-name")
        until = time.monotonic() + 30
        while not (killed := [sql for sql in cluster.statements if sql.startswith("KILL")]):
            assert time.monotonic() < until
            time.sleep(0.01)
        done.set_result(None)
        store.close()
        assert killed[0].startswith(f"KILL QUERY{clause} WHERE position(query, reverse(")


def test_every_migration_says_how_its_rows_lie_on_a_cluster() -> None:
    placed = placements([MIGRATIONS, *(text for _, _, text in _files())])
    assert placed["calls"] == Placement("spread", "cityHash64(trace_id)")
    assert placed["response_ids"] == Placement("spread", "key")
    assert {name for name, one in placed.items() if one.kind == "entry"} == {"otlp_in", "span_rows"}
    for name in ("ingest_keys", "sessions", "prices", "budgets", "notifications", "leases", "schema_migrations"):
        assert placed[name] == Placement("everywhere"), name
    for name in ("dirty_hours", "rolled_hours", "spend_hourly", "settle_progress"):
        assert placed[name] == Placement("cell"), name


def test_a_table_that_does_not_say_so_is_refused_and_one_that_leaves_it_to_chance() -> None:
    text = "CREATE TABLE IF NOT EXISTS t\n(\n    a UInt8\n)\nENGINE = MergeTree\nORDER BY a;\n"
    with pytest.raises(ValueError, match="table t does not say how its rows lie on a cluster; write -- shard:"):
        placements([text])
    with pytest.raises(ValueError, match=r"table t is placed by rand\(\)"):
        placements([f"-- shard: rand()\n{text}"])
    assert placements([text, "-- shard of t: cell\n"]) == {"t": Placement("cell")}


def test_a_statement_for_a_cluster_says_what_it_says_for_one_node() -> None:
    text = (
        "-- what it holds\n-- shard: cityHash64(trace_id)\n"
        "CREATE TABLE IF NOT EXISTS t\n(\n    a String COMMENT 'x (y)'\n)\n"
        "ENGINE = ReplacingMergeTree(version, is_deleted)\nORDER BY a\n"
        "SETTINGS non_replicated_deduplication_window = 10, $durable;\n"
        "ALTER TABLE t\n    ADD COLUMN IF NOT EXISTS b String COMMENT 'y';\n"
    )
    made, changed = expand(text, "main", "outlay", placements([text]))
    assert "CREATE TABLE IF NOT EXISTS t ON CLUSTER `main`\n(\n" in made
    assert (
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/outlay/t', '{replica}', version, is_deleted)"
        in made
    )
    assert " replicated_deduplication_window = 10, fsync_after_insert = 1" in made
    everywhere = expand(
        text.replace("cityHash64(trace_id)", "everywhere"), "main", "outlay", {"t": Placement("everywhere")}
    )
    assert "('/clickhouse/tables/all/outlay/t', '{shard}-{replica}', version, is_deleted)" in everywhere[0]
    assert changed.startswith("ALTER TABLE t ON CLUSTER `main`\n    ADD COLUMN IF NOT EXISTS b")


def test_a_migration_that_a_cluster_would_run_on_one_node_only_is_refused() -> None:
    with pytest.raises(ValueError, match="may only make, alter, empty or drop"):
        expand("RENAME TABLE a TO b;", "main", "outlay", {})
