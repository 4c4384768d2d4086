"""Settle: traces that changed become calls, one row per billable request, each counted once.

1. `gather`   the spans of those traces, and of traces that share a response with them; they are read through the
              dialect tables (`reading`) into an Arrow table in one vocabulary (`facts`)
2. `resolve`  which spans are calls, what they count, which repeat one, and why: a pure function over arrays
3. `write`    requests by row from the table, priced in SQL, and what earlier runs made and this one does not

Settling a trace again gives the same rows, in whatever order its spans came.

Enters: spans of traces that changed.
Leaves: rows of `calls`, `repeats`, `response_ids`, with tombstones.
May import: dialects, prices, store.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime

import numpy as np
import pyarrow as pa

from outlay.errors import StoreError
from outlay_collector.handover import Handover
from outlay_collector.prices.book import PriceBook
from outlay_collector.settle.across import Across, Source
from outlay_collector.settle.aside import Aside, Trace
from outlay_collector.settle.facts import Role
from outlay_collector.settle.gather import EVER, gather, traces
from outlay_collector.settle.mapping import AttributeMapping
from outlay_collector.settle.noted import Noted
from outlay_collector.settle.pricing import REQUESTS, create
from outlay_collector.settle.reading import Reader
from outlay_collector.settle.resolve import resolve
from outlay_collector.settle.values import text
from outlay_collector.settle.waiting import Waiting
from outlay_collector.settle.write import Run, mark_hours, write
from outlay_collector.store import Store
from outlay_collector.store.clock import Clock, utc_now

logger = logging.getLogger(__name__)

UNKNOWN_TABLE = 60
BATCH_SPANS = 100_000
BATCH_TRACES = 50_000
RESETTLE_TRACES = 5_000
MOST_FAILED = 64
"""So many traces that fail are searched for in a run, in halves."""
# Of a trace with more spans, or over more hours, only what a change touches is read and settled again.
GIANT_SPANS = 10_000
GIANT_HOURS = 24
# To merge steps, or to compile them to machine code, takes longer than to run them. One thread keeps the order of the
# spans, which is the order in which calls are stored, and leaves the other cores to the pages.
SESSION = (
    "SET query_plan_merge_expressions = 0, compile_expressions = 0, compile_aggregate_expressions = 0, "
    "compile_sort_description = 0, max_threads = 1, optimize_on_insert = 0"
)
NO_MAPPING = AttributeMapping()
READ = ("spans", "trace_hours")


class Settler:
    """Turns changed traces into calls. For one thread; its connection is its own."""

    def __init__(
        self,
        store: Store,
        prices: PriceBook,
        *,
        clock: Clock = utc_now,
        mapping: AttributeMapping = NO_MAPPING,
        handover: Handover | None = None,
        on_calls: Callable[[pa.Table], None] | None = None,
    ) -> None:
        """Settle what is marked in the store.

        Args:
            mapping: Own attributes for what calls are for.
            handover: Where the loader of this process tells what changed, beside the marks.
            on_calls: Takes rows of `calls` that are stored.
        """
        self.store = store
        self.clock = clock
        self.prices = prices
        self.mapping = mapping
        self._on_calls = on_calls
        self._writer = store.local.writer()
        self._across_writer = store.writer() if store is not store.local else None
        self._waiting = Waiting(self._writer, handover)
        self._own: Source | None = None
        self._across: Across | None = None
        self._version = 0
        self._emptied = False
        self._caught_up = False
        """Whether no run that was broken off may have written of traces whose marks wait still."""
        self.spans_read = 0  # by the last run
        self._aside = Aside(self._writer, clock)

    @property
    def set_aside(self) -> dict[tuple[str, str], str]:
        """Traces, (project, trace id), that cannot be settled, and why, until they can."""
        return self._aside.reasons

    def close(self) -> None:
        self._writer.close()
        if self._across_writer is not None:
            self._across_writer.close()

    def run_once(self) -> bool:
        """Settle the next batch of changed traces. Returns whether more is waiting."""
        try:
            self.settle(self._aside.due())
            # A mark that another node took may come here after a later one; to go on from that would pass it over.
            self.store.local.sync(self._writer, "dirty_traces")
            recovering = self._waiting.recovering
            batch = self._waiting.next(BATCH_SPANS, BATCH_TRACES)
            if batch is None:
                return False
            # Another node may have taken what these marks are about; it had it before they were made.
            self.store.local.sync(self._writer, *READ)
            own = batch.changed if self._caught_up else _seen(batch.changed)
            for changed, tells in ((self._tried_now(own), True), (self._tried_now(_seen(batch.told)), False)):
                if len(changed):
                    self._settle_what_can_be(changed, tells=tells)
            self._waiting.settled(batch)
        except StoreError:
            self._waiting.forget()
            self._caught_up = False
            raise
        # Cells read each other's traces before those are marked here.
        self._caught_up |= not batch.more and not recovering and self._across_writer is None
        return batch.more

    def resettle(self, project: str, start: datetime, end: datetime) -> int:
        """Settle every trace with a span in [start, end) again. Returns how many traces that were."""
        rows = self._writer.query(
            "SELECT DISTINCT trace_id FROM spans WHERE project = {project:String} "
            "AND toStartOfHour(started_at) >= toStartOfHour({start:DateTime64(6)}) "
            "AND toStartOfHour(started_at) <= {end:DateTime64(6)} "
            "AND started_at >= {start:DateTime64(6)} AND started_at < {end:DateTime64(6)} ORDER BY trace_id",
            {"project": project, "start": start, "end": end},
        )
        found = [(project, str(row["trace_id"])) for row in rows]
        for at in range(0, len(found), RESETTLE_TRACES):
            self.settle(found[at : at + RESETTLE_TRACES])
        return len(found)

    def settle(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Settle these traces, (project, trace id), and those that share a response with them."""
        pairs = sorted({(project.encode(), trace_id.encode()) for project, trace_id in wanted})
        if pairs:
            self._caught_up = False
            self._settle_what_can_be(traces(pairs, EVER))

    def _settle_what_can_be(self, changed: pa.Table, *, tells: bool = True) -> None:
        """Settle traces; of a run that fails by what it read, halves, until the traces that do it are found.

        A failing store is nobody's fault: then all is tried again. A trace that is set aside stays as it was settled
        before, and is tried again when it changes, and without that, after a wait that doubles. Where very many fail,
        the rest of the run is set aside unsearched, so that what comes after does not wait for it.
        """
        failed: dict[Trace, Exception] = {}
        parts = [changed]
        while parts:
            part = parts.pop()
            try:
                self._settle(part, tells=tells)
            except StoreError:
                raise
            except Exception as exc:
                part = _seen(part)
                if len(part) > 1 and len(failed) < MOST_FAILED:
                    middle = len(part) // 2
                    parts += [part.slice(middle), part.slice(0, middle)]
                    continue
                self._prepare()  # raises where it is not the traces' fault
                failed |= dict.fromkeys(_names(part), exc)
            else:
                if self.set_aside:
                    self._aside.take(_names(part))
        new = self._aside.put({trace: f"{type(exc).__name__}: {exc}" for trace, exc in failed.items()})
        if new:
            logger.error(
                "%d traces cannot be settled and are set aside: trace %s of project %s …",
                len(new),
                *reversed(new[0]),
                exc_info=failed[new[0]],
            )

    def _tried_now(self, changed: pa.Table) -> pa.Table:
        """Changed traces without those that are set aside and wait."""
        if not self.set_aside:
            return changed
        return changed.filter(pa.array([not self._aside.waits(trace) for trace in _names(changed)], pa.bool_()))

    def _settle(self, changed: pa.Table, *, tells: bool = True) -> None:
        """Settle traces; `tells` other cells of theirs that are concerned."""
        own, across = self._prepare()
        gathered, scored = gather(own, changed, (GIANT_SPANS, GIANT_HOURS), across)
        if len(scored):
            mark_hours(self._writer, scored, self.clock())
        self.spans_read = 0 if gathered is None else len(gathered.facts)
        # Where nothing speaks of usage or of a cache, and never did, there is nothing to write.
        if gathered is not None:
            speaks = (gathered.facts.role != Role.NONE) | gathered.facts.is_lookup
            if np.any(speaks) or len(gathered.earlier):
                resolved = resolve(gathered.facts)
                run = Run(
                    self._writer,
                    self.prices,
                    self._version,
                    self.clock(),
                    self.mapping,
                    self._across_writer,
                    own.noted,
                    self._on_calls,
                )
                write(run, gathered, resolved)
            if across is not None and tells:
                across.tell(gathered.elsewhere)
        self._emptied = True

    def _prepare(self) -> tuple[Source, Across | None]:
        """Temporary tables, empty; the compiled statements; the next version."""
        w = self._writer
        if self._own is None:
            newest = "SELECT max(version) AS v FROM (SELECT version FROM calls UNION ALL SELECT version FROM repeats)"
            version = int(w.query(newest)[0]["v"])
            self.prices.ensure(w)
            if self._across_writer is not None:
                self._across_writer.run(SESSION)
                reader = Reader(self._across_writer, self.mapping.inherited)
                self._across = Across(self._across_writer, reader, cell=self.store.cells.own)
            # Last, so that whatever failed before is tried again.
            noted = Noted(w) if self.store.embedded else None
            self._version, self._own = version, Source(w, Reader(w, self.mapping.inherited), noted)
        try:
            # A run leaves it empty unless it failed; that it is there only a server's session leaves open.
            if not self._emptied or not self.store.embedded:
                self._empty()
        except StoreError as exc:
            # The first run, or a server's session that ended while nothing changed.
            if exc.code != UNKNOWN_TABLE:
                raise
            w.run(SESSION)
            create(w)
            self._empty()
        self._emptied = False
        self._version = max(self._version + 1, time.time_ns() // 1000)
        if self._across is not None:
            self._across.version = self._version
        return self._own, self._across

    def _empty(self) -> None:
        self._writer.run(f"TRUNCATE TABLE {REQUESTS}")


def _seen(changed: pa.Table) -> pa.Table:
    """Changed traces that a run may have seen whole already."""
    at = changed.schema.get_field_index("new_spans")
    return changed.set_column(at, "new_spans", pa.array(np.zeros(len(changed), np.uint64)))


def _names(changed: pa.Table) -> list[Trace]:
    """Traces as (project, trace id)."""
    return [
        (text(project), text(trace_id))
        for project, trace_id in zip(changed["project"].to_pylist(), changed["trace_id"].to_pylist(), strict=True)
    ]
