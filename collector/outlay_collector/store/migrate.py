"""Apply `migrations/NNNN_name.sql` once, in order, on a single node or a cluster from the same files.

The files are plain ClickHouse SQL with two additions: `$durable` stands for the settings that make an insert survive a
power cut, and a comment `-- shard: EXPRESSION` above a CREATE TABLE says how a cluster spreads it. On a cluster a table
`t` becomes `t_local` with a Replicated engine, and `t` is a Distributed table over it.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

from outlay.errors import StoreError
from outlay_collector.store.client import Store, Writer, quote

DURABLE = (
    "fsync_after_insert = 1, fsync_part_directory = 1, "
    "min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1"
)
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
SETTINGS $durable
"""


def migrate(store: Store) -> list[str]:
    """Bring the store's tables up to this version; return the names of the migrations that ran.

    Raises:
        StoreError: If the store is newer than this program, an applied migration was changed since, or a table has lost
            the settings that make an insert survive a power cut.
    """
    writer = store.writer()
    try:
        for statement in expand(MIGRATIONS, store.dsn.cluster, store.database):
            writer.run(statement)
        applied = {
            row["number"]: row for row in writer.query("SELECT number, name, checksum FROM schema_migrations FINAL")
        }
        known = {number: (name, text) for number, name, text in _files()}
        newer = sorted(set(applied) - set(known))
        if newer:
            raise StoreError(
                f"the store has migration {newer[-1]:04d} ({applied[newer[-1]]['name']}), which this version of Outlay "
                "does not know; start the newer version, or restore a backup from before the upgrade"
            )
        ran = [_apply(writer, number, *known[number]) for number in sorted(known) if _pending(applied, number, known)]
        _refuse_fragile(writer, "".join(text for _, text in known.values()))
        return ran
    finally:
        writer.close()


def expand(text: str, cluster: str, database: str) -> list[str]:
    """The statements of one migration file, for a single node (`cluster=""`) or a cluster."""
    statements = [part.strip() for part in re.split(r";\s*(?:\n|$)", text)]
    plain = [statement.replace("$durable", DURABLE) for statement in statements if _code(statement)]
    if not cluster:
        return plain
    return [out for statement in plain for out in _clustered(statement, cluster, database)]


def _clustered(statement: str, cluster: str, database: str) -> list[str]:
    on_cluster = f"ON CLUSTER {quote(cluster)}"
    changed = re.match(r"ALTER TABLE (\w+)", _code(statement))
    if changed is not None:  # the tables that hold the rows, then the one over them
        rest = _code(statement)[changed.end() :]
        return [f"ALTER TABLE {changed[1]}{suffix} {on_cluster}{rest}" for suffix in ("_local", "")]
    table = re.search(r"CREATE TABLE IF NOT EXISTS (\w+)", statement)
    if table is None or "MergeTree" not in statement:
        return [
            re.sub(
                r"((?:CREATE|ALTER|DROP)[^(\n]*?\w+)(?=\s*(?:\n|\(|TO|AS|$))", rf"\1 {on_cluster}", statement, count=1
            )
        ]
    name = table[1]
    shard = re.search(r"-- shard: (.+)", statement)
    local = statement.replace(f"EXISTS {name}", f"EXISTS {name}_local {on_cluster}", 1)
    replica = f"'/clickhouse/tables/{{shard}}/{database}/{name}', '{{replica}}'"
    local = re.sub(r"ENGINE = (\w*MergeTree)\(?([^)\n]*)\)?", lambda m: _replicated(m[1], m[2], replica), local)
    local = local.replace("non_replicated_deduplication_window", "replicated_deduplication_window")
    key = shard[1].strip() if shard else "rand()"
    whole = (
        f"CREATE TABLE IF NOT EXISTS {name} {on_cluster} AS {name}_local "
        f"ENGINE = Distributed({quote(cluster)}, {quote(database)}, {name}_local, {key})"
    )
    return [local, whole]


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
        "AND engine LIKE '%MergeTree' AND replaceRegexpOne(name, '_local$', '') IN {ours:Array(String)}",
        {"ours": ours},
    )
    for row in rows:
        lost = [setting for setting in DURABLE.split(", ") if setting not in row["made"]]
        if lost:
            raise StoreError(
                f"table {row['name']} would lose data in a power cut; "
                f"run ALTER TABLE {row['name']} MODIFY SETTING {', '.join(lost)}"
            )


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _pending(applied: dict[int, dict[str, str]], number: int, known: dict[int, tuple[str, str]]) -> bool:
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
