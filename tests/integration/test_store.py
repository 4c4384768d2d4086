"""The store behaves the same on chDB in this process, over ClickHouse's HTTP protocol, and on clusters."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tests.clickhouse_cluster import ClickHouseCluster
from tests.clickhouse_shards import TwoShards, two_shards
from tests.conftest import ENGINE_PATH

from outlay.errors import ConfigError, StoreError
from outlay_collector.store import Store, load_sql, migrate, open_store
from outlay_collector.store.dsn import Dsn, on_cluster


@dataclass(frozen=True)
class Migrated:
    """A store, and what was applied to it when it was made."""

    store: Store
    applied: list[str]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoShards]:
    with two_shards(tmp_path_factory.mktemp("shards")) as made:
        yield made


@pytest.fixture(scope="module", params=["chdb", "http", "cluster", pytest.param("shards", marks=pytest.mark.long)])
def migrated(request: pytest.FixtureRequest) -> Iterator[Migrated]:
    """A store with every table: embedded, through the HTTP client, on a cluster of one shard, and on one of two."""
    database = f"test_{uuid.uuid4().hex[:12]}"
    with ExitStack() as stack:
        if request.param == "chdb":
            dsn = f"chdb://{ENGINE_PATH}?database={database}"
        elif request.param == "shards":
            dsn = request.getfixturevalue("shards").dsn(database)
        else:
            server = stack.enter_context(ClickHouseCluster(str(ENGINE_PATH)))
            dsn = server.dsn(database, "one" if request.param == "cluster" else "")
        opened = open_store(dsn)
        yield Migrated(opened, migrate(opened))
        opened.writer().run(f"DROP DATABASE {database} SYNC")
        opened.close()


@pytest.fixture
def both(migrated: Migrated) -> Store:
    return migrated.store


def test_migrations_make_every_table_once(migrated: Migrated, both: Store) -> None:
    assert migrated.applied[0] == "0001_spans"
    assert migrate(both) == []
    names = {row["name"] for row in both.query("SELECT name FROM system.tables WHERE database = currentDatabase()")}
    assert {"spans", "calls", "spend_hourly", "ledger", "dirty_traces"} <= names


def test_every_table_survives_a_power_cut_and_every_column_is_explained(both: Store) -> None:
    here = both.local
    tables = here.query(
        "SELECT name, create_table_query AS text FROM system.tables "
        "WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    )
    assert len(tables) > 15
    for table in tables:
        for setting in ("fsync_after_insert", "fsync_part_directory", "min_rows_to_fsync_after_merge"):
            assert f"{setting} = 1" in table["text"], f"{table['name']} lacks {setting}"
    bare = here.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = '' "
        "AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')"
    )
    assert bare == []


def test_a_table_that_would_lose_data_in_a_power_cut_stops_the_start(both: Store) -> None:
    both.local.writer().run("ALTER TABLE spans MODIFY SETTING fsync_after_insert = 0")
    with pytest.raises(StoreError, match=r"table spans .* MODIFY SETTING fsync_after_insert = 1"):
        migrate(both)
    both.local.writer().run("ALTER TABLE spans MODIFY SETTING fsync_after_insert = 1")
    assert migrate(both) == []


def test_values_come_back_as_they_went_in(both: Store) -> None:
    writer = both.writer()
    writer.run(
        "CREATE TABLE t (a String, money Nullable(Decimal(38, 12)), at DateTime64(9, 'UTC'), m Map(String, UInt64)) "
        "ENGINE = MergeTree ORDER BY a"
    )
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    rows: list[dict[str, object]] = [
        {"a": "quote ' back \\ tab\t", "money": Decimal("0.000000000001"), "at": at, "m": {"x": 2**63}},
        {"a": "ünïcode", "money": None, "at": at, "m": {}},
    ]
    writer.insert("t", rows)
    assert (
        both.query(
            "SELECT * FROM t WHERE a IN {names:Array(String)} ORDER BY a",
            {"names": ["quote ' back \\ tab\t", "ünïcode"]},
        )
        == rows
    )
    writer.run("DROP TABLE t SYNC")


def test_bulk_load_parses_a_format(both: Store) -> None:
    writer = both.writer()
    writer.run("CREATE TABLE t (a String, b UInt8) ENGINE = MergeTree ORDER BY a")
    writer.load("t", b'{"a": "x", "b": 1}\n{"a": "y", "b": 2}\n', fmt="JSONEachRow")
    assert both.query("SELECT sum(b) AS total FROM t") == [{"total": 3}]
    writer.run("DROP TABLE t SYNC")


def test_a_reader_cannot_write(both: Store) -> None:
    with pytest.raises(StoreError):
        both.query("CREATE TABLE t (a UInt8) ENGINE = Memory")


def test_a_writer_keeps_its_temporary_tables(both: Store) -> None:
    writer = both.writer()
    writer.run("CREATE TEMPORARY TABLE scratch (a UInt8)")
    writer.run("INSERT INTO scratch SELECT number FROM numbers(3)")
    assert writer.query("SELECT count() AS n FROM scratch") == [{"n": 3}]


def test_reading_an_arrow_table_is_one_statement_and_texts_are_bytes(both: Store) -> None:
    writer = both.writer()
    asked = "SELECT value FROM system.events WHERE event = 'Query'"
    before = int(writer.query(asked)[0]["value"])
    table = writer.arrow("SELECT 'caf\\xe9' AS text, toLowCardinality('few') AS name")
    if both.embedded:  # the statement, and asking for this figure; the server of these tests makes more of each
        assert int(writer.query(asked)[0]["value"]) - before == 2
    assert table.to_pylist() == [{"text": b"caf\xe9", "name": b"few"}]
    assert str(table.schema.field("name").type).startswith("dictionary<values=binary")


def test_errors_carry_clickhouses_code_and_no_stack_trace(both: Store) -> None:
    with pytest.raises(StoreError) as caught:
        both.query("SELECT * FROM no_such_table")
    assert caught.value.code == 60
    assert not caught.value.retryable
    assert "Stack trace" not in str(caught.value)


@contextmanager
def recorded(store: Store, number: int, name: str) -> Iterator[None]:
    """Say of a migration that it was applied with another text; afterwards all is as it was."""
    writer = store.local.writer()
    right = writer.query("SELECT * FROM schema_migrations FINAL")
    writer.insert("schema_migrations", [{"number": number, "name": name, "checksum": "other"}])
    yield
    writer.run(f"TRUNCATE TABLE schema_migrations{on_cluster(store.dsn.cluster)}")
    writer.insert("schema_migrations", right)
    writer.close()
    assert migrate(store) == []


def test_a_migration_changed_after_it_was_applied_is_refused(both: Store) -> None:
    with recorded(both, 1, "0001_spans"), pytest.raises(StoreError, match="0001_spans was changed"):
        migrate(both)


def test_a_store_newer_than_the_program_is_refused(both: Store) -> None:
    with recorded(both, 9999, "9999_future"), pytest.raises(StoreError, match="9999_future"):
        migrate(both)


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///x",
        "chdb://relative/path",
        "clickhouse:///db",
        "chdb:///x?colour=red",
        "chdb:///x?cluster=c",
        "chdb://",
    ],
)
def test_a_bad_dsn_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError):
        Dsn(text)


def test_a_dsn_never_shows_its_password() -> None:
    assert "secret" not in Dsn("clickhouse://u:secret@host/db").shown


def test_an_unreachable_server_is_a_retryable_error_that_names_it() -> None:
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1") as caught:
        open_store("clickhouse://default:pw@127.0.0.1:1/outlay")
    assert caught.value.retryable
    assert "pw@" not in str(caught.value)


def test_a_sql_file_refuses_a_missing_fragment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_sql"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "q.sql").write_text("SELECT $columns FROM t WHERE a = {a:String}")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_sql("some_sql", "q", columns="a, b") == "SELECT a, b FROM t WHERE a = {a:String}"
    with pytest.raises(KeyError):
        load_sql("some_sql", "q")
