"""Whether the store answers at all, asked on a connection of its own that waits for nobody.

A store that hangs is known by a small question that stays unanswered. It is asked by whoever has waited for a while,
and by health checks; while nobody waits, nobody asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

from outlay.errors import StoreError
from outlay_collector.store.pool import Pool

ASK_AFTER_S = 1.0
SILENT_S = 5.0
NO_ANSWER = "the store does not answer"


class Heartbeat:
    """Asks `SELECT 1`, one question at a time."""

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: Future[Any] | None = None
        self._silent_since: float | None = None

    def ask(self) -> Future[Any]:
        """The question that is under way, or a new one. Its future fails when the store refuses to answer."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._silent_since = self._silent_since or self._clock()
                self._asked = asked = self._pool.submit(lambda client: client.command("SELECT 1"))
                asked.add_done_callback(self._answered)
            return self._asked

    def silent(self) -> bool:
        """Whether the store has been known not to answer for some seconds."""
        since = self._silent_since
        return since is not None and self._clock() - since >= SILENT_S

    def wait(self, done: Future[Any], timeout_s: float) -> Any:
        """What `done` returns, unless it takes longer than that or the store turns out to be silent.

        Raises:
            StoreError: That the store does not answer; or what the call itself raised.
        """
        until = self._clock() + timeout_s
        while not _ended(done, min(ASK_AFTER_S, until - self._clock())):
            if self.silent() or self._clock() >= until:
                done.cancel()
                raise StoreError(NO_ANSWER, retryable=True)
            self.ask()
        return done.result()

    def check(self) -> None:
        """Before something is begun.

        Raises:
            StoreError: If the store is silent: then there is no sense in waiting for it once more.
        """
        if self.silent() and not _ended(self.ask(), ASK_AFTER_S):
            raise StoreError(NO_ANSWER, retryable=True)

    def _answered(self, asked: Future[Any]) -> None:
        if not asked.cancelled() and asked.exception() is None:
            self._silent_since = None


def _ended(done: Future[Any], timeout_s: float) -> bool:
    return bool(wait((done,), max(0.0, timeout_s)).done) or done.cancelled()
