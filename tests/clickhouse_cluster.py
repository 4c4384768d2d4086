"""A ClickHouse cluster on top of chDB, for tests only: `ClickHouseHttp` that takes what is said to a cluster.

Named `one` is a cluster of one shard with three replicas (`clickhouse_shards` has one of two shards). All nodes are one
engine, so every node has every row at once. What only a cluster can do is taken off a statement before the engine sees
it: ON CLUSTER, Replicated engines, SYSTEM SYNC REPLICA. What was so made says that it is replicated, as on a cluster.
Not played: Keeper, replicas that lag, nodes that are down.

`python -m tests.clickhouse_cluster DIR` serves one, for OUTLAY_TEST_DSN, until it is interrupted.
"""

from __future__ import annotations

import re
import sys
import threading

from tests.clickhouse_http import ClickHouseHttp

ON_CLUSTER = re.compile(r"(?P<before>\w+`?) ON CLUSTER `(?P<cluster>[^`]+)`")
ENGINE = re.compile(r"ENGINE = Replicated(\w*MergeTree)\('(?P<path>[^']+)', '[^']+'(?:, )?")
CLUSTERS = (
    "(SELECT * FROM values('cluster String, shard_num UInt32, replica_num UInt32, is_local UInt8', "
    "('one', 1, 1, 1), ('one', 1, 2, 0), ('one', 1, 3, 0)))"
)
TABLES = (
    "(SELECT * REPLACE (if(name IN ({replicated}) AND endsWith(engine, 'MergeTree'), "
    "concat('Replicated', engine), engine) AS engine) FROM system.tables)"
)
UNKNOWN = "Code: 701. DB::Exception: Requested cluster '{name}' not found. (CLUSTER_DOESNT_EXIST)"
NOT_REPLICATED = "Code: 36. DB::Exception: Table {name} is not replicated. (BAD_ARGUMENTS)"


class ClickHouseCluster(ClickHouseHttp):
    """`with ClickHouseCluster(path) as server:` then connect to `server.dsn("database", "one")`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.statements: list[str] = []
        self.replicated: set[str] = set()

    def understood(self, sql: str) -> str:
        self.statements.append(sql)
        synced = re.match(r"SYSTEM SYNC REPLICA `(\w+)`", sql)
        if synced:
            if synced[1] not in self.replicated:
                raise RuntimeError(NOT_REPLICATED.format(name=synced[1]))
            return "SELECT 1 FORMAT Null"
        made = ON_CLUSTER.search(sql)
        if made:
            if made["cluster"] != "one":
                raise RuntimeError(UNKNOWN.format(name=made["cluster"]))
            if "ENGINE = Replicated" in sql:
                self.replicated.add(made["before"])
            sql = sql[: made.start()] + made["before"] + sql[made.end() :]
            sql = ENGINE.sub(r"ENGINE = \1(", sql)
            sql = sql.replace(" replicated_deduplication_window", " non_replicated_deduplication_window")
        names = ", ".join(f"'{name}'" for name in sorted(self.replicated)) or "''"
        return sql.replace("system.clusters", CLUSTERS).replace("system.tables", TABLES.replace("{replicated}", names))


def main() -> None:
    with ClickHouseCluster(sys.argv[1]) as server:
        print(f"OUTLAY_TEST_DSN={server.dsn('', 'one')}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
