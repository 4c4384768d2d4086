"""Background work: workers (name, interval, run) that take turns on a thread, in the order they were added.

What runs is registered by the program's start-up, so that this module knows nothing of it. A worker whose run returns
True has more work waiting and runs again after the others had their turn; one that raises is logged, counted and tried
again at its next time. A woken worker first rests as long as its last run took, 0.7 seconds at most: many small wakes
make few runs, and what was just received is not kept waiting for long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

LONGEST_REST_S = 0.7


class Worker:
    """One recurring piece of work, and what became of it.

    Attributes:
        name: As the status and the metrics say it.
        interval_s: From the beginning of one run to that of the next; what a run changes it to holds at once.
        runs, failures, busy_s: How often it ran and failed, and for how long it worked in all.
        last_error: Why the last run failed, empty if it did not.
    """

    def __init__(self, name: str, interval_s: float, run: Callable[[], bool | None], turns: threading.Condition):
        self.name = name
        self.interval_s = interval_s
        self.runs = self.failures = 0
        self.busy_s = 0.0
        self.last_error = ""
        self._run = run
        self._turns = turns
        self._due_at = self._rested_at = 0.0

    def wake(self) -> None:
        """Make it due now. Safe from any thread."""
        with self._turns:
            self._due_at = self._rested_at
            self._turns.notify()

    def due_s(self) -> float:
        """Seconds until its turn; not above zero if it is due."""
        return self._due_at - time.monotonic()

    def work(self) -> None:
        """Run once, and set the time of the next run."""
        started = time.monotonic()
        self._due_at = next_at = started + self.interval_s
        again = False
        try:
            again = bool(self._run())
            self.last_error = ""
        except Exception as exc:
            self.failures += 1
            message = f"{type(exc).__name__}: {exc}"
            if message != self.last_error:
                logger.warning("job %s failed (it will be tried again): %s", self.name, message)
            self.last_error = message
        took_s = time.monotonic() - started
        self.runs += 1
        self.busy_s += took_s
        with self._turns:
            self._rested_at = started + took_s + min(took_s, LONGEST_REST_S)
            woken = self._due_at < next_at
            if again:
                self._due_at = 0.0
            else:
                self._due_at = self._rested_at if woken else started + self.interval_s

    def shown(self) -> dict[str, Any]:
        """As the status shows it."""
        return {
            "name": self.name,
            "runs": self.runs,
            "failures": self.failures,
            "last_error": self.last_error or None,
            "busy_seconds": round(self.busy_s, 3),
        }


class WorkerThread:
    """Runs its workers on one thread, one at a time, until stopped."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.workers: list[Worker] = []
        self._turns = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, name: str, interval_s: float, run: Callable[[], bool | None]) -> Worker:
        """Register a worker; it first runs as soon as the thread starts."""
        worker = Worker(name, interval_s, run, self._turns)
        self.workers.append(worker)
        return worker

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name=f"outlay-{self.name}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Finish the present run, then stop. Returns whether the thread ended in time; safe to call twice."""
        with self._turns:
            self._stopping = True
            self._turns.notify()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while True:
            with self._turns:
                while not self._stopping and self._next_due_s() > 0:
                    self._turns.wait(self._next_due_s())
                if self._stopping:
                    return
            for worker in self.workers:
                if worker.due_s() <= 0 and not self._stopping:
                    worker.work()

    def _next_due_s(self) -> float:
        return min((worker.due_s() for worker in self.workers), default=3600.0)


class Workers:
    """All background work of one program, by name, on however many threads."""

    def __init__(self) -> None:
        self._threads: list[WorkerThread] = []

    def thread(self, name: str) -> WorkerThread:
        """A further thread, to be filled and started by the caller."""
        thread = WorkerThread(name)
        self._threads.append(thread)
        return thread

    def wake(self, name: str) -> None:
        """Make a worker due now; without effect where another process does its work."""
        for thread in self._threads:
            for worker in thread.workers:
                if worker.name == name:
                    worker.wake()

    def jobs(self) -> list[dict[str, Any]]:
        """Every worker as the status shows it."""
        return [worker.shown() for thread in self._threads for worker in thread.workers]
