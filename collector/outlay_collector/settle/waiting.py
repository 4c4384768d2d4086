"""What changed since it was settled: whole loads in the order they came, as many as one run takes.

Loads that the loader of this process hands over are in no table. The table is read where something was written to it,
and from time to time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.handover import Handover, Marks
from outlay_collector.settle.across import TELLER
from outlay_collector.settle.arrays import first_of_run
from outlay_collector.settle.facts import flat
from outlay_collector.settle.gather import NEVER
from outlay_collector.settle.reading import SQL
from outlay_collector.settle.values import text
from outlay_collector.store import Params, load_sql
from outlay_collector.store.client import Writer

LOOK_S = 10.0
"""So often the table is read although nobody said that something was written to it."""


@dataclass(frozen=True, eq=False)
class Batch:
    """The traces of a run."""

    changed: pa.Table
    """project, trace_id, since when their spans changed (in the far future where only a score came), and how many
    spans the loads of this batch brought."""
    told: pa.Table
    """The same of traces that another cell marked."""
    upto: dict[str, int]
    """By loader the last load that is in it."""
    more: bool
    """Whether more is waiting."""
    handed: Sequence[Marks] = ()
    """What of it was handed over."""


class Waiting:
    """Reads on from what is settled, by loader; for one thread, with its connection."""

    def __init__(self, writer: Writer, handover: Handover | None = None) -> None:
        self._writer = writer
        self._handover = handover or Handover()
        self._settled: dict[str, int] | None = None
        self._looked_at = float("-inf")

    @property
    def recovering(self) -> bool:
        """Whether loads may come that an earlier process settled."""
        return self._handover.recovering

    def next(self, max_spans: int, max_traces: int) -> Batch | None:
        """The next loads: one at least, together within these limits. None when all is settled."""
        written, now = self._handover.looks(), time.monotonic()
        handed = self._handover.waiting()
        if written or not handed or now - self._looked_at >= LOOK_S:
            batch = self._stored(max_spans, max_traces)
            if batch is not None:
                self._looked_at = float("-inf")
                return replace(batch, more=batch.more or bool(handed))
            self._looked_at = now
        return _handed(handed) if handed else None

    def _stored(self, max_spans: int, max_traces: int) -> Batch | None:
        """The next loads that are marked in the table."""
        # Constants, not a join: so the primary key leads to what is new, however much was loaded before.
        condition, params = self._condition()
        limit = {"rows": max_traces + 1}
        rows = self._writer.arrow(load_sql(SQL, "waiting", waiting=condition), {**params, **limit})
        if not len(rows):
            return None
        loader = flat(rows["loader"])
        seq, spans = rows["seq"].to_numpy(), rows["spans"].to_numpy()
        first = first_of_run(loader.indices.to_numpy(), seq)
        load = np.cumsum(first) - 1
        ends = np.append(np.flatnonzero(first)[1:], len(rows))
        fits = (np.cumsum(spans)[ends - 1] <= max_spans) & (ends <= max_traces)
        fits[0] = True
        taken = int(np.flatnonzero(fits[load])[-1]) + 1
        upto: dict[str, int] = {}
        for end in ends[ends <= taken].tolist():
            upto[text(loader[end - 1].as_py())] = int(seq[end - 1])
        some = rows.slice(0, taken)
        told = pc.starts_with(flat(some["loader"]).cast(pa.binary()), TELLER)
        more = taken < len(rows) or len(rows) > max_traces
        return Batch(_by_trace(some.filter(pc.invert(told))), _by_trace(some.filter(told)), upto, more)

    def settled(self, batch: Batch) -> None:
        """Remember that a batch is settled."""
        if batch.handed:
            self._handover.done(batch.handed)
            return
        self._writer.insert("settle_progress", [{"loader": loader, "seq": seq} for loader, seq in batch.upto.items()])
        self._settled = {**(self._settled or {}), **batch.upto}

    def forget(self) -> None:
        """Ask the store again what is settled."""
        self._settled = None
        self._looked_at = float("-inf")

    def _condition(self) -> tuple[str, Params]:
        if self._settled is None:
            found = self._writer.query(load_sql(SQL, "settled"))
            self._settled = {str(row["loader"]): int(row["seq"]) for row in found}
        params: dict[str, Any] = {"known": sorted(self._settled)}
        tests = []
        for n, loader in enumerate(sorted(self._settled)):
            params |= {f"loader_{n}": loader, f"seq_{n}": self._settled[loader]}
            tests.append(f"(loader = {{loader_{n}:String}} AND seq > {{seq_{n}:UInt64}})")
        return " OR ".join([*tests, "loader NOT IN {known:Array(String)}"]), params


def _handed(handed: Sequence[Marks]) -> Batch:
    """All that was handed over: small loads, of which the loader keeps few."""
    rows = [(pair, n, marks.received_from) for marks in handed for pair, n in marks.spans.items()]
    table = pa.table(
        {
            "project": pa.array([project.encode() for (project, _), _, _ in rows], pa.binary()),
            "trace_id": pa.array([trace.encode() for (_, trace), _, _ in rows], pa.binary()),
            "spans": pa.array([n for _, n, _ in rows], pa.uint64()),
            "received_from": pa.array([received for _, _, received in rows], pa.timestamp("ms", "UTC")),
        }
    )
    return Batch(_by_trace(table), _by_trace(table.slice(0, 0)), {}, more=False, handed=handed)


def _by_trace(rows: pa.Table) -> pa.Table:
    """Each trace once, in order, with the earliest moment at which its spans changed."""
    received = flat(rows["received_from"])
    came = pc.if_else(pc.greater(flat(rows["spans"]), 0), received, pa.scalar(NEVER, received.type))
    columns = {"project": rows["project"].cast(pa.binary()), "trace_id": rows["trace_id"], "since": came}
    traces = pa.table({**columns, "new_spans": rows["spans"]})
    sums = [("since", "min"), ("new_spans", "sum")]
    each = traces.group_by(["project", "trace_id"], use_threads=False).aggregate(sums)
    each = each.rename_columns(traces.column_names)
    return each.sort_by([("project", "ascending"), ("trace_id", "ascending")])
