"""`?cluster=NAME`: one shard, any number of replicas; every table on every node; what else a cluster is, is refused."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator

import pytest
from tests.clickhouse_cluster import ClickHouseCluster
from tests.conftest import ENGINE_PATH

from outlay.errors import ConfigError, StoreError
from outlay_collector.store import migrate, open_store
from outlay_collector.store.migrate import expand


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


def test_a_cluster_of_several_shards_is_refused_by_name(cluster: ClickHouseCluster) -> None:
    dsn = cluster.dsn("outlay", "two").replace("default:", "default:secret")
    with pytest.raises(ConfigError, match=r"cluster 'two' has 2 shards; Outlay needs one shard") as caught:
        open_store(dsn)
    assert "secret" not in str(caught.value)


def test_a_cluster_that_the_server_does_not_know_is_refused_with_those_it_knows(cluster: ClickHouseCluster) -> None:
    with pytest.raises(ConfigError, match=r"knows no cluster 'tow', but: one, two"):
        open_store(cluster.dsn("outlay", "tow"))


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


def test_a_statement_for_a_cluster_says_what_it_says_for_one_node() -> None:
    text = (
        "-- what it holds\n-- shard: cityHash64(trace_id)\n"
        "CREATE TABLE IF NOT EXISTS t\n(\n    a String COMMENT 'x (y)'\n)\n"
        "ENGINE = ReplacingMergeTree(version, is_deleted)\nORDER BY a\n"
        "SETTINGS non_replicated_deduplication_window = 10, $durable;\n"
        "ALTER TABLE t\n    ADD COLUMN IF NOT EXISTS b String COMMENT 'y';\n"
    )
    made, changed = expand(text, "main", "outlay")
    assert "CREATE TABLE IF NOT EXISTS t ON CLUSTER `main`\n(\n" in made
    assert (
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/outlay/t', '{replica}', version, is_deleted)"
        in made
    )
    assert " replicated_deduplication_window = 10, fsync_after_insert = 1" in made
    assert changed.startswith("ALTER TABLE t ON CLUSTER `main`\n    ADD COLUMN IF NOT EXISTS b")


def test_a_migration_that_a_cluster_would_run_on_one_node_only_is_refused() -> None:
    with pytest.raises(ValueError, match="may only make, alter, empty or drop"):
        expand("RENAME TABLE a TO b;", "main", "outlay")
