"""Which spans of a batch are in the store already: an anti-join on the key, done once per batch and remembered.

The answer is written beside the segment before anything is inserted. A retry after a crash reads it back instead of
finding its own rows and calling them duplicates.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

from outlay_collector.load.key_filter import Seen
from outlay_collector.otlp.validate import KEY
from outlay_collector.spool.segments import Record, write_durably
from outlay_collector.store import load_sql
from outlay_collector.store.client import Writer

KEY_BYTES = KEY.size
HOUR = struct.Struct("<I")


def known_keys(writer: Writer, remembered: Path, records: Sequence[Record], seen: Seen | None) -> dict[str, set[bytes]]:
    """The keys of `records` that were stored before this batch, by project.

    Args:
        remembered: The file beside the segment; read if it is there, written if not.
        seen: Rules most of them out at once; None where other writers store too.
    """
    if remembered.exists():
        kept = json.loads(remembered.read_text())
        return {project: {bytes.fromhex(key) for key in keys} for project, keys in kept.items()}
    by_project: dict[str, list[bytes]] = {}
    for record in records:
        by_project.setdefault(record.project, []).append(record.keys)
    found = {project: _find(writer, project, b"".join(keys), seen) for project, keys in by_project.items()}
    kept = {project: sorted(key.hex() for key in keys) for project, keys in found.items() if keys}
    write_durably(remembered, json.dumps(kept).encode())
    return found


def _find(writer: Writer, project: str, keys: bytes, seen: Seen | None) -> set[bytes]:
    keys = keys if seen is None else seen.maybe(project, keys)
    if not keys:
        return set()
    writer.run(
        "CREATE TEMPORARY TABLE IF NOT EXISTS batch_keys "
        "(hour UInt32, trace_id FixedString(16), span_id FixedString(8)) ENGINE = Memory"
    )
    writer.run("TRUNCATE TABLE batch_keys")
    writer.load("batch_keys", keys, fmt="RowBinary")
    hours = [HOUR.unpack(hour)[0] for hour in {keys[at : at + HOUR.size] for at in range(0, len(keys), KEY_BYTES)}]
    rows = writer.query(
        load_sql("outlay_collector.load.sql", "loader_known"),
        {"project": project, "first_hour": min(hours), "last_hour": max(hours)},
    )
    return {bytes.fromhex(row["key"]) for row in rows}
