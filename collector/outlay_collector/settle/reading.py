"""Read spans through the dialect tables: SQL in, one Arrow table out, with the columns of `facts.COLUMNS`.

Three statements, since one would be too large for ClickHouse to plan: what attributes say (`sql/read.sql`), what JSON
texts hold, for the spans that need it (`inside.sql`), and what all of it means (`canonical.sql`). Between them it
stands in temporary tables, which no statement reads beside a stored one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from outlay_collector.dialects.compile import fragments
from outlay_collector.dialects.keys import codes
from outlay_collector.settle.values import among
from outlay_collector.store import Params, load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_collector.settle.sql"
SCRATCH = ("settle_raw", "settle_newest", "settle_inside")
PLACE = "(project, toStartOfHour(started_at), trace_id, span_id)"
HOUR = "(project, toStartOfHour(started_at), trace_id)"


@dataclass(frozen=True)
class Spans:
    """What was read."""

    table: pa.Table
    """One row per span, columns as in `facts.COLUMNS`."""
    moved: set[tuple[int, int]] = field(default_factory=set)
    """Spans that were sent again with another start: id, and an earlier hour (seconds) they are no longer in."""


class Reader:
    """Reads spans on one connection, whose temporary tables are its own."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._fragments = fragments()
        self._canonical = load_sql(SQL, "canonical", **self._fragments)

    def create(self) -> None:
        """Make the temporary tables, where they are not there."""
        shapes = (
            ("settle_raw", self._read("false")),
            ("settle_newest", "SELECT * FROM settle_raw"),
            ("settle_inside", self._inside("false")),
        )
        for name, statement in shapes:
            self._writer.run(f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ENGINE = Memory AS {statement}")

    def read(self, which: str, params: Params) -> Spans:
        """The spans for which a condition on `spans` holds. Leaves the temporary tables as empty as it needs them."""
        w = self._writer
        w.run("INSERT INTO settle_raw " + self._read(which), params)
        blob = f"countIf(said[{codes()['blob_alone']}] != '')"
        seen = w.query(
            f"SELECT count() > uniqExact(id) AS moved, countIf(opens) AS opens, {blob} AS blobs FROM settle_raw"
        )[0]
        moved = self._keep_newest() if seen["moved"] else set()
        opened = seen["opens"] or seen["blobs"]
        if opened:
            self._open()
        table = w.arrow(self._canonical)
        w.run("TRUNCATE TABLE settle_raw")
        if opened:
            w.run("TRUNCATE TABLE settle_inside")
        return Spans(table, moved)

    def _keep_newest(self) -> set[tuple[int, int]]:
        """Of spans that were read from two hours keep one; answer where the others were."""
        w = self._writer
        place = "id, toUnixTimestamp(toStartOfHour(span.started_at)) AS hour"
        others = w.query(load_sql(SQL, "newest", columns=place, n="> 1"))
        w.run("INSERT INTO settle_newest " + load_sql(SQL, "newest", columns="* EXCEPT (n)", n="= 1"))
        w.run("TRUNCATE TABLE settle_raw")
        w.run("INSERT INTO settle_raw SELECT * FROM settle_newest")
        w.run("TRUNCATE TABLE settle_newest")
        return {(int(row["id"]), int(row["hour"])) for row in others}

    def _open(self) -> None:
        """Read the JSON texts of the spans that say what they hold nowhere else."""
        w = self._writer
        places = w.arrow(
            "SELECT span.project AS project, toStartOfHour(span.started_at) AS hour, span.trace_id AS trace_id, "
            "span.span_id AS span_id FROM settle_raw WHERE opens"
        )
        which, params = among(w, places, PLACE) if len(places) else ("false", {})
        w.run("INSERT INTO settle_inside " + self._inside(which), params)

    def _read(self, which: str) -> str:
        return load_sql(SQL, "read", which=which, **self._fragments)

    def _inside(self, which: str) -> str:
        return load_sql(SQL, "inside", which=which, **self._fragments)
