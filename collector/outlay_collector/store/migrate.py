"""Apply `migrations/NNNN_name.sql` once, in order, on a single node or a cluster from the same files.

The files are plain ClickHouse SQL with one addition: `$durable` stands for the settings that make an insert survive a
power cut. On a cluster every statement is made ON CLUSTER, and a table of the MergeTree family is its Replicated
namesake. On one of several shards a second database has, under the same names, what all shards hold together: see
`placement`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files

from outlay.errors import StoreError
from outlay_collector.store.client import Store, Writer
from outlay_collector.store.dsn import on_cluster, quote
from outlay_collector.store.lease import lease_on
from outlay_collector.store.placement import VIEW, Placement, placements
from outlay_collector.store.query import Row

DURABLE = (
    "fsync_after_insert = 1, fsync_part_directory = 1, "
    "min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1"
)
DDL = re.compile(
    r"^(?:(?:CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) IF NOT|DROP (?:TABLE|VIEW) IF) EXISTS|(?:ALTER|TRUNCATE) TABLE) "
    r"(?P<name>\w+)",
    re.MULTILINE,
)
ENGINE = re.compile(r"ENGINE = (\w*MergeTree)(?:\(([^)\n]*)\))?")
MIGRATIONS = """
-- shard: everywhere
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt32 COMMENT 'From the file name',
    name String COMMENT 'File name without .sql',
    checksum String COMMENT 'SHA-256 of the file as applied',
    applied_at DateTime('UTC') DEFAULT now() COMMENT 'When it finished'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY number
SETTINGS $durable;

