"""A ClickHouse cluster `two` of two shards on chDB, for tests only: ClickHouse's HTTP protocol, a port per shard.

`python -m tests.clickhouse_shards DIR` serves both until it is interrupted: an engine with a cluster in its
configuration needs a process of its own. `two_shards(path)` starts one and stops it.

Rows        A database `d` is `d_1` and `d_2`, each with tables of its own: what another shard has is not found by
            chance. What every node has lies in `d_1`, and is in `d_2` an Alias of it. A Distributed table over `d`
            reads the Merge table of both, of which each shard is shown its own half: planning, sending and merging
            is ClickHouse's own code for Distributed tables.
Inserts     What is inserted into a Distributed table, or passed on to one by a view, is put aside, split by the
            sharding key and inserted into each shard with the insert's own deduplication token. `TEST LOSE 2` lets
            shard 2 take nothing until `TEST LOSE`: an insert then reaches shard 1 and fails, as when a node dies.
Strictness  A temporary table is not on the other shards. A statement that names one, and reads a Distributed table,
            is run once against a `Wire`, which is sent the very texts that another machine would get; if one names
            the temporary table, the answer is UNKNOWN_TABLE. What comes after an empty answer may not be sent, and
            so is not seen.

Not played: Keeper, replicas that lag, a shard that is gone for readers, inserts that come later (those that do not ask
for the foreground are refused).
"""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clickhouse_http import INSERT, RESERVED, ClickHouseHttp
from tests.clickhouse_nodes import SHARDS, Cluster, Connection, Spread
from tests.clickhouse_statements import (
    DATABASE,
    DDL,
    DISTRIBUTED,
    INTO,
    ON_CLUSTER,
    READ_ONLY,
    REPLICATED,
    TEMPORARY,
    TOKEN,
    VIEW,
    bare,
    quoted,
    selected,
)

ROOT = Path(__file__).parents[1]
CLUSTERS = (
    "(SELECT * FROM values('cluster String, shard_num UInt32, replica_num UInt32, is_local UInt8', "
    "('two', 1, 1, {first}), ('two', 2, 1, {second})))"
)
# On a node its database has the name that it has everywhere, and its tables are what they were made as.
TABLES = (
    "(SELECT * REPLACE (if(endsWith(engine, 'MergeTree'), concat('Replicated', engine), engine) AS engine, "
    "if(database = {here}, {shown}, database) AS database) FROM system.tables)"
)
COLUMNS = "(SELECT * REPLACE (if(database = {here}, {shown}, database) AS database) FROM system.columns)"
ORDINARY = (
    "SELECT name FROM system.columns WHERE database = '{database}' AND table = '{table}' "
    "AND default_kind NOT IN ('ALIAS', 'MATERIALIZED', 'EPHEMERAL') ORDER BY position"
)


def refusal(code: int, name: str, message: str) -> RuntimeError:
    return RuntimeError(f"Code: {code}. DB::Exception: {message}. ({name})")


