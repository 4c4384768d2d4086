"""Settles and rolls up: one thread, one after the other, only while this process holds the lease for it.

What requests want done by the settler (reading stored spans again) waits in a queue of tasks and runs on the same
thread, where it cannot get in the way.
"""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from outlay.errors import StoreError
from outlay_collector.cadence import Cadence
from outlay_collector.cells import CellTasks
from outlay_collector.handover import Handover
from outlay_collector.jobs import Worker, WorkerThread
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.lists import catalogue_warning
from outlay_collector.prices.reprice import resume
from outlay_collector.rollup.hours import Rollup
from outlay_collector.settle import NO_MAPPING, Settler
from outlay_collector.settle.mapping import AttributeMapping
from outlay_collector.store import Store
from outlay_collector.store.clock import Clock, utc_now
from outlay_collector.store.lease import Fence

logger = logging.getLogger(__name__)

SETTLE_S = 30.0  # the one loader, in this process, wakes it; otherwise it looks every second
SETTLE_POLL_S = 1.0
ROLL_UP_S = 10.0
IDLE_ROLL_UP_S = 60.0
TASKS_S = 3600.0
CELL_TASKS_S = 1.0
FIRST_CELL = 1  # its jobs do what is done once for all
FIRST_LEASE_S = 2.0
LAST_SETTLE_S = 2.0  # with less than that left, nothing new is begun
Task = Callable[[Settler], Any]