-- Who may do what only one process may; see lease.py. A number of a name is given once, by the deduplication token.
-- shard: everywhere
CREATE TABLE IF NOT EXISTS leases
(
    name LowCardinality(String) COMMENT 'What it is for: jobs, migrations',
    number UInt64 COMMENT 'Goes up with each claim; the highest holds',
    holder String COMMENT 'The process that claimed it; empty = given back',
    claimed_at DateTime('UTC') DEFAULT now() COMMENT 'For people: leases compare no clocks'
)
ENGINE = ReplacingMergeTree(number)
ORDER BY name
SETTINGS non_replicated_deduplication_window = 10000, $durable;
"""


def migrate(store: Store) -> list[str]:
    """Bring the store's tables up to this version; return the names of the migrations that ran.

    Raises:
        StoreError: If the store is newer than this program, an applied migration was changed since, or a table has lost
            the settings that make an insert survive a power cut.
    """
    writer = store.local.writer()
    known = {number: (name, text) for number, name, text in _files()}
    placed = placements([MIGRATIONS, *(text for _, text in known.values())])
    try:
        for statement in expand(MIGRATIONS, store.dsn.cluster, writer.database, placed):
            writer.run(statement)
        if store.dsn.cluster:
            _refuse_alone(writer)
        store.sync(writer, "schema_migrations")
        ran = []
        if _missing(writer, known) or _not_spread(store, writer, placed):
            with _alone(store):  # several roles start at once; whoever comes second finds it done
                store.sync(writer, "schema_migrations")
                ran = [_apply(writer, number, *known[number], placed) for number in _missing(writer, known)]
                if store.dsn.cluster:
                    _note_shards(store, writer)
                if _not_spread(store, writer, placed):
                    _spread(store, writer, placed, [text for _, text in known.values()])
        if store.dsn.cluster:
            _refuse_other_shards(store, writer)
        _refuse_fragile(writer, MIGRATIONS + "".join(text for _, text in known.values()))
        return ran
    finally:
        writer.close()


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    lease = lease_on(store, "migrations")
    try:
        lease.wait()
        yield
    finally:
        lease.release()


def _missing(writer: Writer, known: Mapping[int, tuple[str, str]]) -> list[int]:
    """Numbers of the migrations that have yet to run."""
    applied = {row["number"]: row for row in writer.query("SELECT number, name, checksum FROM schema_migrations FINAL")}
    newer = sorted(set(applied) - set(known))
    if newer:
        raise StoreError(
            f"the store has migration {newer[-1]:04d} ({applied[newer[-1]]['name']}), which this version of Outlay "
            "does not know; start the newer version, or restore a backup from before the upgrade"
        )
    return [number for number in sorted(known) if _pending(applied, number, known)]


def expand(text: str, cluster: str, database: str, placed: Mapping[str, Placement]) -> list[str]:
    """The statements of one migration file, for a single node (`cluster=""`) or a cluster."""
    statements = [part.strip() for part in re.split(r";\s*(?:\n|$)", text)]
    plain = [statement.replace("$durable", DURABLE) for statement in statements if _code(statement)]
    if not cluster:
        return plain
    return [_clustered(statement, cluster, database, placed) for statement in plain]


def _clustered(statement: str, cluster: str, database: str, placed: Mapping[str, Placement]) -> str:
    """The same statement for every node of a cluster."""
    table = DDL.search(statement)
    if table is None:
        raise ValueError(f"a migration may only make, alter, empty or drop tables and views, not {statement!r}")
    name = table["name"]
    statement = statement[: table.start()] + table[0] + on_cluster(cluster) + statement[table.end() :]
    shard, replica = "{shard}", "{replica}"
    if name in placed and placed[name].kind == "everywhere":
        shard, replica = "all", "{shard}-{replica}"
    path = f"'/clickhouse/tables/{shard}/{database}/{name}', '{replica}'"
    statement = ENGINE.sub(lambda m: _replicated(m[1], m[2] or "", path), statement)
    return statement.replace("non_replicated_deduplication_window", "replicated_deduplication_window")


def _not_spread(store: Store, writer: Writer, placed: Mapping[str, Placement]) -> bool:
    """Whether the database that stands for all shards lacks a table or a column."""
    if store is store.local:
        return False
    rows = writer.query(
        "SELECT database, table, groupArray(name) AS columns FROM system.columns "
        "WHERE database IN ({here:String}, {across:String}) GROUP BY database, table",
        {"here": writer.database, "across": store.database},
    )
    found = {(row["database"], row["table"]): set(row["columns"]) for row in rows}
    return any(found.get((writer.database, table)) != found.get((store.database, table)) for table in placed)


def _spread(store: Store, writer: Writer, placed: Mapping[str, Placement], texts: Iterable[str]) -> None:
    """Make anew, in the database that stands for all shards, the tables that reach them; none of these holds rows.

    Inserts fail meanwhile, and are tried again.
    """
    cluster, here, across = store.dsn.cluster, quote(writer.database), quote(store.database)
    everywhere = on_cluster(cluster)
    for table, placement in placed.items():
        name, local = f"{across}.{quote(table)}", f"{here}.{quote(table)}"
        made = f"CREATE OR REPLACE TABLE {name}{everywhere}"
        to = f"{_literal(cluster)}, {_literal(writer.database)}, {_literal(table)}"
        if placement.kind == "everywhere":
            writer.run(f"{made} ENGINE = Alias({_literal(writer.database)}, {_literal(table)})")
        elif placement.kind == "entry":
            writer.run(f"{made} AS {local} ENGINE = Null")
        else:
            key = f", {placement.by}" if placement.by else ""  # without one nothing can be inserted from elsewhere
            writer.run(f"{made} AS {local} ENGINE = Distributed({to}{key})")
    for statement in (part.strip() for text in texts for part in re.split(r";\s*(?:\n|$)", text)):
        view = VIEW.search(statement)
        reads = view and re.findall(r"\bFROM (\w+)", statement)
        if view and any(table in placed and placed[table].kind == "entry" for table in reads or ()):
            name = f"{across}.{quote(view['view'])}"
            writer.run(f"DROP VIEW IF EXISTS {name}{everywhere} SYNC")
            body = _code(statement[view.end() :])
            for table in placed:
                body = re.sub(rf"\bFROM {table}\b", f"FROM {across}.{quote(table)}", body)
            to = f"{across}.{quote(view['to'])}"
            writer.run(f"CREATE MATERIALIZED VIEW {name}{everywhere} TO {to} AS\n{body}")


def _note_shards(store: Store, writer: Writer) -> None:
    store.sync(writer, "cluster_shards")
    if not writer.query("SELECT 1 FROM cluster_shards LIMIT 1"):
        writer.insert("cluster_shards", [{"shards": store.cells.count}])


def _refuse_other_shards(store: Store, writer: Writer) -> None:
    """Where a row is follows from the number of shards: with another one, what replaces it would lie elsewhere."""
    rows = writer.query("SELECT shards FROM cluster_shards ORDER BY noted_at LIMIT 1")
    if rows and rows[0]["shards"] != store.cells.count:
        raise StoreError(
            f"database {writer.database} was made for {rows[0]['shards']} shards and cluster {store.dsn.cluster!r} has "
            f"{store.cells.count}; name another database, or another cluster over the same shards as before"
        )


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _replicated(engine: str, arguments: str, replica: str) -> str:
    return f"ENGINE = Replicated{engine}({replica}{', ' + arguments if arguments.strip() else ''})"


def _code(statement: str) -> str:
    return "\n".join(line for line in statement.splitlines() if line.strip() and not line.lstrip().startswith("--"))


def _files() -> list[tuple[int, str, str]]:
    folder = files("outlay_collector.store").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if re.fullmatch(r"\d{4}_\w+\.sql", entry.name))
    return [(int(name[:4]), name[:-4], folder.joinpath(name).read_text(encoding="utf-8")) for name in names]


def _refuse_fragile(writer: Writer, migrations: str) -> None:
    """An acknowledged span is on disk only as long as every table has its fsync settings."""
    ours = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", migrations)
    rows = writer.query(
        "SELECT name, create_table_query AS made FROM system.tables WHERE database = currentDatabase() "
        "AND engine LIKE '%MergeTree' AND name IN {ours:Array(String)}",
        {"ours": ours},
    )
    for row in rows:
        lost = [setting for setting in DURABLE.split(", ") if setting not in row["made"]]
        if lost:
            raise StoreError(
                f"table {row['name']} would lose data in a power cut; "
                f"run ALTER TABLE {row['name']} MODIFY SETTING {', '.join(lost)}"
            )


def _refuse_alone(writer: Writer) -> None:
    """What a cluster stores is on every node only as long as every table is replicated."""
    rows = writer.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' "
        "AND engine NOT LIKE 'Replicated%' ORDER BY name LIMIT 1"
    )
    for row in rows:
        raise StoreError(
            f"table {row['name']} of database {writer.database} was made without ?cluster= and is on one node only; "
            "name another database, or leave out ?cluster="
        )


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _pending(applied: Mapping[int, Row], number: int, known: Mapping[int, tuple[str, str]]) -> bool:
    if number not in applied:
        return True
    name, text = known[number]
    if applied[number]["checksum"] != _checksum(text):
        raise StoreError(f"migration {name} was changed after it was applied; migrations are append-only")
    return False


def _apply(writer: Writer, number: int, name: str, text: str, placed: Mapping[str, Placement]) -> str:
    for statement in expand(text, writer.store.dsn.cluster, writer.database, placed):
        writer.run(statement)
    writer.insert("schema_migrations", [{"number": number, "name": name, "checksum": _checksum(text)}])
    return name