class ClickHouseShard(ClickHouseHttp):
    """One node of the cluster: connect to `server.dsn("database", "two")`."""

    def __init__(self, cluster: Cluster, node: int) -> None:
        super().__init__(cluster.address)
        self.cluster = cluster
        self.node = node
        self._sessions: dict[str, tuple[Connection, threading.Lock]] = {}
        self._pool: queue.LifoQueue[Connection] = queue.LifoQueue()

    def run(self, sql: str, data: bytes | None, options: dict[str, str]) -> bytes:
        name = options.get("session_id", "")
        if name:
            with self.cluster.lock:
                if name not in self._sessions:
                    self._sessions[name] = (Connection(self.cluster), threading.Lock())
            connection, lock = self._sessions[name]
            with lock:
                return self._answer(connection, sql, data, options)
        try:
            connection = self._pool.get_nowait()
        except queue.Empty:
            connection = Connection(self.cluster)
        try:
            return self._answer(connection, sql, data, options)
        finally:
            self._pool.put(connection)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for connection, _lock in self._sessions.values():
            connection.close()

    def _answer(self, connection: Connection, sql: str, data: bytes | None, options: dict[str, str]) -> bytes:
        asked = {name: value for name, value in options.items() if name not in RESERVED and name[:6] != "param_"}
        params = {name[6:]: value for name, value in options.items() if name.startswith("param_")}
        fmt = options.get("default_format", "TabSeparated")
        database = options.get("database") or "default"
        asked.pop("prefer_localhost_replica", None)
        if asked.pop("readonly", "0") != "0" and not READ_ONLY.match(sql):
            raise refusal(164, "READONLY", "Cannot execute query in readonly mode")
        if sql.startswith("TEST LOSE"):
            self.cluster.lost = {int(number) for number in sql.split()[2:]}
            return b""
        if sql.startswith("SYSTEM SYNC REPLICA"):
            return b""
        for made in ON_CLUSTER.finditer(sql):
            if made["name"] != "two":
                raise refusal(701, "CLUSTER_DOESNT_EXIST", f"Requested cluster '{made['name']}' not found")
        on_cluster, sql = bool(ON_CLUSTER.search(sql)), ON_CLUSTER.sub("", sql)
        connection.prepare(self._here(database), asked)
        if on_cluster and not sql.startswith("KILL"):
            with self.cluster.lock:
                self._define(connection, sql, database)
            return b""
        clusters = CLUSTERS.format(first=int(self.node == 1), second=int(self.node == 2))
        sql = sql.replace("system.clusters", clusters)
        names = {"here": quoted(self._here(database)), "shown": quoted(database)}
        if "system." in sql:
            sql = sql.replace("currentDatabase()", names["shown"])
            sql = sql.replace("system.tables", TABLES.format(**names))
            sql = sql.replace("system.columns", COLUMNS.format(**names))
        if made_temporary := TEMPORARY.match(sql):
            connection.temporary.add(made_temporary["name"])
        self._refuse_what_shards_lack(connection, sql, params, database)
        dropped = DATABASE.match(sql)
        if dropped and dropped["verb"] == "DROP":
            return self._drop(connection, bare(dropped["name"]))
        if (into := INTO.match(sql)) is None:
            return connection.run(sql, params, fmt)
        target = (bare(into["database"] or database), bare(into["table"]))
        if target not in self.cluster.spread and target not in self.cluster.passed:
            return self._insert(connection, sql, data, params)
        if asked.get("distributed_foreground_insert") != "1":
            raise refusal(1, "TEST", f"an insert into {target[1]} would be answered before the shards have it")
        with self.cluster.lock:
            return self._insert_spread(connection, sql, data, params, into, target)

    def _here(self, database: str) -> str:
        return f"{database}_{self.node}" if database in self.cluster.merged else database

    # -- what every node is told

    def _define(self, connection: Connection, sql: str, database: str) -> None:
        if made := DATABASE.match(sql):
            name = bare(made["name"])
            if made["verb"] == "DROP":
                self._drop(connection, name)
            elif name.endswith("_all"):
                connection.run(f"CREATE DATABASE IF NOT EXISTS `{name}`")
            else:
                self.cluster.merged.setdefault(name, set())
                for each in ("1", "2", "both"):
                    connection.run(f"CREATE DATABASE IF NOT EXISTS `{name}_{each}`")
            return
        found = DDL.search(sql)
        if found is None:
            raise refusal(62, "SYNTAX_ERROR", f"not understood by this server: {sql[:200]}")
        place = (bare(found["database"] or database), bare(found["table"]))
        sql = sql.replace(" replicated_deduplication_window", " non_replicated_deduplication_window")
        if place[0] in self.cluster.merged:
            self._define_local(connection, sql, found, *place)
        else:
            self._define_across(connection, sql, found, *place)

    def _define_local(self, connection: Connection, sql: str, found: re.Match[str], database: str, table: str) -> None:
        engine = REPLICATED.search(sql)
        plain = REPLICATED.sub(lambda m: f"ENGINE = {m['engine']}(", sql)
        if engine and engine["where"] == "all":
            self.cluster.everywhere.add((database, table))
            connection.run(
                f"CREATE TABLE IF NOT EXISTS `{database}_2`.`{table}` ENGINE = Alias('{database}_1', '{table}')"
            )
        once = (database, table) in self.cluster.everywhere
        for shard in SHARDS[:1] if once else SHARDS:
            connection.run(f"USE `{database}_{shard}`")
            connection.run(plain)
        connection.run(f"USE `{self._here(database)}`")
        if engine and not once:
            self.cluster.merged[database].add(table)
        if table in self.cluster.merged[database] and "VIEW" not in found["verb"]:
            merge = f"ENGINE = Merge(REGEXP('^{database}_[12]$'), '^{table}$')"
            connection.run(f"CREATE OR REPLACE TABLE `{database}_both`.`{table}` AS `{database}_1`.`{table}` {merge}")

    def _define_across(self, connection: Connection, sql: str, found: re.Match[str], database: str, table: str) -> None:
        local = database.removesuffix("_all")
        if view := VIEW.match(sql):
            to = (bare(view["database"] or database), bare(view["table"]))
            aside = (database, f"aside_{table}")
            source = re.search(rf"FROM `{database}`\.`(\w+)`", view["body"])
            assert source is not None
            connection.run(
                f"CREATE OR REPLACE TABLE `{database}`.`{aside[1]}` AS `{local}_1`.`{to[1]}` ENGINE = Memory"
            )
            connection.run(f"{view['head']} TO `{database}`.`{aside[1]}` AS{view['body']}")
            self.cluster.passed[database, source[1]] = (aside[1], to[1])
            return
        if made := DISTRIBUTED.search(sql):
            self.cluster.spread[database, table] = Spread(made["database"], made["key"] or "")
        sql = sql.replace(f"'{local}', ", f"'{local}_both', " if made else f"'{local}_1', ")
        connection.run(sql.replace(f" AS `{local}`.", f" AS `{local}_1`."))

    def _drop(self, connection: Connection, name: str) -> bytes:
        local = name.removesuffix("_all")
        for each in ("_all", "_both", "_1", "_2") if local in self.cluster.merged else ("",):
            connection.run(f"DROP DATABASE IF EXISTS `{local}{each}` SYNC")
        self.cluster.merged.pop(local, None)
        return b""

    # -- inserts

    def _insert(self, connection: Connection, sql: str, data: bytes | None, params: dict[str, str]) -> bytes:
        insert = INSERT.match(sql)
        if insert is None or data is None:
            return connection.run(sql, params)
        with tempfile.NamedTemporaryFile(suffix=".data") as file:
            file.write(data)
            file.flush()
            head = sql[: insert.start(1)].rstrip()[: -len("FORMAT")]
            return connection.run(f"{head} FROM INFILE '{file.name}' FORMAT {insert[1]}", params)

    def _insert_spread(
        self, connection: Connection, sql: str, data: bytes | None, params: dict[str, str], into: re.Match[str],
        target: tuple[str, str],
    ) -> bytes:  # fmt: skip
        database, table = target
        if target in self.cluster.passed:
            aside, table = self.cluster.passed[target]
            connection.run(f"TRUNCATE TABLE `{database}`.`{aside}`")
            self._insert(connection, sql, data, params)
            self._hand_out(connection, database, aside, table)
            connection.run(f"TRUNCATE TABLE `{database}`.`{aside}`")
            return b""
        if not self.cluster.spread[target].key:
            raise refusal(55, "STORAGE_REQUIRES_PARAMETER", "Method write needs a sharding key")
        aside = f"aside_{uuid.uuid4().hex}"
        local = self.cluster.spread[target].local
        connection.run(f"CREATE TABLE `{database}`.`{aside}` AS `{local}_1`.`{table}` ENGINE = Memory")
        try:
            self._insert(connection, f"INSERT INTO `{database}`.`{aside}`{sql[into.end() :]}", data, params)
            self._hand_out(connection, database, aside, table)
        finally:
            connection.run(f"DROP TABLE `{database}`.`{aside}` SYNC")
        return b""

    def _hand_out(self, connection: Connection, database: str, aside: str, table: str) -> None:
        """Insert what was put aside into each shard that some of it belongs to."""
        spread = self.cluster.spread[database, table]
        columns = connection.column(ORDINARY.format(database=f"{spread.local}_1", table=table))
        names = ", ".join(f"`{name}`" for name in columns)
        for shard in SHARDS:
            own = f"FROM `{database}`.`{aside}` WHERE ({spread.key}) % {len(SHARDS)} = {shard - 1}"
            if connection.column(f"SELECT toString(count()) {own}") == ["0"]:
                continue
            if shard in self.cluster.lost:
                raise refusal(279, "ALL_CONNECTION_TRIES_FAILED", f"All connection tries failed: shard {shard}")
            rows = connection.run(f"SELECT {names} {own}", fmt="Native")
            into = f"INSERT INTO `{spread.local}_{shard}`.`{table}` ({names}) FORMAT Native"
            self._insert(connection, into, rows, {})

    # -- what is sent to the other shards

    def _refuse_what_shards_lack(self, connection: Connection, sql: str, params: dict[str, str], database: str) -> None:
        words = {m.group().strip("`") for m in TOKEN.finditer(sql) if not m["skip"] and m.group()[0] != "'"}
        lacking = connection.temporary & words
        if not lacking or not any(place[0] == database and place[1] in words for place in self.cluster.spread):
            return
        key = (database, sql)
        if key not in self.cluster.judged:
            self.cluster.judged[key] = self._missed(connection, sql, params, lacking)
        if missed := self.cluster.judged[key]:
            told = f"Received from shard 2. Unknown table expression identifier: {missed}"
            raise refusal(60, "UNKNOWN_TABLE", told)

    def _missed(self, connection: Connection, sql: str, params: dict[str, str], lacking: set[str]) -> str:
        """What a shard would be sent with a temporary table in it; empty where nothing is."""
        select = selected(sql)
        with self.cluster.wire.listening() as sent:
            connection.run("SET prefer_localhost_replica = 0")
            try:
                connection.run(select, params, "Null")
            except RuntimeError:
                return ""  # it fails anyway, and says why
            finally:
                connection.run("SET prefer_localhost_replica = 1")
            return next((text[:300] for text in sent if any(re.search(rf"\b{name}\b", text) for name in lacking)), "")


@dataclass(frozen=True)
class TwoShards:
    """A cluster that runs: a port of a node of each shard."""

    ports: tuple[int, ...]

    def dsn(self, database: str, node: int = 1) -> str:
        return f"clickhouse://default:@127.0.0.1:{self.ports[node - 1]}/{database}?cluster=two"


@contextmanager
def two_shards(path: Path) -> Iterator[TwoShards]:
    """The cluster, in a process of its own."""
    command = [sys.executable, "-m", "tests.clickhouse_shards", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield TwoShards(tuple(int(port) for port in process.stdout.readline().split()))
        finally:
            process.kill()


def main() -> None:
    cluster = Cluster(Path(sys.argv[1]))
    with ClickHouseShard(cluster, 1) as first, ClickHouseShard(cluster, 2) as second:
        print(first.port, second.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
