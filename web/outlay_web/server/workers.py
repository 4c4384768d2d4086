"""Work that a request wants done on the pipeline's thread, where it cannot get in the way of settling."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from outlay_collector.settle import Settler
from outlay_collector.store.heartbeat import Heartbeat

WAIT_S = 3600.0
Errand = Callable[[Settler], Any]


class Errands:
    """A queue of functions: `ask` from any thread, `run_all` as a job of the pipeline's scheduler."""

    def __init__(self, settler: Callable[[], Settler], wake: Callable[[], None], heartbeat: Heartbeat) -> None:
        self._settler = settler
        self._heartbeat = heartbeat
        self._wake = wake
        self._waiting: queue.SimpleQueue[tuple[Errand, Future[Any]]] = queue.SimpleQueue()

    def ask(self, errand: Errand) -> Any:
        """Have `errand` run on the pipeline's thread, and wait for what it returns or raises.

        Raises:
            StoreError: If the store turns out not to answer; what has not begun by then is not done.
        """
        self._heartbeat.check()
        done: Future[Any] = Future()
        self._waiting.put((errand, done))
        self._wake()
        return self._heartbeat.wait(done, WAIT_S)

    def run_all(self) -> None:
        """Run what waits."""
        while not self._waiting.empty():
            errand, done = self._waiting.get()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(errand(self._settler()))
            except Exception as exc:
                done.set_exception(exc)