class Pipeline:
    """What turns loaded spans into calls and hours.

    Args:
        store: Writes only while `lease` is held.
        cell_tasks: What requests want done in every cell, where there are several.
        clock: Tests set it.
        mapping: Own attributes for what calls are for.
        handover: Where the loader of this process tells what changed.
        on_calls: Takes rows of `calls` that are stored.
    """

    def __init__(
        self,
        store: Store,
        lease: Fence,
        prices: PriceBook,
        cadence: Cadence,
        cell_tasks: CellTasks | None = None,
        clock: Clock = utc_now,
        mapping: AttributeMapping = NO_MAPPING,
        handover: Handover | None = None,
        on_calls: Callable[[Any], None] | None = None,
    ) -> None:
        self._store = store
        self._mapping = mapping
        self._handover = handover
        self._on_calls = on_calls
        self._lease = lease
        self._prices = prices
        self._cadence = cadence
        self._cell_tasks = cell_tasks
        self._clock = clock
        self._term = 0
        self._settler: Settler | None = None
        self._rollup: Rollup | None = None
        self._tasks: queue.SimpleQueue[tuple[Task, Future[Any]]] = queue.SimpleQueue()
        self._task_worker: Worker | None = None
        self._roll_up_worker: Worker | None = None
        self._thread: WorkerThread | None = None

    def start(self, thread: WorkerThread, *, loads_here: bool) -> None:
        """Work on `thread` from now on; who stands by begins when the process that has the lease ends.

        Args:
            loads_here: Whether the one loader, in this process, wakes the settler.
        """
        with contextlib.suppress(StoreError):
            self._lease.wait(FIRST_LEASE_S)
        self._begin_term()
        settle = thread.add("settle", SETTLE_S if loads_here else SETTLE_POLL_S, self._settle)
        self._roll_up_worker = thread.add("rollup", ROLL_UP_S, self._roll_up)
        self._task_worker = thread.add("tasks", TASKS_S, self._run_tasks)
        if self._cell_tasks is not None:
            thread.add("cell tasks", CELL_TASKS_S, self.run_cell_tasks)
        self._thread = thread
        thread.start()
        self._lease.keep(settle.wake)

    def run(self, task: Task) -> Any:
        """Have `task` run with the settler, and wait for what it returns or raises.

        Raises:
            StoreError: If another process settles, or the store turns out not to answer; what has not begun by then is
                not done.
        """
        if self._task_worker is None:  # no thread: a command that has the store to itself
            return task(self._on_duty())
        self._store.heartbeat.check()
        done: Future[Any] = Future()
        self._tasks.put((task, done))
        self._task_worker.wake()
        return self._store.heartbeat.wait(done, TASKS_S)

    def run_cell_tasks(self) -> bool:
        """Do what requests want done on this cell's traces; returns whether there was anything."""
        if self._cell_tasks is None or not self._begin_term() or self._settler is None:
            return False
        with contextlib.closing(self._store.local.writer()) as writer:
            return self._cell_tasks.run_waiting(self._settler, writer)

    def drain(self) -> None:
        """Settle and roll up all that waits, in this thread, with a settler for this alone."""
        settler, rollup = self._new_stages()
        while settler.run_once():
            pass
        while rollup.run_once():
            pass
        settler.close()
        rollup.close()

    def catch_up(self, waiting: Callable[[], Any], timeout_s: float) -> None:
        """Before something is judged: what was received by now is in the figures, unless that takes long."""
        if self._settler is not None:
            self._cadence.catch_up(waiting, timeout_s)

    def stop(self, timeout_s: float) -> bool:
        """Stop the thread; returns whether it ended in time. Where it did not, the settler is still in use."""
        ended = self._thread is None or self._thread.stop(timeout_s)
        if not ended:
            self._settler = None
        return ended

    def settle_rest(self, left_s: Callable[[], float]) -> None:
        """Settle what was loaded last, as far as time allows: what was sent is in the figures after a stop, too."""
        with contextlib.suppress(StoreError):  # the next start settles it
            while self._settler is not None and left_s() > LAST_SETTLE_S and self._settler.run_once():
                pass

    def _new_stages(self) -> tuple[Settler, Rollup]:
        with contextlib.closing(self._store.writer()) as writer:
            self._prices.ensure(writer)
            warning = catalogue_warning(self._store)
            if warning:
                logger.warning("%s", warning)
            if self._cell_tasks is None:
                resume(self._prices, writer, clock=self._clock)
            elif self._store.cells.own == FIRST_CELL:
                resume(self._prices, writer, self._cell_tasks.agree_later, self._clock)
        settler = Settler(
            self._store,
            self._prices,
            clock=self._clock,
            mapping=self._mapping,
            handover=self._handover,
            on_calls=self._on_calls,
        )
        return settler, Rollup(self._store, clock=self._clock)

    def _begin_term(self) -> bool:
        """Whether this process settles and rolls up; when it begins to, what the stages remember is read anew."""
        if not self._lease.held():
            return False
        if self._term != self._lease.term:
            term = self._lease.term
            for stage in (self._settler, self._rollup):
                if stage is not None:
                    stage.close()
            self._settler = self._rollup = None
            self._settler, self._rollup = self._new_stages()
            self._term = term
        return True

    def _on_duty(self) -> Settler:
        """The settler.

        Raises:
            StoreError: If another process settles.
        """
        self._lease.check()
        if not self._begin_term() or self._settler is None:
            raise StoreError("another process settles now", retryable=True)
        return self._settler

    def _settle(self) -> bool:
        if not self._begin_term() or self._settler is None:
            return False
        with self._cadence.run("settle"):
            before = dict(self._settler.set_aside)
            again = self._settler.run_once()
        new = [trace for trace in self._settler.set_aside if trace not in before]
        if new:  # a failure of the job, as the status and the metrics count them; the rest is settled
            (project, trace_id), why = new[0], self._settler.set_aside[new[0]]
            raise StoreError(f"{len(new)} traces cannot be settled: trace {trace_id} of project {project}: {why}")
        return again

    def _roll_up(self) -> bool:
        """Look often only while hours wait to grow quiet."""
        if not self._begin_term() or self._rollup is None or self._roll_up_worker is None:
            return False
        again = self._rollup.run_once()
        self._roll_up_worker.interval_s = ROLL_UP_S if self._rollup.waiting else IDLE_ROLL_UP_S
        return again

    def _run_tasks(self) -> None:
        while not self._tasks.empty():
            task, done = self._tasks.get()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(task(self._on_duty()))
            except Exception as exc:
                done.set_exception(exc)
