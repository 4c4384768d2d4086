"""Work that a request wants done on the traces of every cell: each cell's jobs do their part, on their own tables.

One row per cell in `cell_tasks`, which every node has. Whoever asks waits until all are done; a row that nobody waits
for any more is done all the same, so what was begun is finished. Doing it twice changes nothing.
"""

from __future__ import annotations

import logging
import time
import uuid
from datetime import datetime
from typing import Any, Literal

from outlay.errors import StoreError
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.reprice import agree
from outlay_collector.settle import Settler
from outlay_collector.store import Row, Store
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import Clock, utc_now

logger = logging.getLogger(__name__)

Kind = Literal["resettle", "agree"]
LOOK_S = 0.2
WAIT_S = 3600.0
WANTED = (
    "SELECT * FROM cell_tasks FINAL WHERE state = 'wanted' AND cell = {cell:UInt32} ORDER BY asked_at, task LIMIT 100"
)
STATES = "SELECT cell, state, traces, error FROM cell_tasks FINAL WHERE task = {task:String} ORDER BY cell"


class CellTasks:
    """Asks for such work, and does this cell's part of it."""

    def __init__(self, store: Store, *, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    def post(self, writer: Writer, kind: Kind, project: str, start: datetime, end: datetime) -> str:
        """Have every cell do something with the calls of [start, end); waits for nothing. Returns the identifier."""
        task = uuid.uuid4().hex
        row = {
            "task": task,
            "kind": kind,
            "project": project,
            "starts_at": start,
            "ends_at": end,
            "state": "wanted",
            "traces": 0,
            "error": "",
            "asked_at": self._clock(),
            "version": 1,
        }
        writer.insert("cell_tasks", [row | {"cell": cell + 1} for cell in range(self._store.cells.count)])
        return task

    def ask(
        self, writer: Writer, kind: Kind, project: str, start: datetime, end: datetime, wait_s: float = WAIT_S
    ) -> int:
        """As `post`, and wait until all are done. Returns the traces that were settled again.

        Raises:
            StoreError: If a cell could not do it, or does not within `wait_s`; names the cells.
        """
        task = self.post(writer, kind, project, start, end)
        until = time.monotonic() + wait_s
        while True:
            rows = writer.query(STATES, {"task": task})
            failed = [row for row in rows if row["state"] == "failed"]
            if failed:
                raise StoreError(f"cell {failed[0]['cell']} could not {kind}: {failed[0]['error']}")
            waiting = [str(row["cell"]) for row in rows if row["state"] == "wanted"]
            if not waiting:
                return sum(int(row["traces"]) for row in rows)
            if time.monotonic() > until:
                raise StoreError(
                    f"the jobs of cell {', '.join(waiting)} did not {kind} in {wait_s:.0f} s; they will when they run",
                    retryable=True,
                )
            time.sleep(LOOK_S)

    def agree(self, book: PriceBook, writer: Writer, project: str, start: datetime, end: datetime) -> None:
        """As `reprice.agree`, in every cell."""
        self.ask(writer, "agree", project, start, end)

    def agree_later(self, book: PriceBook, writer: Writer, project: str, start: datetime, end: datetime) -> None:
        """As `reprice.agree`, in every cell, when its jobs come to it."""
        self.post(writer, "agree", project, start, end)

    def run_waiting(self, settler: Settler, writer: Writer) -> bool:
        """Do what waits for this cell; returns whether there was anything.

        Args:
            settler: Of this cell.
            writer: A connection to this cell's tables.
        """
        wanted = writer.query(WANTED, {"cell": self._store.cells.own})
        for row in wanted:
            writer.insert("cell_tasks", [row | self._done(row, settler, writer) | {"version": row["version"] + 1}])
        return bool(wanted)

    def _done(self, row: Row, settler: Settler, writer: Writer) -> dict[str, Any]:
        window = row["project"], row["starts_at"], row["ends_at"]
        try:
            if row["kind"] == "resettle":
                return {"state": "done", "traces": settler.resettle(*window)}
            settler.prices.ensure(writer)
            agree(settler.prices, writer, *window, clock=self._clock)
            return {"state": "done"}
        except StoreError as exc:
            if exc.retryable:
                raise
            return {"state": "failed", "error": str(exc)[:1000]}
        except Exception as exc:
            logger.exception("%s of cell %d failed", row["kind"], self._store.cells.own)
            return {"state": "failed", "error": f"{type(exc).__name__}: {exc}"[:1000]}
