"""Apply `migrations/NNNN_name.sql` once, in order, on a single node or a cluster from the same files.

The files are plain ClickHouse SQL with one addition: `$durable` stands for the settings that make an insert survive a
power cut. On a cluster every statement is made ON CLUSTER, and a table of the MergeTree family is its Replicated
namesake, so that each node holds every row. (`-- shard:` comments say how rows could be spread; nothing reads them.)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files

from outlay.errors import StoreError
from outlay_collector.store.client import Store, Writer, quote
from outlay_collector.store.lease import lease_on
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
    writer = store.writer()
    known = {number: (name, text) for number, name, text in _files()}
    try:
        for statement in expand(MIGRATIONS, store.dsn.cluster, store.database):
            writer.run(statement)
        if store.dsn.cluster:
            _refuse_alone(writer)
        store.sync(writer, "schema_migrations")
        ran = []
        if _missing(writer, known):
            with _alone(store):  # several roles start at once; whoever comes second finds it done
                store.sync(writer, "schema_migrations")
                ran = [_apply(writer, number, *known[number]) for number in _missing(writer, known)]
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


def expand(text: str, cluster: str, database: str) -> list[str]:
    """The statements of one migration file, for a single node (`cluster=""`) or a cluster."""
    statements = [part.strip() for part in re.split(r";\s*(?:\n|$)", text)]
    plain = [statement.replace("$durable", DURABLE) for statement in statements if _code(statement)]
    if not cluster:
        return plain
    return [_clustered(statement, cluster, database) for statement in plain]


def _clustered(statement: str, cluster: str, database: str) -> str:
    """The same statement for every node of a cluster."""
    table = DDL.search(statement)
    if table is None:
        raise ValueError(f"a migration may only make, alter, empty or drop tables and views, not {statement!r}")
    on_cluster = f"{table[0]} ON CLUSTER {quote(cluster)}"
    replica = f"'/clickhouse/tables/{{shard}}/{database}/{table['name']}', '{{replica}}'"
    statement = statement[: table.start()] + on_cluster + statement[table.end() :]
    statement = ENGINE.sub(lambda m: _replicated(m[1], m[2] or "", replica), statement)
    return statement.replace("non_replicated_deduplication_window", "replicated_deduplication_window")


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


def _apply(writer: Writer, number: int, name: str, text: str) -> str:
    for statement in expand(text, writer.store.dsn.cluster, writer.database):
        writer.run(statement)
    writer.insert("schema_migrations", [{"number": number, "name": name, "checksum": _checksum(text)}])
    return name
