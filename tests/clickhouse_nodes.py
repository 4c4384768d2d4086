"""What the nodes of the fake cluster share, and their connections to its engine."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

import chdb

from tests.clickhouse_statements import (
    quoted,
)
from tests.clickhouse_wire import Wire

SHARDS = (1, 2)
CONFIG = "<clickhouse><tcp_port>{port}</tcp_port><remote_servers><two>{shards}</two></remote_servers></clickhouse>"
SHARD = "<shard><replica><host>127.0.0.1</host><port>{port}</port><compression>0</compression></replica></shard>"


@dataclass(frozen=True)
class Spread:
    """A Distributed table: the local database, and what its rows are sharded by, empty where by nothing."""

    local: str
    key: str


@dataclass
class Cluster:
    """What the nodes share."""

    folder: Path
    address: str = ""
    wire: Wire = field(default_factory=Wire)
    lock: threading.RLock = field(default_factory=threading.RLock)
    everywhere: set[tuple[str, str]] = field(default_factory=set)
    spread: dict[tuple[str, str], Spread] = field(default_factory=dict)
    passed: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Tables whose rows a view passes on: to where these are put aside, and the Distributed table they are for."""
    merged: dict[str, set[str]] = field(default_factory=dict)
    """Tables of a database that each shard has its own of."""
    lost: set[int] = field(default_factory=set)
    judged: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = self.folder / "two_shards.xml"
        shards = SHARD.format(port=self.wire.port) * len(SHARDS)
        config.write_text(CONFIG.format(port=self.wire.port, shards=shards))
        self.address = f"{self.folder / 'data'}?config-file={config}"


class Connection:
    """A connection of the engine, which keeps database and settings of a request until another wants others."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.temporary: set[str] = set()
        self._raw = chdb.connect(cluster.address)
        self._database = ""
        self._filtered = 0
        self._standard: dict[str, str] = {}
        self._now: dict[str, str] = {}

    def run(self, sql: str, params: dict[str, str] | None = None, fmt: str = "TabSeparated") -> bytes:
        return bytes(self._raw.query(sql, fmt, params=params or {}).bytes())

    def column(self, sql: str) -> list[str]:
        return [str(row[0]) for row in json.loads(self.run(sql, fmt="JSONCompact"))["data"]]

    def prepare(self, database: str, settings: dict[str, str]) -> None:
        """Be as a request wants it: in its database, with its settings and no others."""
        if database and database != self._database:
            self.run(f"USE `{database}`")
            self._database = database
        for name in settings.keys() - self._standard.keys():
            self._standard |= {name: self.column(f"SELECT value FROM system.settings WHERE name = {quoted(name)}")[0]}
        wanted = {name: settings.get(name, standard) for name, standard in self._standard.items()}
        changed = {name: value for name, value in wanted.items() if self._now.get(name, self._standard[name]) != value}
        size = sum(len(tables) for tables in self.cluster.merged.values())
        if self._filtered != size:
            self._filtered = size
            changed["additional_table_filters"] = self._filters()
        if changed:
            self.run("SET " + ", ".join(f"{name} = {quoted(value)}" for name, value in changed.items()))
        self._now = wanted

    def close(self) -> None:
        self._raw.close()

    def _filters(self) -> str:
        """Each shard is shown its half of what the Merge tables have."""
        half = "_database = concat('{0}_', toString(shardNum()))"
        pairs = [
            f"{quoted(f'{database}_both.{table}')}: {quoted(half.format(database))}"
            for database, tables in self.cluster.merged.items()
            for table in sorted(tables)
        ]
        return "{" + ", ".join(pairs) + "}"
