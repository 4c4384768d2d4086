"""Work that a request wants done on the pipeline's thread, where it cannot get in the way of settling."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from outlay_collector.settle import Settler

WAIT_S = 3600.0
Errand = Callable[[Settler], Any]


class Errands:
    """A queue of functions: `ask` from any thread, `run_all` as a job of the pipeline's scheduler."""

    def __init__(self, settler: Settler, wake: Callable[[], None]) -> None:
        self._settler = settler
        self._wake = wake
        self._waiting: queue.SimpleQueue[tuple[Errand, Future[Any]]] = queue.SimpleQueue()

    def ask(self, errand: Errand) -> Any:
        """Have `errand` run on the pipeline's thread, and wait for what it returns or raises."""
        done: Future[Any] = Future()
        self._waiting.put((errand, done))
        self._wake()
        return done.result(WAIT_S)

    def run_all(self) -> None:
        """Run what waits."""
        while not self._waiting.empty():
            errand, done = self._waiting.get()
            try:
                done.set_result(errand(self._settler))
            except Exception as exc:
                done.set_exception(exc)
