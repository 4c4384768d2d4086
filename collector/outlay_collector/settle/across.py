"""What a settle run of one cell needs of the others: who shares a response with its traces, and that they are told.

A cell writes what is about its own traces only. Spans of one request may lie in traces of two cells; each cell then
reads both and comes to the same result, of which it writes its half. So that neither misses the other, a cell notes by
which keys its spans may be found before it looks for others; of two that settle at once, one at least finds the other,
and marks the other's traces to be settled again. What is settled because of such a mark tells nobody, so it ends there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outlay_collector.settle import keys
from outlay_collector.settle.facts import Bools, Facts
from outlay_collector.settle.noted import Noted
from outlay_collector.settle.reading import HOUR, Reader
from outlay_collector.settle.values import among
from outlay_collector.store.client import Writer

TELLER = "cell "
"""How the loader of a mark begins that a cell made."""


@dataclass
class Source:
    """A connection to read spans through."""

    writer: Writer
    reader: Reader
    noted: Noted | None = None
    """What is known of `response_ids` without asking; None where others note keys, too."""


@dataclass
class Across(Source):
    """A connection to what all cells hold together."""

    cell: int = 0
    version: int = 0
    """Of the run."""

    def note(self, spans: pa.Table, facts: Facts, own: Bools) -> None:
        """Say by which keys these spans are found, before others are looked for."""
        rows, _ = keys.noted(spans, facts, own)
        self._insert("response_ids", rows, is_deleted=np.uint8(0), version=np.uint64(self.version))

    def tell(self, marks: Sequence[pa.Table]) -> None:
        """Have other cells settle these traces again: marks of `received`."""
        for rows in marks:
            loader = pa.array([f"{TELLER}{self.cell}"] * len(rows))
            self._insert("dirty_traces", rows.append_column("loader", loader), seq=np.uint64(self.version))

    def received(self, places: pa.Table, partners: pa.Table) -> pa.Table:
        """Of each trace how many of these spans it has, and when the first of them was received.

        Args:
            places: Traces by each hour in which they may have spans.
            partners: Spans, of these traces among others: `span_id`.
        """
        hours, params = among(self.writer, places, HOUR)
        spans, more = among(self.writer, partners.select(["span_id"]), "span_id")
        return self.writer.arrow(
            "SELECT project, trace_id, count() AS spans, min(received_at) AS received_from FROM spans "
            f"WHERE {hours} AND {spans} GROUP BY project, trace_id ORDER BY project, trace_id",
            {**params, **more},
        )

    def _insert(self, table: str, rows: pa.Table, **constants: np.generic) -> None:
        for name, value in constants.items():
            rows = rows.append_column(name, pa.array(np.full(len(rows), value)))
        self.writer.insert_arrow(table, rows)
